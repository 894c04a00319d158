"""In the order of a label, along its declared index, as far as anybody wants to read.

The index has integers before all texts, and floats as texts: the answer is put together out of
its stretches, in the order that `Rank` has. Only floats and what is of one code are sorted.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from ...domain.cursor import Rank, rank
from ...domain.errors import Corrupt
from ...domain.limits import MAX_INT64, MIN_INT64
from ...domain.query import LABEL
from . import labels, select
from .conditions import label_code
from .fragments import Sql, bound
from .ways import along, between, integers

if TYPE_CHECKING:
    from ...domain.cursor import Cursor
    from ...domain.query import Query
    from .connection import Connection
    from .declared import Found

_ENDS: Final = {Rank.BOOL: (labels.BOOL, "c"), Rank.TEXT: (labels.TEXT, "u")}
"""Where the codes of a rank begin, and what is greater than all of them."""


class _Listed(NamedTuple):
    """What a row is sorted by among others of its rank, and its number."""

    value: float
    id: str
    row: int


def rows_by_label(
    connection: Connection, query: Query, index: Found, *, now: int, limit: int
) -> Iterator[int]:
    """Go through the row numbers of the answer in order, up to `limit` if that is no -1."""
    ranks = list(Rank)
    if query.order.descending:
        ranks.reverse()
    parts = (
        listed.row
        for kind in ranks
        for listed in _of_rank(connection, query, index, kind, now=now, limit=limit)
    )
    return islice(parts, limit) if limit >= 0 else parts


def _of_rank(
    connection: Connection, query: Query, index: Found, kind: Rank, *, now: int, limit: int
) -> Iterator[_Listed]:
    """Go through what is of one rank and may lie between the cursors."""
    low, high = _bounds(query)
    if (low is not None and rank(low.value)[0] > kind) or (
        high is not None and rank(high.value)[0] < kind
    ):
        return iter(())
    code = label_code(query.order.field[len(LABEL) :])
    least = low.value if low is not None and rank(low.value)[0] is kind else None
    most = high.value if high is not None and rank(high.value)[0] is kind else None
    if kind is Rank.ABSENT:
        return _walk(connection, query, index, Sql(f"{code.text} is null"), now=now, limit=limit)
    if kind is Rank.NUMBER:
        bottom = least if isinstance(least, int | float) else MIN_INT64
        top = most if isinstance(most, int | float) else MAX_INT64
        whole = integers(code, bottom, top)
        floats = between(code, labels.FLOAT, labels.FLOAT_END)
        found = list(_walk(connection, query, index, floats, now=now, limit=-1))
        found.sort(reverse=query.order.descending)
        numbers = _walk(connection, query, index, whole, now=now, limit=limit)
        return merge(numbers, found, reverse=query.order.descending)
    begin, end = _ENDS[kind]
    if least is not None:
        begin = str(labels.encode_value(least))
    if most is not None:
        end = str(labels.encode_value(most)) + "\x01"
    return _walk(connection, query, index, between(code, begin, end), now=now, limit=limit)


def _walk(
    connection: Connection, query: Query, index: Found, stretch: Sql, *, now: int, limit: int
) -> Generator[_Listed]:
    statement = select.by_label(query, now, along(index, stretch))
    values = (*bound(statement.values, connection.names), limit)
    for row, code, id in connection.walk(statement.text, values):
        yield _Listed(_number(code), cast("str", id), cast("int", row))


def _number(code: object) -> float:
    """Return the number behind a code, 0 where it is none: only numbers are merged."""
    if isinstance(code, int):
        return code
    if not isinstance(code, str) or not code.startswith(labels.FLOAT):
        return 0
    try:
        return float(code[1:])
    except ValueError as error:
        message = f"a label holds {code[:40]!r}, which is no float; restore it from a backup"
        raise Corrupt(message, code="bad_labels") from error


def _bounds(query: Query) -> tuple[Cursor | None, Cursor | None]:
    """Return the cursors by size instead of by direction."""
    if query.order.descending:
        return query.until, query.after
    return query.after, query.until
