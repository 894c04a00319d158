"""The language of queries, written once more: a tree, and what plain Python makes of it.

A node is a tuple: what it is, then its parts. `None` is NULL, and conditions are three-valued.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, TypeAlias

from ropewalk.stores.shapes import is_dict, is_row

Node: TypeAlias = tuple[Any, ...]
Row: TypeAlias = Mapping[str, Any]

COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
ARITHMETIC: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}
MANY: Final[Mapping[str, Callable[[list[Any]], Any]]] = {"sum": sum, "min": min, "max": max}
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def follow(row: Row, path: str) -> Any:  # noqa: ANN401 (any value of a record)
    """Return what lies at a path of a record."""
    value: Any = row
    for step in path.replace('"', "").replace("[", ".").replace("]", "").split("."):
        if is_dict(value):
            value = value.get(step)
        elif is_row(value) and step.isdigit():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


def micros(value: datetime) -> int:
    """Return the microseconds of a time."""
    return (value - EPOCH) // timedelta(microseconds=1)


def fit(value: float) -> float | None:
    """Return a number as 64 bits hold it; not a number is NULL."""
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else float(value)
    return None if value != value else value  # noqa: PLR0124 (how nan is found)


def read(what: str, found: object) -> Any:  # noqa: ANN401 (text, number or bool)
    """Read a value as one type; anything else is NULL."""
    if what == "bool":
        return found if isinstance(found, bool) else None
    if what == "text":
        return found if isinstance(found, str) else None
    if isinstance(found, datetime):
        return micros(found)
    if isinstance(found, int | float) and not isinstance(found, bool):
        return fit(found)
    return None


def matches(text: str, pattern: str) -> bool:
    """Tell whether a text has a pattern, by trying everything."""
    fold = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")

    @cache
    def at(place: int, mark: int) -> bool:
        if mark == len(pattern):
            return place == len(text)
        letter = pattern[mark]
        if letter == "%":
            return any(at(rest, mark + 1) for rest in range(place, len(text) + 1))
        if letter == "!" and mark + 1 < len(pattern):
            mark, letter = mark + 1, pattern[mark + 1]
        elif letter == "_":
            return place < len(text) and at(place + 1, mark + 1)
        same = place < len(text) and text[place].translate(fold) == letter.translate(fold)
        return same and at(place + 1, mark + 1)

    return at(0, 0)


def both(what: str, values: Sequence[bool | None]) -> bool | None:
    """Join conditions: one decides alone, NULL leaves it open."""
    decides = what == "OR"
    if decides in values:
        return decides
    return None if None in values else not decides


def calculate(name: str, left: Any, right: Any) -> Any:  # noqa: ANN401 (numbers)
    """Calculate as the language says: beyond 64 bits a float, by nothing NULL."""
    if left is None or right is None:
        return None
    if name == "/":
        return None if right == 0 else fit(float(left) / right)
    exact = ARITHMETIC[name](left, right)
    if isinstance(exact, int) and not isinstance(fit(exact), int):
        return fit(ARITHMETIC[name](float(left), float(right)))
    return fit(exact)


def evaluate(node: Node, row: Row) -> Any:  # noqa: ANN401, PLR0911 (one for each kind of node)
    """Return the value of an expression for one record."""
    what, *parts = node
    if what in ("value", "param", "column"):
        found = row[parts[0]] if what == "column" else parts[0]
        return micros(found) if isinstance(found, datetime) else found
    if what in ("num", "text", "bool"):
        return read(what, follow(row, parts[0]))
    if what in ("AND", "OR"):
        return both(what, [evaluate(part, row) for part in parts[0]])
    if what == "compare":
        left, right = (evaluate(part, row) for part in parts[1:])
        return None if left is None or right is None else COMPARE[parts[0]](left, right)
    if what == "arithmetic":
        return calculate(parts[0], *(evaluate(part, row) for part in parts[1:]))
    if what == "in":
        value = evaluate(parts[0], row)
        found = [evaluate(part, row) for part in parts[1]]
        return both("OR", [None if None in (value, one) else value == one for one in found])
    value = evaluate(parts[0], row)
    if what == "coalesce":
        return evaluate(parts[1], row) if value is None else value
    if what == "null":
        return value is None
    if what == "true":
        return value is True
    return None if value is None else _of_value(what, value, parts, row)


def _of_value(what: str, value: Any, parts: Sequence[Any], row: Row) -> Any:  # noqa: ANN401
    """Return what a function makes of a value that is there."""
    if what == "between":
        low, high = (evaluate(part, row) for part in parts[1:])
        over = None if low is None else value >= low
        under = None if high is None else value <= high
        return both("AND", [over, under])
    if what == "like":
        return matches(value, parts[1])
    simple: Mapping[str, Callable[[Any], Any]] = {
        "not": operator.not_,
        "-": lambda number: fit(-number),
        "abs": abs,
        "length": len,
        "lower": lambda text: "".join(c.lower() if c.isascii() else c for c in text),
        "upper": lambda text: "".join(c.upper() if c.isascii() else c for c in text),
        "by_day": lambda number: (EPOCH + timedelta(microseconds=number)).date().isoformat(),
        "by_hour": lambda number: f"{EPOCH + timedelta(microseconds=number):%Y-%m-%dT%H}",
    }
    return simple[what](value)


def total(node: Node, rows: Sequence[Row]) -> Any:  # noqa: ANN401 (of the type of the values)
    """Return the value of a function of many rows."""
    what, *parts = node
    if not parts:
        return len(rows)
    values = [value for row in rows if (value := evaluate(parts[0], row)) is not None]
    if what == "count":
        return len(set(values)) if "distinct" in parts else len(values)
    if not values:
        return None
    if what == "avg":
        return sum(values) / len(values)
    return MANY[what](values)
