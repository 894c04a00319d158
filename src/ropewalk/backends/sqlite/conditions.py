"""A condition of a query as SQL that agrees with `Condition.matches` in every case.

Types never mix: SQLite would convert a text that is compared with an integer column, and the
other way round, so a value of the wrong type is answered here and never bound.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from ...domain.labels import Label
from ...domain.limits import MAX_INT64, MIN_INT64
from ...domain.query import LABEL, NUMBER_FIELDS, TEXT_FIELDS, AnyOf, Condition
from . import labels
from .fragments import NEVER, Bound, Name, Sql, joined

_SIGNS: Final = {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}

UPDATED: Final = "coalesce(updated_at, created_at)"
"""When a row was last changed: the column is null where that was when it was made."""

_NAMED: Final = TEXT_FIELDS - {"id"}
"""Fields that stand in the row as numbers of names."""

_INLINE: Final = 32
"""More values than this are passed as one JSON list; SQLite binds 32,766 values at most."""


def condition_sql(condition: Condition | AnyOf) -> Sql:
    """Return SQL that holds for exactly the rows that `condition` matches."""
    if isinstance(condition, AnyOf):
        return joined([condition_sql(part) for part in condition.conditions], "or")
    if condition.field.startswith(LABEL):
        return _label_condition(condition)
    if condition.field in NUMBER_FIELDS:
        return _number_condition(condition)
    if condition.field in _NAMED:
        return _name_condition(condition)
    return _text_condition(Sql(condition.field), condition)


def one_of_names(column: str, texts: Sequence[str]) -> Sql:
    """Return whether the name in a column is one of `texts`."""
    if len(texts) <= _INLINE:
        return one_of(Sql(column), tuple(map(Name, texts)))
    return _named(column, one_of(Sql("text"), texts))


def label_code(name: str) -> Sql:
    """Return what a label is coded as in the row (labels.py), null where it is absent."""
    return Sql(labels.code_of(name))


def is_float(code: Sql) -> Sql:
    """Return whether a code stands for a float: numbers sort before all texts in SQLite."""
    return Sql(
        f"({code.text} >= ? and {code.text} < ?)",
        (*code.values, labels.FLOAT, *code.values, labels.FLOAT_END),
    )


def label_number(code: Sql) -> Sql:
    """Return the number that a code stands for, null where it is none."""
    floating = is_float(code)
    return Sql(
        f"case when typeof({code.text}) = 'integer' then {code.text} "
        f"when {floating.text} then label_float({code.text}) end",
        (*code.values, *code.values, *floating.values, *code.values),
    )


def one_of(subject: Sql, values: Sequence[str | int]) -> Sql:
    """Return whether `subject` is one of `values`; null or false where it is null."""
    if not values:
        return NEVER
    if len(values) == 1:
        return Sql(f"{subject.text} = ?", (*subject.values, values[0]))
    if len(values) <= _INLINE:
        # Few lengths make few statements, which then are found in the cache of the connection.
        room = 1 << (len(values) - 1).bit_length()
        padded = (*values, *[values[-1]] * (room - len(values)))
        return Sql(
            f"{subject.text} in ({', '.join('?' * room)})",
            (*subject.values, *padded),
        )
    return _one_of_many(subject, values)


def _one_of_many(subject: Sql, values: Sequence[str | int]) -> Sql:
    """Return `one_of` for a list of any length, whose texts travel as hexadecimal digits."""
    texts = [value.encode().hex() for value in values if isinstance(value, str)]
    integers = [value for value in values if isinstance(value, int)]
    parts: list[Sql] = []
    if texts:
        listed = "select cast(unhex(value) as text) from json_each(?)"
        parts.append(Sql(f"{subject.text} in ({listed})", (*subject.values, json.dumps(texts))))
    if integers:
        listed = "select value from json_each(?)"
        parts.append(Sql(f"{subject.text} in ({listed})", (*subject.values, json.dumps(integers))))
    return joined(parts, "or")


def _not(condition: Sql) -> Sql:
    """Return the opposite of a condition, where null counts as false."""
    return Sql(f"not coalesce({condition.text}, 0)", condition.values)


def _present(subject: Sql, condition: Condition) -> Sql | None:
    """Return the SQL of a condition that asks only whether there is a value."""
    if condition.op == "exists":
        present = bool(condition.value)
    elif condition.value is None:
        present = condition.op == "ne"
    else:
        return None
    return Sql(f"{subject.text} is {'not ' if present else ''}null", subject.values)


def _wanted(condition: Condition) -> tuple[Label, ...]:
    """Return the values that `eq`, `ne` or `in` compares with."""
    value = condition.value
    if isinstance(value, tuple):
        return value
    return () if value is None else (value,)


def _compare(subject: Sql, condition: Condition, values: Sequence[str | int]) -> Sql | None:
    """Return the SQL of an equality, `None` for another operator."""
    if condition.op in ("eq", "in"):
        return one_of(subject, values)
    return _not(one_of(subject, values)) if condition.op == "ne" else None


def _range(subject: Sql, prefix: str) -> Sql:
    """Return whether a text begins with `prefix`: a range, which an index can serve."""
    parts = [Sql(f"{subject.text} >= ?", (*subject.values, prefix))]
    end = labels.successor(prefix)
    if end is not None:
        parts.append(Sql(f"{subject.text} < ?", (*subject.values, end)))
    return joined(parts, "and")


def _ordered(subject: Sql, op: str, value: Bound) -> Sql:
    return Sql(f"{subject.text} {_SIGNS[op]} ?", (*subject.values, value))


def _named(column: str, condition: Sql) -> Sql:
    """Return whether a condition holds for the text of a column that has its number."""
    text = f"{column} in (select nr from name where {condition.text})"  # noqa: S608
    return Sql(text, condition.values)


def _name_condition(condition: Condition) -> Sql:
    column = condition.field
    found = _present(Sql(column), condition)
    if found is not None:
        return found
    if condition.op == "ne":
        texts = [value for value in _wanted(condition) if isinstance(value, str)]
        return _not(_named(column, one_of(Sql("text"), texts)))
    return _named(column, _text_condition(Sql("text"), condition))


def _text_condition(subject: Sql, condition: Condition) -> Sql:
    texts = [value for value in _wanted(condition) if isinstance(value, str)]
    found = _present(subject, condition) or _compare(subject, condition, texts)
    if found is not None:
        return found
    value = condition.value
    if not isinstance(value, str):
        return NEVER
    if condition.op == "prefix":
        return _range(subject, value)
    return _ordered(subject, condition.op, value)


def _number_condition(condition: Condition) -> Sql:
    subject = Sql(UPDATED if condition.field == "updated_at" else condition.field)
    numbers = [
        int(value)
        for value in _wanted(condition)
        if isinstance(value, int | float) and not isinstance(value, bool) and _is_int64(value)
    ]
    found = _present(subject, condition) or _compare(subject, condition, numbers)
    if found is not None:
        return found
    value = condition.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NEVER
    return _ordered(subject, condition.op, value)


def _is_int64(value: float) -> bool:
    """Tell whether a number can be equal to what an integer column holds."""
    return value == int(value) and MIN_INT64 <= int(value) <= MAX_INT64


def _label_condition(condition: Condition) -> Sql:
    subject = label_code(condition.field[len(LABEL) :])
    codes = [code for value in _wanted(condition) for code in labels.equals(value)]
    found = _present(subject, condition) or _compare(subject, condition, codes)
    if found is not None:
        return found
    value = condition.value
    if isinstance(value, str):
        text = labels.TEXT + labels.escape(value)
        if condition.op == "prefix":
            return _range(subject, text)
        # A text stays among the texts: no number, bool or float is on this side of the letter.
        bound = _ordered(subject, condition.op, text)
        return joined([_ordered(subject, "ge", labels.TEXT), bound], "and")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return NEVER
    number = label_number(subject)
    return _ordered(Sql(f"({number.text})", number.values), condition.op, value)
