"""Reading: pages of a scan, and rows of a scan that was sorted beforehand."""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from heapq import merge
from itertools import islice
from typing import Final, TypeAlias, cast

from ...domain.errors import Corrupt
from ...domain.query import Query
from ...domain.record import Record
from . import direct, lean, points, select, sorting
from .connection import Connection
from .direct import DAMAGE, PAGE_BYTES
from .fragments import Sql, bound
from .paths import spreads
from .rows import records_of
from .ways import Along, Way, order_of, way_of

_MOST_KINDS: Final = 64
"""With more kinds, sorting all records of the space costs less than merging."""

_TOGETHER: Final = 64
"""How many rows one statement reads."""

_Place: TypeAlias = tuple[int | str, str, str, str, int]
"""What a row is sorted by, its id, kind and space, and its number."""

_Found: TypeAlias = tuple[int | str, str, int, int, int]
"""The same as it stands in the file."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some records of a scan, in order.

    `steps` is how many rows were looked at for them: a row may be gone meanwhile. `last` says
    that no more can follow.
    """

    records: Sequence[Record]
    steps: int
    last: bool


def first_page(connection: Connection, query: Query, *, now: int, count: int) -> Stretch | None:
    """Return the first page, `None` where not all of the answer lies along the query's index."""
    named = points.one_id(query)
    if named is not None:
        found = points.named_at_once(connection, query, named, now)
        if found is not None:
            return Stretch(found, len(found), last=True)
    if lean.may_answer(connection, query):
        return None
    way = way_of(connection, query)
    if way is not None and not _has_order(way, query):
        return None
    if spreads(query) and len(_kinds_of(connection, query)) > _MOST_KINDS:
        return None
    return next_page(connection, query, now=now, count=count)


def next_page(connection: Connection, query: Query, *, now: int, count: int) -> Stretch:
    """Return up to `count` records of the answer behind `query.after`.

    Costs a look at so many entries of an index, of each kind where the answer has several,
    however many there are behind.
    """
    parts: list[tuple[Query, Along | None]] = [(query, None)]
    way = way_of(connection, query)
    if way is not None and _has_order(way, query):
        parts = [(query, along) for along in way.stretches]
    elif spreads(query):
        kinds = _kinds_of(connection, query)
        parts = [(replace(query, kinds=(kind,)), None) for kind in kinds]
    if len(parts) == 1 and parts[0][0] is query:
        along = parts[0][1]
        found = direct.page(connection, query, now=now, count=count, along=along)
        if found is not None:
            return Stretch(found[0], len(found[0]), found[1])
    rows: list[int] = []
    whole = True
    with ExitStack() as stack:
        walks = [
            stack.enter_context(closing(_walk(connection, part, now=now, along=along)))
            for part, along in parts
        ]
        places = merge(*walks, reverse=query.order.descending) if len(walks) != 1 else walks[0]
        try:
            rows += (place[-1] for place in islice(places, count))
        except DAMAGE:
            # What lies in front of damage is handed out; whoever goes on from there meets it.
            if not rows:
                raise
            whole = False
    stretch = next_rows(connection, query, rows, now=now)
    last = whole and stretch.steps == len(rows) < count
    if not stretch.records and not last:
        # Rows and index are of one moment: only damage makes them disagree.
        message = "an index of the file leads to records that are not there; restore a backup"
        raise Corrupt(message, code="damaged_file")
    return replace(stretch, last=last)


def sorted_rows(connection: Connection, query: Query, *, now: int, at_once: int) -> array[int]:
    """Return the row numbers of the answer in order: one sort, and 8 bytes a record.

    A limit counts only up to `at_once`, what is read in the same moment: of more, some may be
    gone when their turn comes, and others take their place.
    """
    among = lean.source(query) if lean.may_answer(connection, query) else None
    limit = query.limit if query.limit is not None and query.limit <= at_once else -1
    way, order = None, None
    if among is None:
        way, order = way_of(connection, query), order_of(connection, query)
    same = way is None or all(each.index_name == (order and order.name) for each in way.stretches)
    if order is not None and same:
        return array("q", sorting.rows_by_label(connection, query, order, now=now, limit=limit))
    alongs = () if way is None else way.stretches
    statement = select.sorted_rows(query, now, lean=among, alongs=alongs)
    values = (*bound(statement.values, connection.names), limit)
    rows = connection.walk(connection.indexes.suited(statement.text), values)
    return array("q", (cast("int", row[0]) for row in rows))


