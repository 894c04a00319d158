"""What a batch expects beside versions: labels of a record, and lists that come out the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from ...domain.change import Check
from ...domain.effect import Stamp
from ...domain.query import Query
from ...domain.record import Record
from ...domain.seen import Counted, Seen
from ...domain.tally import Tally
from . import paths, points, read, tallies
from .connection import Connection

_AT_ONCE: Final = 256


def labelled(connection: Connection, check: Check, stamp: Stamp, now: int) -> Stamp:
    """Return what decides about a check of labels: the stamp of its record, with them."""
    (record,) = points.records_by_key(connection, (check.key,), now=now, bodies=False)
    return stamp if record is None else stamp._replace(labels=record.labels)


def check_seen(connection: Connection, seen: Sequence[Seen | Counted], now: int) -> None:
    """Raise `Conflict` unless every list and tally comes out as it was seen."""
    for part in seen:
        if isinstance(part, Seen):
            part.check(_answer(connection, part.again, now))
        else:
            part.check(_tally(connection, part, now))


def _tally(connection: Connection, part: Counted, now: int) -> list[Tally]:
    return tallies.tally(connection, part.query, part.sums, part.group_by, now=now)


def _answer(connection: Connection, query: Query, now: int) -> Iterator[Record]:
    """Go through the present answer of a query, all of this moment."""
    stretch = None
    if paths.is_walked(query):
        stretch = read.first_page(connection, query, now=now, count=_AT_ONCE)
    if stretch is None:
        yield from _sorted(connection, query, now)
        return
    while True:
        yield from stretch.records
        if stretch.last:
            return
        query = replace(query, after=query.cursor(stretch.records[-1]))
        stretch = read.next_page(connection, query, now=now, count=_AT_ONCE)


def _sorted(connection: Connection, query: Query, now: int) -> Iterator[Record]:
    # Nothing can come between here: all of it is read in the batch's own transaction.
    rows = read.sorted_rows(connection, query, now=now, at_once=query.limit or 0)
    position = 0
    while position < len(rows):
        some = rows[position : position + _AT_ONCE]
        stretch = read.next_rows(connection, query, some, now=now)
        yield from stretch.records
        position += stretch.steps
