"""Checkpoint blobs: MessagePack with LangGraph's extension types, all read as data.

Source of the extension types: langgraph-checkpoint, `serde/jsonplus.py`, as described by its
constants 0 (constructor, one argument) to 6 (numpy array). The classes that they name are never
imported.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

import ormsgpack

from ...domain.errors import Corrupt
from ...domain.legacy.values import JsonObject, as_object
from ..text import parse

_MAX_EXTENSIONS: Final = 64
"""Deepest nesting of extension types; a state has one or two."""


class Origin(StrEnum):
    """What wrote a row into a checkpoint database."""

    STORE_D = "D"
    """The checkpoint store, state as JSON text in `__root__`."""
    STORE_B = "B"
    """The checkpoint store of autumn 2025, state as a map in `__root__`."""
    STORE_AC = "C"
    """The checkpoint stores before (A) and after (C) that one, state in the channel `state`."""
    ADAPTER = "adapter"
    """The graph adapter: a thread's state as Python objects, time as epoch seconds."""
    NATIVE = "native"
    """A graph that LangGraph ran itself."""
    UNREAD = "unread"
    """A blob that is no MessagePack map: only the metadata may tell."""


STORES: Final = frozenset({Origin.STORE_D, Origin.STORE_B, Origin.STORE_AC, Origin.UNREAD})
"""The origins whose rows are checkpoints of the legacy program."""


def unpack(blob: bytes | None, type: bytes | None) -> JsonObject:
    """Return the map in a blob of a type; raise `Corrupt` where there is none.

    An extension type becomes `{"ext": number, "data": payload}`, the payload decoded in turn where
    it is MessagePack itself. No other type than `msgpack` is opened.
    """
    if type not in (None, b"msgpack"):
        message = f"the checkpoint is of the type {type!r}, which is not read"
        raise Corrupt(message, code="bad_blob")
    try:
        found = as_object(_unpacked(blob or b"", 0))
    except ValueError as error:
        message = f"the checkpoint is no MessagePack: {error}"
        raise Corrupt(message, code="bad_blob") from error
    if found is None:
        message = "the checkpoint is MessagePack, but no map"
        raise Corrupt(message, code="bad_blob")
    return found


def _unpacked(data: bytes, depth: int) -> object:
    def extension(number: int, payload: bytes) -> JsonObject:
        if depth >= _MAX_EXTENSIONS:
            return {"ext": number, "data": payload}
        try:
            return {"ext": number, "data": _unpacked(payload, depth + 1)}
        except ValueError:
            # Not every payload is MessagePack: those of other programs stay bytes.
            return {"ext": number, "data": payload}

    options = ormsgpack.OPT_NON_STR_KEYS
    return cast("object", ormsgpack.unpackb(data, ext_hook=extension, option=options))


def load_metadata(column: bytes | None) -> JsonObject:
    """Return the JSON object of a metadata column; raise `Corrupt` where there is none."""
    if column is None:
        return {}
    try:
        raw = column.decode()
    except UnicodeDecodeError as error:
        message = f"the metadata is no UTF-8: offset {error.start}"
        raise Corrupt(message, code="bad_metadata") from error
    try:
        found = as_object(parse(raw))
    except Corrupt as error:
        message = f"the metadata is {error.message}"
        raise Corrupt(message, code="bad_metadata") from error
    if found is None:
        message = "the metadata is no JSON object"
        raise Corrupt(message, code="bad_metadata")
    return found


def channels(blob: JsonObject) -> JsonObject:
    """Return the channels of a decoded checkpoint."""
    return as_object(blob.get("channel_values")) or {}


def origin_of(blob: JsonObject, column: bytes | None) -> Origin:
    """Tell what wrote a row, by its decoded checkpoint and its metadata column.

    The metadata is looked into only where the checkpoint leaves a doubt.
    """
    values = channels(blob)
    if "__root__" in values and "workflow_id" in values:
        return Origin.STORE_D if isinstance(values["__root__"], str) else Origin.STORE_B
    try:
        metadata = load_metadata(column)
    except Corrupt:
        metadata = {}
    stored = not metadata.keys().isdisjoint({"state_data", "workflow_id"})
    if not stored and {"source", "step"} <= metadata.keys():
        return Origin.NATIVE
    if "__root__" in values:
        return Origin.STORE_D if isinstance(values["__root__"], str) else Origin.STORE_B
    if stored or ("state" in values and isinstance(blob.get("ts"), str)):
        return Origin.STORE_AC
    return Origin.ADAPTER if "state" in values else Origin.NATIVE


@dataclass(frozen=True, slots=True)
class ChannelState:
    """The state that the channels of a checkpoint hold, and what is odd about it, if anything."""

    value: Any
    odd: str | None = None


def channel_state(blob: JsonObject) -> ChannelState | None:
    """Return the state in the channels, or `None` where they have none.

    `__root__` first: a text there is JSON, anything else is the state itself. Then `state`.
    """
    values = channels(blob)
    if "__root__" not in values:
        return ChannelState(values["state"]) if "state" in values else None
    root = values["__root__"]
    if not isinstance(root, str):
        return ChannelState(root)
    try:
        return ChannelState(parse(root))
    except Corrupt as error:
        return ChannelState(root, f"the text in __root__ is {error.message}")
