"""`Lineage`: which stretches of which threads make up a thread's line, and how to read them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from ..domain.change import Check
from ..domain.cursor import Cursor
from ..domain.errors import Corrupt, Invalid
from ..domain.moment import to_micros
from ..domain.page import Page
from ..domain.query import NEWEST_FIRST, OLDEST_FIRST, Condition, cursor_of
from ..domain.thread import Position, Segment, Snapshot, Thread, visible_segments
from ..stores.base import Find, check_page
from ..stores.threads import SnapshotStore
from .manager import missing
from .overlay.view import View

if TYPE_CHECKING:
    from ..domain.query import Order, Query
    from ..domain.record import Key, Record
    from ..stores.base import EntityStore
    from ..stores.threads import ThreadStore
    from .desk import Desk

E = TypeVar("E")

_MOST_MEMBERSHIPS: Final = 4_096
_MOST_LINES: Final = 1_024
_LONGEST_LINE: Final = 16
"""A line of more threads is looked up anew each time: that bounds the memory."""

Mark: TypeAlias = "tuple[int, int, int] | None"
"""Version, creation and last change of a thread's record, `None` where it is gone."""


@dataclass(frozen=True, slots=True)
class Membership:
    """The session that a thread belongs to: so it is wherever a batch with `check` goes through."""

    session_id: str | None
    check: Check


@dataclass(frozen=True, slots=True)
class Line:
    """The stretches of a thread's line: they are these while its threads are as `marks` has them.

    `keys` name the threads, and the one at which the line ends because it is gone.
    """

    keys: tuple[Key, ...]
    marks: tuple[Mark, ...]
    segments: tuple[Segment, ...]


class Lineage:
    """Knows where a thread's line comes from, for everybody who reads along it.

    Costs one read for each fork between a thread and its root.
    """

    def __init__(self, desk: Desk, threads: ThreadStore) -> None:
        """Look threads up in `threads`."""
        self._desk = desk
        self._threads = threads
        self._snapshots = SnapshotStore(desk.backend, desk.sealer, space=desk.space)
        self._memberships: dict[str, Membership] = {}
        self._lines: dict[str, Line] = {}
        # A unit may take a thread back to what it was, and then change it to the same version.
        self._remembers = not isinstance(desk.backend, View)

    async def thread(self, thread_id: str) -> Thread:
        """Return a thread; raise `NotFound` where there is none."""
        found = await self._threads.find(thread_id)
        if found is None:
            raise missing("thread", thread_id, space=self._desk.space)
        return found

    async def find(self, thread_id: str) -> Thread | None:
        """Return a thread, or `None`."""
        return await self._threads.find(thread_id)

    def key(self, thread_id: str) -> Key:
        """Name the record of a thread."""
        return self._threads.key(thread_id)

    async def membership(self, thread_id: str, session_id: str | None) -> Membership:
        """Return the session that something in `thread_id` belongs to, and for how long.

        It may be remembered from an earlier look: whoever writes by it puts `check` into the same
        batch, and where that meets a `Conflict`, has it forgotten (`forget`) and asks again.
        Raises `NotFound` for an unknown thread, and `Invalid` where `session_id` is another one.
        """
        known = self._memberships.get(thread_id)
        if known is None or (session_id is not None and session_id != known.session_id):
            known = await self._look_up(thread_id)
            own = known.session_id
            if session_id is not None and own is not None and session_id != own:
                message = f"thread {thread_id!r} belongs to session {own!r}, not to {session_id!r}"
                raise Invalid(message, code="wrong_session", field="session_id")
        return known

    async def _look_up(self, thread_id: str) -> Membership:
        header = await self._threads.header(thread_id)
        if header is None:
            raise missing("thread", thread_id, space=self._desk.space)
        if len(self._memberships) >= _MOST_MEMBERSHIPS:
            self._memberships.clear()
        check = Check(key=header.key, expect=header.version, made=header.created_at)
        known = self._memberships[thread_id] = Membership(header.session_id, check)
        return known

    def forget(self, thread_id: str) -> None:
        """Look a thread up when it is asked for next."""
        self._memberships.pop(thread_id, None)

    async def ancestors(self, thread_id: str) -> tuple[Thread, ...]:
        """Return the thread and those it was forked from, the root first.

        An ancestor that was deleted ends the line there.
        """
        return await self.up_from(await self.thread(thread_id))

    async def up_from(self, thread: Thread) -> tuple[Thread, ...]:
        """Return a thread that was just read and those it was forked from, the root first."""
        line = [thread]
        seen = {thread.id}
        while (origin := line[-1].origin) is not None:
            if origin.thread_id in seen:
                message = f"thread {thread.id!r} descends from itself; restore it from a backup"
                raise Corrupt(message, code="thread_cycle", thread_id=thread.id)
            parent = await self._threads.find(origin.thread_id)
            if parent is None:
                break
            seen.add(parent.id)
            line.append(parent)
        return tuple(reversed(line))

    async def segments(self, thread_id: str) -> tuple[Segment, ...]:
        """Return the stretches that make up the line of a thread, oldest first.

        They are remembered: while no thread on the line has changed, only their headers are read.
        """
        known = self._lines.get(thread_id)
        if known is not None:
            marks = await self._marks(known.keys)
            if marks == known.marks:
                return known.segments
        line = await self.ancestors(thread_id)
        segments = stretches(line)
        if self._remembers and len(line) <= _LONGEST_LINE:
            if len(self._lines) >= _MOST_LINES:
                self._lines.clear()
            self._lines[thread_id] = self._line(line, segments)
        return segments

    async def _marks(self, keys: tuple[Key, ...]) -> tuple[Mark, ...]:
        found = await self._desk.backend.get(keys, bodies=False)
        return tuple(
            [None if r is None else (r.version, r.created_at, r.updated_at) for r in found]
        )

    def _line(self, line: Sequence[Thread], segments: tuple[Segment, ...]) -> Line:
        keys = [self._threads.key(thread.id) for thread in line]
        marks: list[Mark] = [
            (thread.version, to_micros(thread.created_at), to_micros(thread.updated_at))
            for thread in line
        ]
        origin = line[0].origin
        if origin is not None:
            # The line ends there because that one is gone; it may come back.
            keys.append(self._threads.key(origin.thread_id))
            marks.append(None)
        return Line(tuple(keys), tuple(marks), segments)

    async def forks(self, thread_id: str) -> AsyncIterator[Thread]:
        """Go through the threads that were forked from this one, oldest first."""
        parent = Condition("labels.parent", "eq", thread_id)
        async for thread in self._threads.scan(Find(where=(parent,))):
            yield thread

    async def snapshots(self, thread_id: str) -> AsyncIterator[Snapshot]:
        """Go through the snapshots of a thread, oldest first."""
        async for snapshot in self._snapshots.scan(Find(thread_id=thread_id)):
            yield snapshot


