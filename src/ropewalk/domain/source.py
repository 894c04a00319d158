"""`Source`: something foreign to read from, and what comes out of it, as values of our own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias, runtime_checkable

from .change import Commit
from .checkpoint import Checkpoint, PendingWrite
from .history import Entry
from .plain import PlainRecord
from .record import Key, Record
from .session import Interaction, Session
from .thread import Branch, Snapshot, Thread

MAX_EXCERPT: Final = 400
"""Longest excerpt of a problem, in characters."""

MAX_PROBLEMS: Final = 1_000
"""Most problems that an inventory lists."""

Entity: TypeAlias = (
    Session
    | Interaction
    | Thread
    | Branch
    | Snapshot
    | Entry
    | Checkpoint
    | PendingWrite
    | PlainRecord
)
"""What a source can bring: each with its id, its parents and its times already in place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceItem:
    """One thing read from a source, ready to be written as it is.

    `kind` is the kind of its record. `source_id` names it within its kind, is the entity's id, and
    stays the same from run to run. `place` says where it stands: a file relative to the source's
    root, with a line or a row. `digest` is the SHA-256 (hexadecimal) of the raw item: it changes
    when the item does.
    """

    kind: str
    source_id: str
    place: str
    digest: str
    entity: Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """One record of a store of our own, sealed as it is; named as a `SourceItem` is."""

    kind: str
    source_id: str
    place: str
    digest: str
    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something to know about an item that was read: a second use of an id, a reference to nothing.

    `code` is stable and may be counted by; `kind` and `source_id` name the item, if it is one.
    """

    code: str
    place: str
    reason: str
    kind: str | None = None
    source_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that could not be read; everything else goes on.

    `code` is stable and may be counted by. `excerpt` is the beginning of what stands there, at most
    `MAX_EXCERPT` characters; `raw` is the whole of it, as far as it can be had. Where `size` is
    given, that is how many bytes the whole has, and `raw` is the beginning of it.
    """

    code: str
    place: str
    reason: str
    excerpt: str = ""
    raw: bytes | None = field(default=None, repr=False, compare=False)
    size: int | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Something recognised that this source does not bring along: `items` of a known `format`.

    Of a file, `raw` may be the beginning and `size` the number of its bytes.
    """

    format: str
    place: str
    items: int
    reason: str
    raw: bytes | None = field(default=None, repr=False, compare=False)
    size: int | None = field(default=None, repr=False, compare=False)


Item: TypeAlias = SourceItem | SourceRecord

Finding: TypeAlias = Item | Note | Problem | Skipped
"""What reading a source tells: items, and everything a person must know about them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatCount:
    """How much of one format there is: files, items and bytes; `read` tells whether it is read."""

    format: str
    files: int
    items: int
    size: int
    read: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What there is in a source, before any of it is read for good.

    `kinds` counts the items that `read` will try to bring, by kind; `formats` everything that was
    found, by format; `problems` the first of what could not be read already now, at most
    `MAX_PROBLEMS` of `problem_count`.
    """

    place: str
    kinds: Mapping[str, int] = field(default_factory=dict[str, int])
    formats: tuple[FormatCount, ...] = ()
    problems: tuple[Problem, ...] = ()
    problem_count: int = 0


class Source(Protocol):
    """Read a foreign store, which is never changed.

    Both verbs raise `NotFound` where there is no such source, and `Unavailable` where it cannot be
    reached. Damage inside it raises nothing: it is told as a `Problem` of its place.
    """

    async def scan(self) -> Inventory:
        """Count what is there, in bounded memory and without blocking the event loop."""
        ...

    def read(self) -> AsyncIterator[Finding]:
        """Go through everything once, parents before children, in bounded memory.

        The order of the kinds is session, thread (each after the one it was forked from, each
        followed by its branch and snapshot), interaction, history entries, checkpoint, write,
        plain records.
        Reading twice gives the same items with the same ids. May be abandoned at any point.
        """
        ...


@runtime_checkable
class Followable(Source, Protocol):
    """A source that tells what is committed to it, so that a copy can be kept as it is.

    All three raise `Invalid` with the code `unsupported` where the store beneath keeps no feed,
    and `Unavailable` where it cannot be reached.
    """

    async def changed(self, after: int) -> int:
        """Return the number of the newest commit, as soon as it is greater than `after`."""
        ...

    def commits(self, after: int) -> AsyncIterator[Commit]:
        """Go through the commits behind `after`, up to the present, with what they changed here.

        What is not content of the source is left out, and a commit may be left with nothing.
        Raises `NotFound` with the code `trimmed` where some of them were forgotten.
        """
        ...

    async def current(
        self, keys: Sequence[Key], *, bodies: bool = True
    ) -> list[SourceRecord | None]:
        """Return the records of these keys as they are now, `None` where there is none."""
        ...
