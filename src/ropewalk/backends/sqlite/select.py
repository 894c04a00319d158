"""A query as SQL: which rows, in which order, between which cursors.

`Query.matches`, `Query.within` and `Order` say what is meant; this is the translation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from ...domain.cursor import Cursor, Rank, rank
from ...domain.errors import Invalid
from ...domain.limits import MAX_INT64, MIN_INT64
from ...domain.query import LABEL, Query
from . import labels
from .conditions import condition_sql, is_float, label_code, one_of
from .fragments import ALWAYS, NEVER, Bound, Sql, gathered, joined
from .paths import index_for

HEADER: Final = (
    "space, kind, id, version, created_at, updated_at, expires_at, session_id, thread_id, seal, "
    "labels"
)
"""The columns of a record but its body."""

_NAME: Final = (Sql("id"), Sql("kind"), Sql("space"))


def point(*, bodies: bool) -> str:
    """Return the statement that reads one live record by space, id, kind and the present time."""
    found = Sql("space = ? and id = ? and kind = ? and coalesce(expires_at > ?, 1)")
    return chosen(_columns_read(bodies=bodies), found).text


def page(query: Query, now: int, *, count: int) -> Sql:
    """Return the statement that reads the next `count` records of the answer, in order."""
    columns = _columns_read(bodies=query.bodies)
    return _in_order(columns, query, now, Sql("limit ?", (count,)))


def places(query: Query, now: int, *, count: int) -> Sql:
    """Return the statement that finds the next `count` rows of the answer, and what sorts them."""
    columns = Sql("created_at, id, kind, space, row")
    return _in_order(columns, query, now, Sql("limit ?", (count,)))


def sorted_rows(query: Query, now: int) -> Sql:
    """Return the statement that lists row numbers of the answer in order; the limit comes last."""
    return _in_order(Sql("row"), query, now, Sql("limit ?"))


def by_row(query: Query, now: int) -> Sql:
    """Return the statement that reads a row if it still matches; the row number is bound last."""
    found = matching(query, now)
    return chosen(_columns_read(bodies=query.bodies), found, Sql("and row = ?"))


def chosen(columns: Sql, condition: Sql, *rest: Sql, index: str | None = None) -> Sql:
    """Return a statement on the table of records: every word of it is ours, all values bound."""
    table = f"record indexed by {index}" if index else "record"
    text = f"select {columns.text} from {table} where {condition.text}"  # noqa: S608
    parts = (columns, condition, *rest)
    return Sql(" ".join((text, *(part.text for part in rest))), gathered(parts))


def _in_order(columns: Sql, query: Query, now: int, limit: Sql) -> Sql:
    index = index_for(query, ordered=True)
    return chosen(columns, answering(query, now), _ordering(query), limit, index=index)


def _columns_read(*, bodies: bool) -> Sql:
    return Sql(f"{HEADER}, {'body' if bodies else 'null'}")


def matching(query: Query, now: int) -> Sql:
    """Return the SQL of `query.matches`: what belongs to the answer at `now`, cursors aside."""
    parts: list[Sql] = []
    for column in ("session_id", "thread_id", "space"):
        value = getattr(query, column)
        if value is not None:
            parts.append(Sql(f"{column} = ?", (value,)))
    if query.kinds:
        # Without a space no index leads to a kind, and to the order of the index it is a column
        # like others, not a constant: the plus says so.
        kind = Sql("kind" if query.space is not None else "+kind")
        parts.append(one_of(kind, tuple(dict.fromkeys(query.kinds))))
    if not query.expired:
        parts.append(Sql("coalesce(expires_at > ?, 1)", (now,)))
    parts += [condition_sql(condition) for condition in query.where]
    return joined(parts, "and") if parts else ALWAYS


def within(query: Query) -> Sql:
    """Return the SQL of `query.within`: what lies strictly between the cursors."""
    forward, backward = ("<", ">") if query.order.descending else (">", "<")
    parts = [
        _beyond(query, cursor, sign)
        for cursor, sign in ((query.after, forward), (query.until, backward))
        if cursor is not None
    ]
    return joined(parts, "and") if parts else ALWAYS


def answering(query: Query, now: int) -> Sql:
    """Return the SQL of what belongs to the answer and lies between the cursors."""
    return joined((matching(query, now), within(query)), "and")


def _ordering(query: Query) -> Sql:
    """Return what stands behind `order by`."""
    word = " desc" if query.order.descending else ""
    columns = _columns(query)
    listed = ", ".join(column.text + word for column in columns)
    return Sql(f"order by {listed}", gathered(columns))


def _columns(query: Query) -> tuple[Sql, ...]:
    field = query.order.field
    if field == "id":
        return _NAME
    if not field.startswith(LABEL):
        return Sql(field), *_NAME
    code = label_code(field[len(LABEL) :])
    return _label_rank(code), _label_value(code), *_NAME


def _label_rank(code: Sql) -> Sql:
    """Return the `Rank` of a label: absent, bool, number or text."""
    text = (
        f"case when {code.text} is null then {Rank.ABSENT:d} "
        f"when typeof({code.text}) = 'integer' then {Rank.NUMBER:d} "
        f"when {code.text} < ? then {Rank.BOOL:d} "
        f"when {code.text} < ? then {Rank.NUMBER:d} else {Rank.TEXT:d} end"
    )
    values = (*code.values * 3, labels.FLOAT, *code.values, labels.FLOAT_END)
    return Sql(text, values)


def _label_value(code: Sql) -> Sql:
    """Return what sorts a label among others of its rank."""
    floating = is_float(code)
    return Sql(
        f"case when {code.text} is null then 0 "
        f"when {floating.text} then label_float({code.text}) else {code.text} end",
        (*code.values, *floating.values, *code.values, *code.values),
    )


def _beyond(query: Query, cursor: Cursor, sign: str) -> Sql:
    """Return whether a row lies on one side of a cursor, in the sense of the query's order."""
    field, columns = query.order.field, _columns(query)
    name: tuple[Bound, ...] = (cursor.id, cursor.kind, cursor.space)
    if field.startswith(LABEL):
        return _compared(columns, (*labels.sort_value(cursor.value), *name), sign)
    kind, value = rank(cursor.value)
    mine = Rank.TEXT if field == "id" else Rank.NUMBER
    if kind is not mine:
        # Every row is of one type, and all of one type sort before or behind all of another.
        return ALWAYS if (mine > kind) == (sign == ">") else NEVER
    if field != "id":
        return _compared(columns, (value, *name), sign)
    if value == cursor.id:
        return _compared(columns, name, sign)
    return _compared((Sql("id"), *columns), (value, *name), sign)


def _compared(columns: Sequence[Sql], values: Sequence[Bound], sign: str) -> Sql:
    left = ", ".join(column.text for column in columns)
    right = ", ".join("?" * len(values))
    bound = tuple(_bindable(value) for value in values)
    return Sql(f"({left}) {sign} ({right})", (*gathered(columns), *bound))


def _bindable(value: Bound) -> Bound:
    """Return a part of a cursor as SQLite takes it; raise `Invalid` for a broken text."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            message = "the cursor holds a lone surrogate; pass one that a page returned"
            raise Invalid(message, code="bad_cursor", field="cursor") from error
    elif isinstance(value, int) and not MIN_INT64 <= value <= MAX_INT64:
        # No row holds such a number, so what counts is only on which side of it all rows are.
        return math.inf if value > 0 else -math.inf
    return value
