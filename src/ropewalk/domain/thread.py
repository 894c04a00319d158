"""`Thread`, `Branch`, `Snapshot`, and where a thread's line comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class ThreadStatus(StrEnum):
    """Where a thread stands."""

    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    ERROR = "error"
    ARCHIVED = "archived"


class BranchStatus(StrEnum):
    """Where a branch stands."""

    ACTIVE = "active"
    MERGED = "merged"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A point on a thread's line: microseconds UTC, then the id of what was written there.

    As a bound it is exclusive: `Position(at, id)` ends right before that entry, and
    `Position(at, id).behind()` right behind it.
    """

    at: int
    id: str

    def behind(self) -> Position:
        """Return the bound right behind this position."""
        return Position(self.at, self.id + "\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """Where a thread leaves its parent: it continues everything before `until`.

    Nothing is copied: reading the thread reads the parent up to there. `checkpoint_id` or
    `message_id` says what the fork was made at, if anything.
    """

    thread_id: str
    until: Position
    checkpoint_id: str | None = None
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch that a rollback took off a thread's line: from `begin` up to before `end`.

    What lies in it is kept, and forks made while it was on the line still see it.
    """

    begin: Position
    end: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """One line of work: a conversation with its checkpoints.

    `root_id` is the oldest ancestor (itself where it has none); `origin` where it was forked.
    `gaps` are the stretches that rollbacks took off the line, oldest first.
    """

    id: str
    session_id: str | None = None
    title: str = ""
    graph_id: str | None = None
    status: ThreadStatus = ThreadStatus.ACTIVE
    root_id: str
    origin: Fork | None = None
    gaps: tuple[Gap, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    created_at: datetime
    updated_at: datetime
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """The name and the fate of a fork: from `source_thread_id`, living on in `thread_id`.

    `checkpoint_id` and `message_id` are what it was made at; either may point to something that
    is not there (imported data does).
    """

    id: str
    name: str
    source_thread_id: str
    thread_id: str
    session_id: str | None = None
    checkpoint_id: str | None = None
    message_id: str | None = None
    status: BranchStatus = BranchStatus.ACTIVE
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    created_at: datetime
    updated_at: datetime
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A named point of a thread to come back to: everything before `until`."""

    id: str
    thread_id: str
    session_id: str | None = None
    name: str
    description: str = ""
    until: Position
    checkpoint_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    created_at: datetime
    version: int = 1


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one thread's own entries, `begin` included and `end` excluded (`None`: open)."""

    thread_id: str
    begin: Position | None = None
    end: Position | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One thread in a family tree, with the branches that were forked from it, oldest first."""

    thread: Thread
    branch: Branch | None = None
    children: tuple[Node, ...] = ()


def visible_segments(thread: Thread, until: Position | None) -> tuple[Segment, ...]:
    """Return the stretches of a thread's own entries that are on its line, oldest first.

    `until` is where a fork left it (`None`: its present end). A rollback counts only where it
    ended at or before that point: what a fork was made from is never taken from it.
    """
    gaps: list[Gap] = []
    for gap in thread.gaps:
        if until is not None and gap.end > until:
            break
        # A rollback to before earlier ones hides them with everything between.
        while gaps and gaps[-1].begin >= gap.begin:
            gaps.pop()
        gaps.append(gap)
    segments: list[Segment] = []
    begin: Position | None = None
    for gap in gaps:
        if begin is None or begin < gap.begin:
            segments.append(Segment(thread.id, begin, gap.begin))
        begin = gap.end
    if until is None or begin is None or begin < until:
        segments.append(Segment(thread.id, begin, until))
    return tuple(segments)
