"""The line of a thread, newest first: what was said and done on it, and the checkpoints between."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from ...domain.checkpoint import CheckpointHeader
from ...domain.history import Entry
from ...domain.moment import from_micros, to_micros
from ...domain.thread import Position, Segment
from ...services.lineage import is_on

if TYPE_CHECKING:
    from ...services.storage import Storage
    from .refs import Place

Item: TypeAlias = Entry | CheckpointHeader
Stream: TypeAlias = AsyncGenerator[Item, None]

_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class _Step:
    """Something on a line; `rank` sorts by the stretch it is on, then by position."""

    item: Item
    rank: tuple[int, Position]


async def walk(storage: Storage, place: Place) -> AsyncIterator[Item]:
    """Go back along a line from a place: entries and checkpoints, in one order."""
    segments = await storage.threads.segments(place.thread_id)
    async with AsyncExitStack() as stack:
        waiting: dict[Stream, _Step] = {}
        for stream in (_entries(storage, place), _checkpoints(storage, place)):
            await stack.enter_async_context(aclosing(stream))
            await _refill(waiting, stream, segments, place)
        while waiting:
            newest = max(waiting, key=lambda stream: waiting[stream].rank)
            yield waiting.pop(newest).item
            await _refill(waiting, newest, segments, place)


async def _refill(
    waiting: dict[Stream, _Step], stream: Stream, segments: Sequence[Segment], place: Place
) -> None:
    """Take the next thing before the place from a stream, if there is one."""
    async for item in stream:
        at = Position(to_micros(item.created_at), item.id)
        if place.until is None or at < place.until:
            thread = item.thread_id or ""
            on = [i for i, part in enumerate(segments) if is_on((part,), thread, at)]
            waiting[stream] = _Step(item, (max(on, default=-1), at))
            return


async def _entries(storage: Storage, place: Place) -> Stream:
    rows = cast(
        "AsyncGenerator[Entry, None]",
        storage.history.stream(
            thread_id=place.thread_id, until=_behind(place.until), newest_first=True
        ),
    )
    async with aclosing(rows):
        async for entry in rows:
            yield entry


async def _checkpoints(storage: Storage, place: Place) -> Stream:
    cursor: str | None = None
    while True:
        page = await storage.checkpoints.list(place.thread_id, limit=_PAGE, cursor=cursor)
        for header in page:
            yield header
        if page.cursor is None:
            return
        cursor = page.cursor


def _behind(until: Position | None) -> datetime | None:
    """Return the first moment behind a position; `None` where there is none to name."""
    if until is None:
        return None
    try:
        return from_micros(until.at) + timedelta(microseconds=1)
    except OverflowError:
        return None
