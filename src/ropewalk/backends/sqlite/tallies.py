"""Counting and adding up labels in SQL, exactly as `domain.tally.tally_records` means it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

import apsw

from ...domain.cursor import Ranked, rank
from ...domain.errors import Corrupt
from ...domain.labels import Label
from ...domain.query import LABEL, Query
from ...domain.tally import DAY, MICROSECONDS_PER_DAY, Tally
from . import lean
from .conditions import is_float, label_code
from .connection import Connection, Row
from .fragments import Sql, bound, gathered, joined
from .labels import decode_value
from .names import Names
from .paths import index_for
from .select import answering, chosen, joined_columns, table
from .ways import Along, way_of

_OVERFLOW: Final = "abs(-9223372036854775807 - 1)"
"""What SQLite has no answer to (its documentation of `abs`), and gives a statement up for."""

_NAMED: Final = frozenset({"space", "kind", "session_id", "thread_id"})


def statement(
    query: Query,
    sums: Sequence[str],
    group_by: Sequence[str],
    *,
    now: int,
    source: Sql | None = None,
    along: Along | None = None,
    plain: bool = False,
) -> Sql:
    """Return the statement of a tally: the groups' columns, a count, three columns for each sum.

    Integers are added in two halves of 32 bits, so that no sum of theirs overflows; floats by a
    function of ours. A `plain` statement has one column for each sum, and breaks off with
    `apsw.SQLError` at the first label that is no integer, and where a sum overflows. `source` is
    another table than that of ordinary records, `along` a stretch of a declared index.
    """
    found = answering(query, now)
    if along is not None:
        source, found = table(along.index_name), joined((found, along.condition), "and")
    elif source is None:
        source = table(index_for(query, ordered=False))
    codes = [_code(name) for name in (*group_by, *(LABEL + name for name in sums))]
    if not any(code.is_label for code in codes):
        return _counting(codes, source, found)
    # Every mention of a label's code would look for it in the row's labels again. The limit keeps
    # SQLite from writing the inner statement's columns into the outer one.
    listed = [
        Sql(f"{code.sql.text} as c{place}", code.sql.values) for place, code in enumerate(codes)
    ]
    inner = chosen(joined_columns(listed), source, found, Sql("limit -1"))
    named = [Sql(f"c{place}") for place in range(len(codes))]
    groups = [
        _grouped(column) if code.is_label else column
        for column, code in zip(named[: len(group_by)], codes, strict=False)
    ]
    columns = [*groups, Sql("count(*)")]
    for column in named[len(group_by) :]:
        columns += [_whole_sum(column)] if plain else _summed(column)
    outer = joined_columns(columns)
    text = f"select {outer.text} from ({inner.text}){_group_by(len(groups))}"  # noqa: S608
    return Sql(text, gathered((outer, inner)))


def tally(
    connection: Connection,
    query: Query,
    sums: Sequence[str],
    group_by: Sequence[str],
    *,
    now: int,
) -> list[Tally]:
    """Return the groups of what matches between the cursors, sorted, with counts and sums."""
    way = way_of(connection, query)
    alongs = [None] if way is None else way.stretches
    sources: list[tuple[Sql | None, Along | None]] = [(None, along) for along in alongs]
    if lean.may_answer(connection, query):
        sources.append((lean.source(query), None))
    answer: dict[tuple[Ranked, ...], Tally] = {}
    for source, along in sources:
        make = partial(statement, query, sums, group_by, now=now, source=source, along=along)
        rows = _plain_rows(connection, make(plain=True), len(sums)) if sums else None
        if rows is None:
            rows = _rows(connection, make())
        for row in rows:
            found = _tally(row, group_by, len(sums), connection.names)
            place = tuple(rank(value) for value in found.group)
            answer[place] = _together(answer[place], found) if place in answer else found
    return [tally for _, tally in sorted(answer.items(), key=lambda item: item[0])]


def _rows(connection: Connection, select: Sql) -> list[Row]:
    values = bound(select.values, connection.names)
    return connection.rows(connection.indexes.suited(select.text), values)


def _plain_rows(connection: Connection, select: Sql, width: int) -> list[Row] | None:
    """Return the rows of a plain statement as those of the other one, `None` where it will not do.

    Most labels that are added up are whole numbers, and this takes three quarters of the time.
    """
    try:
        rows = _rows(connection, select)
    except apsw.SQLError:
        return None
    wide: list[Row] = []
    for row in rows:
        head, sums = row[: len(row) - width], row[len(row) - width :]
        if not all(total is None or isinstance(total, int) for total in sums):
            return None
        wide.append((*head, *[part for total in sums for part in (0, total, None)]))
    return wide


def _together(one: Tally, other: Tally) -> Tally:
    """Return what two tables have of one group."""
    sums = tuple(a + b for a, b in zip(one.sums, other.sums, strict=True))
    return Tally(one.group, one.count + other.count, sums)


class _Code(NamedTuple):
    """What a group or a sum is made of in a row."""

    sql: Sql
    is_label: bool


def _code(name: str) -> _Code:
    if name == DAY:
        # SQLite divides towards zero; a day is floored.
        day = MICROSECONDS_PER_DAY
        return _Code(Sql(f"created_at / {day} - (created_at % {day} < 0)"), is_label=False)
    if not name.startswith(LABEL):
        return _Code(Sql(name), is_label=False)
    return _Code(label_code(name[len(LABEL) :]), is_label=True)


def _counting(codes: Sequence[_Code], source: Sql, found: Sql) -> Sql:
    """Return the statement of a tally that needs no label: an index may have all of it."""
    columns = joined_columns([*(code.sql for code in codes), Sql("count(*)")])
    return chosen(columns, source, found, Sql(_group_by(len(codes))))


def _group_by(count: int) -> str:
    return f" group by {', '.join(str(place + 1) for place in range(count))}" if count else ""


def _grouped(code: Sql) -> Sql:
    """Return what puts equal labels into one group: whole floats among the integers."""
    floating = is_float(code)
    return Sql(
        f"case when {floating.text} then label_group({code.text}) else {code.text} end",
        floating.values,
    )


def _whole_sum(code: Sql) -> Sql:
    """Return the column of a sum of integers; what is no number stands behind every number."""
    return Sql(f"sum(case when {code.text} >= '' then {_OVERFLOW} else {code.text} end)")


def _summed(code: Sql) -> tuple[Sql, Sql, Sql]:
    """Return the three columns of a sum."""
    floating = is_float(code)
    whole = f"filter (where typeof({code.text}) = 'integer')"
    return (
        Sql(f"sum({code.text} >> 32) {whole}"),
        Sql(f"sum({code.text} & 4294967295) {whole}"),
        Sql(f"label_float_sum({code.text}) filter (where {floating.text})", floating.values),
    )


def _tally(row: Sequence[object], group_by: Sequence[str], width: int, names: Names) -> Tally:
    values = [_value(name, value, names) for name, value in zip(group_by, row, strict=False)]
    count, *parts = row[len(group_by) :]
    sums = [_sum(*parts[3 * index : 3 * index + 3]) for index in range(width)]
    return Tally(tuple(values), _integer(count), tuple(sums))


def _value(name: str, value: object, names: Names) -> Label | None:
    if value is None:
        return None
    if not name.startswith(LABEL):
        return names.texts[_integer(value)] if name in _NAMED else _integer(value)
    try:
        label = decode_value(value)
    except ValueError as error:
        message = f"a record has a damaged label {name[len(LABEL) :]!r}; restore it from a backup"
        raise Corrupt(message, code="bad_labels") from error
    return int(label) if isinstance(label, float) and label.is_integer() else label


def _sum(high: object, low: object, floats: object) -> int | float:
    whole = (_integer(high or 0) << 32) + _integer(low or 0)
    return whole if floats is None else whole + _float(floats)


def _integer(value: object) -> int:
    assert isinstance(value, int)  # noqa: S101 (our own SQL counts nothing else)
    return value


def _float(value: object) -> float:
    assert isinstance(value, float)  # noqa: S101 (our own function returns nothing else)
    return value
