"""`Lineage`: which stretches of which threads make up a thread's line, and how to read them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from ..domain.change import Check
from ..domain.cursor import Cursor
from ..domain.errors import Corrupt, Invalid
from ..domain.page import Page
from ..domain.query import NEWEST_FIRST, OLDEST_FIRST, Condition, cursor_of
from ..domain.thread import Position, Segment, Snapshot, Thread, visible_segments
from ..stores.base import Find, check_page
from ..stores.threads import SnapshotStore
from .manager import missing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ..domain.record import Key, Record
    from ..stores.base import EntityStore
    from ..stores.threads import ThreadStore
    from .desk import Desk

E = TypeVar("E")

_MOST_MEMBERSHIPS: Final = 4_096


@dataclass(frozen=True, slots=True)
class Membership:
    """The session that a thread belongs to: so it is wherever a batch with `check` goes through."""

    session_id: str | None
    check: Check


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
        """Return the stretches that make up the line of a thread, oldest first."""
        return stretches(await self.ancestors(thread_id))

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


def _bounds(segment: Segment, find: Find) -> Find:
    """Narrow a search to one stretch, in the direction of its order."""
    # Exclusive cursors: `begin` itself belongs to the stretch, so it starts right before it. The
    # smallest kind and space sort first, hence a bare position lies before its entry.
    begin = Cursor(segment.begin.at, segment.begin.id) if segment.begin else None
    end = Cursor(segment.end.at, segment.end.id) if segment.end else None
    after, until = (end, begin) if find.order.descending else (begin, end)
    return replace(find, thread_id=segment.thread_id, after=after, until=until)


async def along(
    store: EntityStore[E], segments: tuple[Segment, ...], find: Find
) -> AsyncIterator[E]:
    """Go along a line, oldest or newest first, opening one body at a time."""
    async with aclosing(_pages(store, segments, find)) as pages:
        async for _, page in pages:
            for record in page:
                yield await store.open(record)


async def _pages(
    store: EntityStore[E], segments: tuple[Segment, ...], find: Find, *, start: int | None = None
) -> AsyncGenerator[tuple[int, Sequence[Record]]]:
    order = range(len(segments))
    for index in reversed(order) if find.order.descending else order:
        if start is not None and (index > start if find.order.descending else index < start):
            continue
        bounds = _bounds(segments[index], find)
        if index == start:
            bounds = replace(bounds, after=find.after)
        async with aclosing(store.pages(bounds)) as pages:
            async for page in pages:
                yield index, page


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
    find = replace(find, order=order, after=after, limit=limit + 1)
    items: list[E] = []
    last: tuple[int, Record] | None = None
    async with aclosing(_pages(store, segments, find, start=start)) as pages:
        async for index, page in pages:
            for record in page:
                if len(items) == limit and last is not None:
                    place = f"{last[0]}.{cursor_of(last[1], order).encode()}"
                    return Page(tuple(items), place)
                items.append(await store.open(record))
                last = index, record
    return Page(tuple(items))


def _decode(cursor: str | None, count: int) -> tuple[int | None, Cursor | None]:
    if cursor is None:
        return None, None
    index, _, rest = cursor.partition(".")
    if not index.isdecimal() or int(index) >= count:
        message = "this is not a cursor of this thread; pass the one that the last page returned"
        raise Invalid(message, code="bad_cursor", field="cursor")
    return int(index), Cursor.decode(rest)
