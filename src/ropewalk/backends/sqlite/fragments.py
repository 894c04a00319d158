"""Pieces of SQL that carry their parameters with them: no value is ever written into SQL.

What is written in are names of labels, in an alphabet without quotes (labels.py), and our own
numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from .names import Names


class Name(str):
    """A text that stands in the file as a number (names.py), for which it is bound."""

    __slots__ = ()


Bound: TypeAlias = str | int | float | None
"""What may be bound to a question mark here; a `Name` becomes its number first."""

_BRANCHES: Final = 100


class Sql(NamedTuple):
    """A piece of SQL and the values of its question marks, in order."""

    text: str
    values: tuple[Bound, ...] = ()


ALWAYS: Final = Sql("1")
NEVER: Final = Sql("?", (0,))
"""Bound: a written 0 would make SQLite forget the other conditions, and the index they need."""


def joined(parts: Sequence[Sql], word: Literal["and", "or"]) -> Sql:
    """Join conditions by one word, in a tree so flat that no number of them is too deep.

    SQLite refuses expressions more than a thousand deep, and a chain of `and` is that deep.
    """
    if len(parts) == 1:
        return parts[0]
    if len(parts) > _BRANCHES:
        middle = len(parts) // 2
        parts = (joined(parts[:middle], word), joined(parts[middle:], word))
    text = f" {word} ".join([part.text for part in parts])
    return Sql(f"({text})", gathered(parts))


def gathered(parts: Iterable[Sql]) -> tuple[Bound, ...]:
    """Return the values of all parts, in order."""
    return tuple([value for part in parts for value in part.values])


def bound(values: Sequence[Bound], names: Names) -> tuple[Bound, ...]:
    """Return the values with the number of every `Name` in its place."""
    return tuple([names.number(value) if type(value) is Name else value for value in values])
