"""A page read in one go: along the index straight to the records, where nothing is in the way."""

from __future__ import annotations

from typing import Final

import apsw

from ...domain.errors import Corrupt
from ...domain.query import Query
from ...domain.record import Record
from . import select
from .connection import Connection
from .fragments import bound
from .rows import records_of
from .ways import Along

PAGE_BYTES: Final = 8 * 1024 * 1024
"""What is read at once ends early when its bodies are bigger than this: memory stays bounded."""

_ID, _CREATED, _BODY = 2, 4, 11
"""Where these stand in a row."""

DAMAGE: Final = (apsw.CorruptError, UnicodeDecodeError, Corrupt)


def page(
    connection: Connection, query: Query, *, now: int, count: int, along: Along | None = None
) -> tuple[list[Record], bool] | None:
    """Return up to `count` records of a query that one index answers, and whether none follow.

    The query is in the order of that index, by `id` or by `created_at`; `along` is a declared one.
    Returns `None` where the page must be put together more carefully: at damage, where bodies are
    big, and where it would end among records of one moment, which the index has in any order.
    """
    statement = select.page(query, now, along=along)
    values = (*bound(statement.values, connection.names), count + 1)
    try:
        rows = connection.some(
            connection.indexes.suited(statement.text), values, column=_BODY, most=PAGE_BYTES
        )
        if rows is None:
            return None
        column = _ID if query.order.field == "id" else _CREATED
        firsts = [row[column] for row in rows]
        last = len(rows) <= count
        if not last:
            if firsts[-1] == firsts[-2]:
                return None
            # It has told that more follow: nobody needs its record.
            del rows[-1], firsts[-1]
        records = records_of(rows, connection.names)
    except DAMAGE:
        return None
    if len(set(firsts)) < len(firsts):
        records.sort(key=lambda record: query.cursor(record).key, reverse=query.order.descending)
    return records, last
