"""How a declared index leads to an answer: the stretches of it in which the answer lies."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from ...domain.labels import Label
from ...domain.limits import MAX_INT64, MIN_INT64
from ...domain.query import LABEL
from ...domain.shape import indexable, label_of, leads
from . import labels
from .conditions import condition_sql, label_code, one_of
from .fragments import NEVER, Sql, joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...domain.query import Condition, Query
    from .connection import Connection
    from .declared import Found

_NO_TEXT: Final = "u"
"""Greater than every code of a text."""


class Along(NamedTuple):
    """A stretch of an index: its name, and the condition that keeps a statement on the stretch."""

    index_name: str
    condition: Sql


class Way(NamedTuple):
    """The stretches of an index that hold what a condition means, none of them twice.

    `is_walked` says that each is of one code: then its records come in the order of `created_at`.
    """

    stretches: tuple[Along, ...]
    is_walked: bool


def along(index: Found, stretch: Sql) -> Along:
    """Return a stretch of an index, with the kind as SQLite wants to read it."""
    return Along(index.name, joined((Sql(f"kind = {index.kind:d}"), stretch), "and"))


def way_of(connection: Connection, query: Query) -> Way | None:
    """Return the way to what matches, `None` where no declared indexes lead there."""
    for part in leads(query):
        found = [connection.declared.find(query.kinds[0], label_of(one)) for one in part]
        indexes = [index for index in found if index is not None]
        if len(indexes) == len(part):
            return _way(indexes, part)
    return None


def order_of(connection: Connection, query: Query) -> Found | None:
    """Return the index that has the query's order, `None` where there is none."""
    field = query.order.field
    name = field[len(LABEL) :]
    if not field.startswith(LABEL) or name not in indexable(query, order=query.order):
        return None
    return connection.declared.find(query.kinds[0], name)


def _way(indexes: Sequence[Found], part: Sequence[Condition]) -> Way:
    stretches: list[Along] = []
    before: list[Sql] = []
    for index, condition in zip(indexes, part, strict=True):
        whole = condition_sql(condition)
        # A stretch may hold more than is meant, and nothing may be found by two conditions.
        own = (whole, *before) if len(part) > 1 else ()
        stretches += [
            along(index, joined((stretch, *own), "and")) for stretch in _stretches(condition)
        ]
        before.append(Sql(f"not coalesce({whole.text}, 0)", whole.values))
    return Way(tuple(stretches), all(condition.op == "eq" for condition in part))


def _stretches(condition: Condition) -> tuple[Sql, ...]:
    """Return where in the index of its label a condition may hold."""
    code = label_code(label_of(condition))
    value = condition.value
    if isinstance(value, tuple):
        codes = [each for one in value for each in labels.equals(one)]
        return (one_of(code, tuple(dict.fromkeys(codes))),)
    if condition.op == "eq" and value is not None:
        return tuple([Sql(f"{code.text} = ?", (each,)) for each in labels.equals(value)])
    return _ranges(code, condition.op, value)


def _ranges(code: Sql, op: str, value: Label | None) -> tuple[Sql, ...]:
    if isinstance(value, str):
        text = labels.TEXT + labels.escape(value)
        if op == "prefix":
            return (between(code, text, labels.successor(text) or _NO_TEXT),)
        if op in ("lt", "le"):
            # The end is part of it, too much for `lt`: the condition itself is asked as well.
            return (between(code, labels.TEXT, text + "\x01"),)
        return (between(code, text, _NO_TEXT),)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return (NEVER,)
    low, high = (MIN_INT64, value) if op in ("lt", "le") else (value, MAX_INT64)
    return integers(code, low, high), between(code, labels.FLOAT, labels.FLOAT_END)


def between(code: Sql, low: str, end: str) -> Sql:
    """Return whether a code is a text from `low` on and less than `end`."""
    return Sql(f"{code.text} >= ? and {code.text} < ?", (low, end))


def integers(code: Sql, low: float, high: float) -> Sql:
    """Return whether a code is an integer between two numbers, both included."""
    least = max(math.ceil(low), MIN_INT64) if low > MIN_INT64 else MIN_INT64
    most = min(math.floor(high), MAX_INT64) if high < MAX_INT64 else MAX_INT64
    if least > most:
        return NEVER
    return Sql(f"{code.text} >= ? and {code.text} <= ?", (least, most))
