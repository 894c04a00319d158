"""A query as SQL: which rows, in which order, between which cursors.

`Query.matches`, `Query.within` and `Order` say what is meant; this is the translation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Final

from ...domain.cursor import Cursor, Rank, rank
from ...domain.errors import Invalid
from ...domain.limits import MAX_INT64, MIN_INT64
from ...domain.query import LABEL, Condition, Query
from . import labels
from .conditions import UPDATED, condition_sql, is_float, label_code, one_of_names
from .fragments import ALWAYS, NEVER, Bound, Name, Sql, gathered, joined
from .paths import index_for
from .ways import Along

HEADER: Final = (
    f"space, kind, id, version, created_at, {UPDATED}, expires_at, session_id, thread_id, seal, "
    "labels"
)
"""The columns of a record but its body."""

UNINDEXED: Final = Sql("record not indexed")
"""The table of records for a statement that names its rows."""


def table(index: str | None) -> Sql:
    """Return what stands behind `from` for the ordinary records, found along an index."""
    return Sql(f"record indexed by {index}" if index else "record")


@cache
def point(*, bodies: bool) -> str:
    """Return the statement that reads one live record by space, id, kind and the present time."""
    found = Sql("space = ? and id = ? and kind = ? and coalesce(expires_at > ?, 1)")
    return chosen(_columns_read(bodies=bodies), table("record_key"), found).text


@cache
def named(*, bodies: bool) -> str:
    """Return the statement that reads all live records of a space and an id, by the time now."""
    found = Sql("space = ? and id = ? and coalesce(expires_at > ?, 1)")
    return chosen(_columns_read(bodies=bodies), table("record_key"), found).text


def places(query: Query, now: int, *, along: Along | None = None) -> Sql:
    """Return the statement that walks an index of the query's order through the answer.

    It tells what is sorted by, id, kind, space and row; those of one moment in any order. `along`
    is another index than the usual one.
    """
    field = query.order.field
    columns = Sql(f"{field}, id, kind, space, row")
    order = Sql(f"order by {field}{_direction(query)}")
    return chosen(columns, *_found(query, now, along), order)


def page(query: Query, now: int, *, along: Along | None = None) -> Sql:
    """Return the statement that reads records along an index of the query's order.

    The limit comes last; those of one moment come in any order.
    """
    if along is not None or not _is_plain(query):
        return _page(query, now, along)
    # Programs ask the same again and again: only the time is another one.
    text, values = _plain_page(query)
    return Sql(text, tuple([now if value is _NOW else value for value in values]))


def _page(query: Query, now: int, along: Along | None) -> Sql:
    columns = _columns_read(bodies=query.bodies)
    order = Sql(f"order by {query.order.field}{_direction(query)} limit ?")
    return chosen(columns, *_found(query, now, along), order)


class _Now(int):
    """Stands for the time in a statement that is remembered."""


_NOW: Final = _Now()


def _is_plain(query: Query) -> bool:
    """Tell whether a query compares with texts alone: two of these that are equal mean the same."""
    if query.after is not None or query.until is not None:
        return False
    for part in query.where:
        if type(part) is not Condition or not (part.value is None or type(part.value) is str):
            return False
    return True


@lru_cache(maxsize=512)
def _plain_page(query: Query) -> Sql:
    return _page(query, _NOW, None)


def sorted_rows(query: Query, now: int, *, lean: Sql | None, alongs: Sequence[Along] = ()) -> Sql:
    """Return the statement that lists row numbers of the answer in order; the limit comes last.

    `lean` is the table of lean rows, where some may be among the answer. `alongs` are the stretches
    of an index that hold it, if a declared one does.
    """
    order = [column for column in _columns(query) if column.text != "?"]
    columns = joined_columns((Sql("row"), *order))
    found = answering(query, now)
    usual = table(index_for(query, ordered=lean is None))
    parts = [chosen(columns, usual, found)] if not alongs else []
    for number, along in enumerate(alongs):
        parts += [Sql("union all")] if number else []
        parts.append(chosen(columns, *_found(query, now, along)))
    if lean is not None:
        parts += [Sql("union all"), chosen(columns, lean, found)]
    word = _direction(query)
    listed = ", ".join(f"{number}{word}" for number in range(2, len(order) + 2))
    parts.append(Sql(f"order by {listed} limit ?"))
    return Sql(" ".join(part.text for part in parts), gathered(parts))


def by_label(query: Query, now: int, along: Along) -> Sql:
    """Return the statement that lists rows, codes and ids of a stretch in the index's order.

    Those of one code by id; the limit comes last.
    """
    code = label_code(query.order.field[len(LABEL) :])
    columns = joined_columns((Sql("row"), code, Sql("id")))
    word = _direction(query)
    order = Sql(f"order by {code.text}{word}, id{word} limit ?")
    return chosen(columns, *_found(query, now, along), order)


def by_rows(query: Query, now: int, source: Sql, *rows: Sql) -> Sql:
    """Return the statement that reads `rows` (a condition, if `source` has others) that match."""
    columns = _columns_read(bodies=query.bodies)
    return chosen(columns, source, joined((matching(query, now), *rows), "and"))


def _found(query: Query, now: int, along: Along | None) -> tuple[Sql, Sql]:
    """Return the table and the condition of an answer, along an index."""
    found = answering(query, now)
    if along is None:
        return table(index_for(query, ordered=True)), found
    return table(along.index_name), joined((found, along.condition), "and")


def joined_columns(columns: Sequence[Sql]) -> Sql:
    """Return a list of columns."""
    return Sql(", ".join(column.text for column in columns), gathered(columns))


def chosen(columns: Sql, source: Sql, condition: Sql, *rest: Sql) -> Sql:
    """Return a statement: every word of it is ours, all values bound."""
    text = f"select {columns.text} from {source.text} where {condition.text}"  # noqa: S608
    parts = (columns, source, condition, *rest)
    return Sql(" ".join((text, *(part.text for part in rest))), gathered(parts))


def _columns_read(*, bodies: bool) -> Sql:
    return Sql(f"{HEADER}, {'body' if bodies else 'null'}, row")


def _direction(query: Query) -> str:
    return " desc" if query.order.descending else ""


def matching(query: Query, now: int) -> Sql:
    """Return the SQL of `query.matches`: what belongs to the answer at `now`, cursors aside."""
    parts: list[Sql] = []
    for column in ("session_id", "thread_id", "space"):
        value = getattr(query, column)
        if value is not None:
            parts.append(Sql(f"{column} = ?", (Name(value),)))
    if query.kinds:
        parts.append(one_of_names("kind", tuple(dict.fromkeys(query.kinds))))
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


def _columns(query: Query) -> tuple[Sql, ...]:
    """Return what the answer is sorted by; what all of it has in common is a bound text."""
    field = query.order.field
    if field == "id":
        return _name(query)
    if field == "updated_at":
        return Sql(UPDATED), *_name(query)
    if not field.startswith(LABEL):
        return Sql(field), *_name(query)
    code = label_code(field[len(LABEL) :])
    return _label_rank(code), _label_value(code), *_name(query)


def _name(query: Query) -> tuple[Sql, Sql, Sql]:
    """Return id, kind and space, which sort as texts and not as the numbers they stand as."""
    kind = query.kinds[0] if len(query.kinds) == 1 else None
    return Sql("id"), _text_of("kind", kind), _text_of("space", query.space)


def _text_of(column: str, common: str | None) -> Sql:
    if common is not None:
        return Sql("?", (common,))
    return Sql(f"(select text from name where nr = record.{column})")  # noqa: S608


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
