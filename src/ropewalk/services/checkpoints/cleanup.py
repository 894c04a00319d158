"""Which checkpoints a cleanup keeps, and the reason for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ...stores.base import has_metadata

if TYPE_CHECKING:
    from datetime import datetime

    from ...domain.checkpoint import CheckpointHeader, CleanupPolicy

NEEDED: Final = "a later checkpoint needs what was written here"

_SIGNALS: Final = ("__", "branch:")
"""How the channels begin whose values pass with a step: nothing is ever restored from them."""

_MARK: Final = "~"
"""What the key of a channel begins with, doubled, where the channel's own name does."""


@dataclass(frozen=True, slots=True)
class Keep:
    """A policy, with what it has to know of the thread at this moment.

    `held` are the checkpoints that something else stands on, each with the reason.
    """

    policy: CleanupPolicy
    held: Mapping[str, str]
    now: datetime


def judge(keep: Keep, header: CheckpointHeader, rank: int | None) -> str | None:
    """Return why the checkpoint stays, or `None`.

    `rank` counts its namespace from 0, the newest; `None` where a rollback took it off the line.
    """
    if rank == 0:
        return "newest" if not header.namespace else f"newest of {header.namespace!r}"
    if header.id in keep.held:
        return keep.held[header.id]
    if header.pinned:
        return "pinned"
    if header.tags:
        return f"tagged {', '.join(header.tags)}"
    return _ruled(keep, header, rank)


def _ruled(keep: Keep, header: CheckpointHeader, rank: int | None) -> str | None:
    policy = keep.policy
    if policy.keep_last is not None and rank is not None and rank < policy.keep_last:
        return f"one of the last {policy.keep_last}"
    if policy.keep_for is not None and keep.now - header.created_at < policy.keep_for:
        return f"younger than {policy.keep_for}"
    if policy.keep_where and has_metadata(header.metadata, policy.keep_where):
        return "its metadata says so"
    return None


@dataclass(frozen=True, slots=True)
class Step:
    """What is known of a checkpoint without its state: its parent, its keys, what was written.

    `named` are the names that its metadata tells something about, `seeds` those of its channels
    whose value is what later ones begin with.
    """

    parent_id: str | None
    keys: AbstractSet[str]
    written: AbstractSet[str]
    named: AbstractSet[str]
    seeds: AbstractSet[str] = frozenset()

    def holds(self, channel: str) -> bool:
        """Tell whether the state has a value for a channel."""
        return (_MARK + channel if channel.startswith(_MARK) else channel) in self.keys


def names_in(metadata: Mapping[str, object]) -> set[str]:
    """Return the keys of the dictionaries in metadata."""
    found: set[str] = set()
    for value in metadata.values():
        if isinstance(value, dict):
            found.update(str(key) for key in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return found


def ancestors_needed(steps: Mapping[str, Step], survivors: Iterable[str]) -> set[str]:
    """Return the checkpoints without which a survivor would not be what it is.

    A state that has no value for a channel gets it from the nearest ancestor that has one, and
    from what was written since: all from there on are needed.
    """
    needed: set[str] = set()
    for id_ in survivors:
        needed.update(_line_needed(steps, id_))
    return needed


def _line_needed(steps: Mapping[str, Step], id_: str) -> list[str]:
    own = steps[id_]
    line: list[str] = []
    last = 0
    started = {name for name in own.named if not own.holds(name)}
    closed: set[str] = set()
    walked = {id_}
    here = own.parent_id
    while here is not None and here in steps and here not in walked:
        walked.add(here)
        line.append(here)
        step = steps[here]
        new = {name for name in step.written if not own.holds(name) and not _passes(name)}
        if new - closed:
            started |= new
            last = len(line)
        for name in (started | step.seeds) - closed:
            if step.holds(name) and not own.holds(name):
                closed.add(name)
                last = len(line)
        here = step.parent_id
    return line[:last]


def lacking(steps: Mapping[str, Step], survivors: Iterable[str]) -> set[str]:
    """Return the keys that one of the checkpoints has and a survivor has not."""
    every = {key for step in steps.values() for key in step.keys if not _is_inner(key)}
    return {key for id_ in survivors for key in every - steps[id_].keys if not _passes(key)}


def channel_of(key: str) -> str:
    """Return the name of the channel that stands under a key."""
    return key.removeprefix(_MARK)


def _is_inner(key: str) -> bool:
    """Tell whether a key is of no channel."""
    return key.startswith(_MARK) and not key.startswith(_MARK * 2)


def _passes(channel: str) -> bool:
    return channel.startswith(_SIGNALS)