def stretches(line: Sequence[Thread]) -> tuple[Segment, ...]:
    """Return the stretches that make up a line, given its threads from the root down."""
    parts: list[tuple[Segment, ...]] = []
    until: Position | None = None
    for thread in reversed(line):
        parts.append(visible_segments(thread, until))
        until = _reach(thread, until)
    return tuple(segment for part in reversed(parts) for segment in part)


def _reach(thread: Thread, until: Position | None) -> Position | None:
    """Return up to where the parent of `thread` is on the line that reads `thread` to `until`."""
    if thread.origin is None:
        return until
    bounds = [thread.origin.until]
    if until is not None:
        bounds.append(until)
    # A rollback to before the fork hides the end of the parent's stretch as well.
    bounds += [gap.begin for gap in thread.gaps if until is None or gap.end <= until]
    return min(bounds)


def is_on(segments: tuple[Segment, ...], thread_id: str, at: Position) -> bool:
    """Tell whether what was written to `thread_id` at a position is on the line."""
    return any(
        segment.thread_id == thread_id
        and (segment.begin is None or segment.begin <= at)
        and (segment.end is None or at < segment.end)
        for segment in segments
    )


def _bounds(
    segment: Segment, find: Find, order: Order, *, limit: int | None, begin_at: Cursor | None = None
) -> Find:
    """Narrow a search to one stretch, or to what of it lies behind `begin_at` in an order."""
    # Exclusive cursors: `begin` itself belongs to the stretch, so it starts right before it. The
    # smallest kind and space sort first, hence a bare position lies before its entry.
    begin = Cursor(segment.begin.at, segment.begin.id) if segment.begin else None
    end = Cursor(segment.end.at, segment.end.id) if segment.end else None
    after, until = (end, begin) if order.descending else (begin, end)
    return Find(
        kinds=find.kinds,
        session_id=find.session_id,
        thread_id=segment.thread_id,
        where=find.where,
        order=order,
        after=begin_at or after,
        until=until,
        limit=limit,
    )


async def along(
    store: EntityStore[E], segments: tuple[Segment, ...], find: Find
) -> AsyncIterator[E]:
    """Go along a line, oldest or newest first, opening one body at a time."""
    for segment in reversed(segments) if find.order.descending else segments:
        async with aclosing(
            store.pages(_bounds(segment, find, find.order, limit=find.limit))
        ) as pages:
            async for page in pages:
                for record in page:
                    yield await store.open(record)


async def page_along(
    store: EntityStore[E],
    segments: tuple[Segment, ...],
    find: Find,
    *,
    newest_first: bool,
    limit: int,
    cursor: str | None,
) -> Page[E]:
    """Return up to `limit` entities of a line behind `cursor`.

    Costs what is read plus one empty read for each stretch without entries.
    """
    check_page(limit)
    start, after = _decode(cursor, len(segments))
    order = NEWEST_FIRST if newest_first else OLDEST_FIRST
    line = list(enumerate(segments))
    if newest_first:
        line.reverse()
    if start is not None:
        line = line[len(segments) - 1 - start if newest_first else start :]
    items: list[E] = []
    last: tuple[int, Record] | None = None
    for index, segment in line:
        # One more than is wanted: that there is one more is what a cursor says.
        more = limit + 1 - len(items)
        begin_at = after if index == start else None
        rest: Query | None = store.query(
            _bounds(segment, find, order, limit=more, begin_at=begin_at)
        )
        while rest is not None:
            portion = await store.portion(rest)
            some, rest = portion.records[: limit - len(items)], portion.rest
            if some:
                items += await store.open_all(some)
                last = index, some[-1]
            if len(portion.records) > len(some) and last is not None:
                return Page(tuple(items), f"{last[0]}.{cursor_of(last[1], order).encode()}")
    return Page(tuple(items))


def _decode(cursor: str | None, count: int) -> tuple[int | None, Cursor | None]:
    if cursor is None:
        return None, None
    index, _, rest = cursor.partition(".")
    if not index.isdecimal() or int(index) >= count:
        message = "this is not a cursor of this thread; pass the one that the last page returned"
        raise Invalid(message, code="bad_cursor", field="cursor")
    return int(index), Cursor.decode(rest)
