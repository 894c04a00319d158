"""A checkpoint of LangGraph as a state of ours: its channels on top, all else under one key."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping
from copy import copy
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from langgraph.checkpoint.base import Checkpoint

from ...domain.checkpoint import CheckpointHeader
from ...domain.errors import Corrupt, Invalid
from ...domain.graph import (
    CHECKPOINT,
    GROUP,
    METADATA,
    channel_key,
    channel_of,
    is_channel,
    is_grouped,
)
from .values import SerdeValues

if TYPE_CHECKING:
    from ...services.states import States

_CHANNELS: Final = "channel_values"
_MOST_COPIED: Final = 4_096


async def channels_of(states: States, header: CheckpointHeader) -> frozenset[str]:
    """Return the channels that have a value in a state; no value is read if they are few."""
    keys = states.keys(header)
    if GROUP in keys:
        return frozenset((await states.open(header, only=[GROUP]))[GROUP])
    return frozenset(channel_of(key) for key in keys if is_channel(key))


def keys_of(channels: Iterable[str]) -> tuple[str, ...]:
    """Return the keys under which a state may hold the values of these channels."""
    return (GROUP, *map(channel_key, channels))


async def values_of(
    states: States, header: CheckpointHeader, channels: Collection[str]
) -> dict[str, Any]:
    """Return the values of those of `channels` that have one in a state."""
    held = frozenset(states.keys(header))
    if GROUP in held:
        group = (await states.open(header, only=[GROUP]))[GROUP]
        return {channel: group[channel] for channel in channels if channel in group}
    keys = {channel_key(channel): channel for channel in channels}
    there = held.intersection(keys)
    found = await states.open(header, only=list(there)) if there else {}
    return {keys[key]: value for key, value in found.items()}


def to_state(
    checkpoint: Checkpoint, rest: Mapping[str, object], values: SerdeValues
) -> dict[str, object]:
    """Lay out a checkpoint, and the metadata that no header can hold, as a state.

    The id is left out, as the checkpoint is found by it. Raises `Invalid` naming the path of a
    value that the serializer cannot write as a whole.
    """
    named = cast("Mapping[str, object]", checkpoint)
    channels = cast("Mapping[str, object]", named.get(_CHANNELS) or {})
    about = {name: value for name, value in named.items() if name not in ("id", _CHANNELS)}
    many = is_grouped(channels)
    if many and not values.composes:
        state: dict[str, object] = {GROUP: ready(GROUP, dict(channels), values)}
    else:
        parts = {name: ready(name, value, values) for name, value in channels.items()}
        state = {GROUP: parts} if many else {channel_key(n): part for n, part in parts.items()}
    state[CHECKPOINT] = ready(CHECKPOINT, about, values)
    if rest:
        state[METADATA] = ready(METADATA, dict(rest), values)
    return state


def ready(name: str, value: object, values: SerdeValues) -> object:
    """Return a value as the tree takes it, with lists and dictionaries that nobody else changes.

    A node may go on changing its own ones while they are written. Raises `Invalid` naming the
    path of what a serializer that has to see the whole cannot write.
    """
    try:
        prepared = values.prepared(value)
    except Invalid as error:
        raise _unserializable(name, value, values) from error
    return _copied(prepared, deeper=True)


def _copied(value: object, *, deeper: bool) -> object:
    kind = type(value)
    if kind is not list and kind is not dict:
        return value
    if not deeper or len(cast("Collection[object]", value)) > _MOST_COPIED:
        return copy(value)
    if kind is list:
        return [_copied(item, deeper=False) for item in cast("list[object]", value)]
    items = cast("dict[object, object]", value).items()
    return {key: _copied(item, deeper=False) for key, item in items}


def to_checkpoint(id: str, state: Mapping[str, Any]) -> Checkpoint:
    """Put a checkpoint together again from its state."""
    about = state.get(CHECKPOINT)
    if not isinstance(about, Mapping):
        message = f"the state of checkpoint {id!r} was not written by this adapter, or is damaged"
        raise Corrupt(message, code="bad_state", id=id)
    values = {channel_of(key): value for key, value in state.items() if is_channel(key)}
    values |= state.get(GROUP, {})
    whole = {**cast("Mapping[str, object]", about), "id": id, _CHANNELS: values}
    return cast("Checkpoint", whole)


def made_at(checkpoint: Checkpoint) -> datetime | None:
    """Return when a checkpoint was made, as far as it says so."""
    try:
        at = datetime.fromisoformat(checkpoint["ts"])
    except (KeyError, TypeError, ValueError):  # it says nothing, or nothing that is a time
        return None
    return None if at.tzinfo is None else at


def located(error: Invalid, values: SerdeValues, parts: Mapping[str, object]) -> Invalid:
    """Return an error about a value that cannot be written with the path to it."""
    if error.code != "unserializable" or "path" in error.facts:
        return error
    for name, value in parts.items():
        if not _writable(values, value):
            return _unserializable(name, value, values)
    return error


def _unserializable(name: str, value: object, values: SerdeValues) -> Invalid:
    path, inner = name, value
    found = True
    while found:
        found = False
        for step, child in _children(inner):
            if not _writable(values, child):
                path, inner, found = path + step, child, True
                break
    kind = type(inner).__qualname__
    message = (
        f"{path} is a {kind}, which the serializer cannot write: keep something plain there, or "
        "give the saver a serializer that knows the type"
    )
    return Invalid(message, code="unserializable", path=path, type=kind)


def _writable(values: SerdeValues, value: object) -> bool:
    try:
        values.dumps(values.prepared(value))
    except Invalid:
        return False
    return True


def _children(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, item in cast("Mapping[object, object]", value).items():
            yield f".{key}", item
    elif isinstance(value, list | tuple | set | frozenset):
        for place, item in enumerate(cast("Collection[object]", value)):
            yield f"[{place}]", item
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield f".{field.name}", getattr(value, field.name)
    elif hasattr(value, "__dict__"):
        for name, item in vars(value).items():
            yield f".{name}", item