def next_rows(connection: Connection, query: Query, rows: Sequence[int], *, now: int) -> Stretch:
    """Return the records of `rows` that are still there and still match."""
    records: list[Record] = []
    size = 0
    for start in range(0, len(rows), _TOGETHER):
        some = rows[start : start + _TOGETHER]
        found: dict[int, Record] | None = None
        with suppress(*DAMAGE):
            found = _together(connection, query, some, now=now)
        if found is None:
            # Damage among them, or bodies too big to be read all at once.
            stretch = _one_by_one(connection, query, some, now=now, first=not records)
            return Stretch((*records, *stretch.records), start + stretch.steps, last=False)
        records += [found[row] for row in some if row in found]
        size += sum(len(record.body or b"") for record in found.values())
        if size > PAGE_BYTES:
            return Stretch(tuple(records), start + len(some), last=False)
    return Stretch(tuple(records), len(rows), last=False)


def _walk(
    connection: Connection, query: Query, *, now: int, along: Along | None
) -> Generator[_Place]:
    """Go along an index through the answer; put in order what the index has in none."""
    statement = select.places(query, now, along=along)
    texts = connection.names.texts
    text = connection.indexes.suited(statement.text)
    rows = connection.walk(text, bound(statement.values, connection.names))
    together: list[_Place] = []
    damage: Exception | None = None
    with closing(rows):
        try:
            for first, id, kind, space, row in cast("Iterator[_Found]", rows):
                if together and first != together[0][0]:
                    yield from _in_order(together, query)
                    together = []
                together.append((first, id, texts[kind], texts[space], row))
        except DAMAGE as error:
            damage = error
    yield from _in_order(together, query)
    if damage is not None:
        raise damage


def _has_order(way: Way, query: Query) -> bool:
    """Tell whether a declared index has its part of the answer in the query's order."""
    return way.is_walked and query.order.field == "created_at"


def _in_order(places: list[_Place], query: Query) -> list[_Place]:
    return sorted(places, reverse=query.order.descending) if len(places) > 1 else places


def _kinds_of(connection: Connection, query: Query) -> list[str]:
    """Return the kinds of a query, or else of its space, up to a few more than are merged."""
    if query.kinds:
        return list(dict.fromkeys(query.kinds))
    names = connection.names
    kinds: list[str] = []
    last = 0
    while len(kinds) <= _MOST_KINDS:
        ((kind,),) = connection.rows(
            "select min(kind) from record indexed by record_kind where space = ? and kind > ?",
            (names.number(query.space or ""), last),
        )
        if kind is None:
            break
        last = cast("int", kind)
        kinds.append(names.texts[last])
    return kinds


def _together(
    connection: Connection, query: Query, rows: Sequence[int], *, now: int
) -> dict[int, Record] | None:
    """Return the records of some rows, `None` if they are too big to be read all at once."""
    found: dict[int, Record] = {}
    size = 0
    for statement in _statements(query, rows, now=now):
        walk = connection.walk(statement.text, bound(statement.values, connection.names))
        with closing(walk) as answer:
            for row in answer:
                [record] = records_of((row,), connection.names)
                found[cast("int", row[-1])] = record
                size += len(record.body or b"")
                if size > PAGE_BYTES and len(rows) > 1:
                    return None
    return found


def _statements(query: Query, rows: Sequence[int], *, now: int) -> Iterator[Sql]:
    """Return what reads the ordinary rows, and what reads the lean ones."""
    for among in ([row for row in rows if row > 0], [row for row in rows if row < 0]):
        if not among:
            continue
        # Few lengths make few statements, which then are found in the cache of the connection.
        room = 1 << (len(among) - 1).bit_length()
        numbers = tuple(map(abs, (*among, *[among[-1]] * (room - len(among)))))
        listed = Sql(f"row in ({', '.join('?' * room)})", numbers)
        if among[0] < 0:
            yield select.by_rows(query, now, lean.table(Sql(f"node.{listed.text}", numbers)))
        else:
            yield select.by_rows(query, now, select.UNINDEXED, listed)


def _one_by_one(
    connection: Connection, query: Query, rows: Sequence[int], *, now: int, first: bool
) -> Stretch:
    """Return the records up to where they get too big, or up to damage.

    Raises what is damaged if nothing lies before it, in these rows and (`first`) before them.
    """
    records: list[Record] = []
    size = 0
    for steps, row in enumerate(rows):
        try:
            found = _together(connection, query, (row,), now=now) or {}
        except DAMAGE:
            if first and not records:
                raise
            return Stretch(tuple(records), steps, last=False)
        records += found.values()
        size += sum(len(record.body or b"") for record in found.values())
        if size > PAGE_BYTES:
            return Stretch(tuple(records), steps + 1, last=False)
    return Stretch(tuple(records), len(rows), last=False)
