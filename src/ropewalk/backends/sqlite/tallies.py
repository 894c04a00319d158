"""Counting and adding up labels in SQL, exactly as `domain.tally.tally_records` means it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ...domain.cursor import Ranked, rank
from ...domain.errors import Corrupt
from ...domain.labels import Label
from ...domain.query import LABEL, Query
from ...domain.tally import DAY, MICROSECONDS_PER_DAY, Tally
from . import lean
from .conditions import is_float, label_code
from .connection import Connection
from .fragments import Sql, bound, joined
from .labels import decode_value
from .names import Names
from .paths import index_for
from .select import answering, chosen, joined_columns, table
from .ways import Along, way_of

_NAMED: Final = frozenset({"space", "kind", "session_id", "thread_id"})


def statement(
    query: Query,
    sums: Sequence[str],
    group_by: Sequence[str],
    *,
    now: int,
    source: Sql | None = None,
    along: Along | None = None,
) -> Sql:
    """Return the statement of a tally: the groups' columns, a count, three columns for each sum.

    Integers are added in two halves of 32 bits, so that no sum of theirs overflows; floats by a
    function of ours. `source` is another table than that of ordinary records, `along` a
    stretch of a declared index.
    """
    groups = [_group(name) for name in group_by]
    columns = [*groups, Sql("count(*)")]
    for name in sums:
        code = label_code(name)
        floating = is_float(code)
        whole = f"filter (where typeof({code.text}) = 'integer')"
        columns += [
            Sql(f"sum({code.text} >> 32) {whole}", code.values * 2),
            Sql(f"sum({code.text} & 4294967295) {whole}", code.values * 2),
            Sql(
                f"label_float_sum({code.text}) filter (where {floating.text})",
                (*code.values, *floating.values),
            ),
        ]
    grouped = ", ".join(str(number + 1) for number in range(len(groups)))
    rest = (Sql(f"group by {grouped}"),) if groups else ()
    found = answering(query, now)
    if along is not None:
        source, found = table(along.index_name), joined((found, along.condition), "and")
    elif source is None:
        source = table(index_for(query, ordered=False))
    return chosen(joined_columns(columns), source, found, *rest)


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
        select = statement(query, sums, group_by, now=now, source=source, along=along)
        values = bound(select.values, connection.names)
        for row in connection.rows(connection.indexes.suited(select.text), values):
            found = _tally(row, group_by, len(sums), connection.names)
            place = tuple(rank(value) for value in found.group)
            answer[place] = _together(answer[place], found) if place in answer else found
    return [tally for _, tally in sorted(answer.items(), key=lambda item: item[0])]


def _together(one: Tally, other: Tally) -> Tally:
    """Return what two tables have of one group."""
    sums = tuple(a + b for a, b in zip(one.sums, other.sums, strict=True))
    return Tally(one.group, one.count + other.count, sums)


def _group(name: str) -> Sql:
    if name == DAY:
        # SQLite divides towards zero; a day is floored.
        day = MICROSECONDS_PER_DAY
        return Sql(f"created_at / {day} - (created_at % {day} < 0)")
    if not name.startswith(LABEL):
        return Sql(name)
    code = label_code(name[len(LABEL) :])
    floating = is_float(code)
    return Sql(
        f"case when {floating.text} then label_group({code.text}) else {code.text} end",
        (*floating.values, *code.values, *code.values),
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
