"""A scan: page after page along an index, or row numbers that are sorted once, in short reads."""

from __future__ import annotations

from array import array
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Final

from ...domain.paging import Portion
from ...domain.query import Query
from ...domain.record import Record
from . import paths, points, read, shapes
from .connection import Connection
from .house import House

_FIRST_STEP: Final = 32
_LONGEST_STEP: Final = 256

_NOTHING: Final = Portion((), None)


async def page(house: House, query: Query, now: int) -> Portion | None:
    """Read the first records of an answer, `None` where not all of it lies along an index."""
    if query.limit == 0:
        return _NOTHING
    named = points.one_id(query)
    express = house.express
    if named is not None and express is not None and express.door.is_open():
        id = named

        # As every load does: a `partial` with names would take three times as long to call.
        def alone(connection: Connection) -> list[Record] | None:
            return points.named_at_once(connection, query, id, now)

        found = express.read_at_once(alone, shape=shapes.ONE)
        if found is not None:
            return Portion(found, None)
    if not paths.is_walked(query):
        return None
    left = query.limit
    # Whoever says how many he wants gets them at once; others may stop after a few.
    most = _FIRST_STEP if left is None and query.after is None else _LONGEST_STEP
    count = most if left is None else min(most, left)
    first = partial(read.first_page, query=query, now=now, count=count)
    stretch = await house.read(house.walks, first, shape=shapes.of_page(query, count))
    if stretch is None:
        return None
    if stretch.last or left == len(stretch.records):
        return Portion(stretch.records, None)
    rest = None if left is None else left - len(stretch.records)
    after = query.cursor(stretch.records[-1])
    return Portion(stretch.records, replace(query, after=after, limit=rest))


async def scan(
    here: Callable[[], House], query: Query, now: Callable[[], int]
) -> AsyncGenerator[Record]:
    """Go through the matching records in the query's order, a page in each short read.

    `here` returns the open house, or raises why there is none: between two pages it may be closed.
    """
    rest: Query | None = query
    while rest is not None:
        portion = await page(here(), rest, now())
        if portion is None:
            break
        for record in portion.records:
            yield record
        rest = portion.rest
    if rest is None:
        return
    left = rest.limit
    async with aclosing(_sorted(here, rest, now())) as found:
        async for records in found:
            for record in records[:left]:
                yield record
            if left is not None and len(records) >= left:
                return
            left = None if left is None else left - len(records)


async def _sorted(
    here: Callable[[], House], query: Query, now: int
) -> AsyncGenerator[Sequence[Record]]:
    """List the rows in order once, then read them a few at a time."""

    def begin(connection: Connection) -> tuple[array[int], read.Stretch]:
        listed = read.sorted_rows(connection, query, now=now, at_once=_LONGEST_STEP)
        first = listed[:_LONGEST_STEP]
        return listed, read.next_rows(connection, query, first, now=now)

    house = here()
    rows, stretch = await house.read(house.walks, begin)
    position = stretch.steps
    yield stretch.records
    while position < len(rows):
        some = rows[position : position + _LONGEST_STEP]
        work = partial(read.next_rows, query=query, rows=some, now=now)
        house = here()
        stretch = await house.read(house.walks, work)
        position += stretch.steps
        yield stretch.records
