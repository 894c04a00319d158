"""Reading: records by key, pages of a scan, and rows of a scan that was sorted beforehand."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Final, cast

import apsw

from ...domain.errors import Corrupt
from ...domain.query import Query
from ...domain.record import Key, Record
from . import select
from .connection import Connection, Row
from .fragments import Sql
from .paths import spreads
from .rows import record_of

PAGE_BYTES: Final = 8 * 1024 * 1024
"""What is read at once ends early when its bodies are bigger than this: memory stays bounded."""

_DAMAGE: Final = (apsw.CorruptError, UnicodeDecodeError, Corrupt)

_MOST_KINDS: Final = 64
"""With more kinds, following all records of the store by time costs less than merging."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some records of a scan, in order.

    `steps` is how many rows were looked at for them: a row may be gone meanwhile. `last` says
    that no more can follow.
    """

    records: tuple[Record, ...]
    steps: int
    last: bool


def records_by_key(
    connection: Connection, keys: Sequence[Key], *, now: int, bodies: bool
) -> list[Record | None]:
    """Return the records of `keys` that are live at `now`, `None` where absent."""
    statement = select.point(bodies=bodies)
    found: list[Record | None] = []
    for key in keys:
        try:
            rows = connection.rows(statement, (key.space, key.id, key.kind, now))
        except apsw.CorruptError as error:
            message = f"{key} lies in a damaged part of the file ({error}); restore a backup"
            raise Corrupt(message, code="damaged_file", key=key) from error
        found.append(record_of(rows[0]) if rows else None)
    return found


def next_page(connection: Connection, query: Query, *, now: int, count: int) -> Stretch:
    """Return up to `count` records of the answer behind `query.after`."""
    if spreads(query):
        # Before damage in the index, the slower way below hands out what can be read.
        with suppress(*_DAMAGE):
            kinds = query.kinds or _kinds_of(connection, query.space or "")
            if len(kinds) <= _MOST_KINDS:
                return _merged(connection, query, kinds, now=now, count=count)
    records, full = _records(connection, select.page(query, now, count=count))
    return Stretch(tuple(records), len(records), last=not full and len(records) < count)


def _merged(
    connection: Connection, query: Query, kinds: Sequence[str], *, now: int, count: int
) -> Stretch:
    """Return the next records of several kinds, of which each has its own place in the index.

    Costs a look at `count` entries of each kind, however many records the space has.
    """
    places: list[Row] = []
    for kind in dict.fromkeys(kinds):
        statement = select.places(replace(query, kinds=(kind,)), now, count=count)
        places += connection.rows(statement.text, statement.values)
    places.sort(reverse=query.order.descending)
    rows = [cast("int", row) for *_, row in places[:count]]
    stretch = next_rows(connection, query, rows, now=now)
    return replace(stretch, last=stretch.steps == len(rows) < count)


def _kinds_of(connection: Connection, space: str) -> list[str]:
    """Return the kinds that a space has, a few more than the most that are merged at least."""
    kinds: list[str] = []
    while len(kinds) <= _MOST_KINDS:
        ((kind,),) = connection.rows(
            "select min(kind) from record indexed by record_kind where space = ? and kind > ?",
            (space, kinds[-1] if kinds else ""),
        )
        if kind is None:
            break
        kinds.append(cast("str", kind))
    return kinds


def sorted_rows(connection: Connection, query: Query, *, now: int, at_once: int) -> array[int]:
    """Return the row numbers of the answer in order: one sort, and 8 bytes a record.

    A limit counts only up to `at_once`, what is read in the same moment: of more, some may be
    gone when their turn comes, and others take their place.
    """
    statement = select.sorted_rows(query, now)
    limited = query.limit is not None and query.limit <= at_once
    values = (*statement.values, query.limit if limited else -1)
    rows = connection.walk(statement.text, values)
    return array("q", (cast("int", row) for (row,) in rows))


def next_rows(connection: Connection, query: Query, rows: Sequence[int], *, now: int) -> Stretch:
    """Return the records of `rows` that are still there and still match."""
    statement = select.by_row(query, now)
    records: list[Record] = []
    size = 0
    for steps, row in enumerate(rows, start=1):
        try:
            found, _ = _records(connection, Sql(statement.text, (*statement.values, row)))
        except _DAMAGE:
            if not records:
                raise
            return Stretch(tuple(records), steps - 1, last=False)
        records += found
        size += sum(len(record.body or b"") for record in found)
        if size > PAGE_BYTES:
            return Stretch(tuple(records), steps, last=False)
    return Stretch(tuple(records), len(rows), last=False)


def _records(connection: Connection, statement: Sql) -> tuple[list[Record], bool]:
    """Return the records of a statement, and whether it was left early.

    It is left where bodies get too big, and before damage: what lies in front of that is handed
    out, and whoever goes on from there meets it first of all.
    """
    records: list[Record] = []
    size = 0
    with closing(connection.walk(statement.text, statement.values)) as rows:
        try:
            for row in rows:
                record = record_of(row)
                records.append(record)
                size += len(record.body or b"")
                if size > PAGE_BYTES:
                    return records, True
        except _DAMAGE:
            if not records:
                raise
            return records, True
    return records, False
