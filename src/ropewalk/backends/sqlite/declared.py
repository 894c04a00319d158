"""Declared indexes in the file: one of SQLite's for each label of a kind.

It is an index of an expression, and only of rows of its kind: written out in both the index and
the statement, because SQLite compares them before it knows what is bound.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, cast

if TYPE_CHECKING:
    from .names import Names

_Rows: TypeAlias = Callable[[str, Sequence["str | int | None"]], "list[tuple[object, ...]]"]

_PREFIX: Final = "label_"
LISTED: Final = "select name from sqlite_schema where type = 'index' and name glob 'label_*'"
"""The statement that lists the declared indexes that are there."""


class Found(NamedTuple):
    """An index that is there: its name, and the number of the kind it is of."""

    name: str
    kind: int


class DeclaredIndexes:
    """What one connection knows of the declared indexes; never more than its snapshot has."""

    __slots__ = ("_names", "_present", "_rows", "_version")

    def __init__(self, rows: _Rows, names: Names) -> None:
        self._rows = rows
        self._names = names
        self._version = -1
        self._present: frozenset[str] = frozenset()

    def find(self, kind: str, label: str) -> Found | None:
        """Return the index of a label of a kind, `None` where there is none."""
        if not self._listed():
            return None
        number = self._names.number(kind)
        name = index_name(number, label)
        return Found(name, number) if name in self._present else None

    def undo(self) -> None:
        """Forget everything: what was made since was rolled back, and its number with it."""
        self._version = -1

    def _listed(self) -> frozenset[str]:
        # Another connection may have made or dropped one: whatever does changes this number.
        ((version,),) = self._rows("pragma schema_version", ())
        if version != self._version:
            self._present = frozenset(str(row[0]) for row in self._rows(LISTED, ()))
            self._version = cast("int", version)
        return self._present


def index_name(kind: int, label: str) -> str:
    """Return how the index of a label is called; `kind` is the number of the kind's name."""
    return f"{_PREFIX}{kind:d}_{hashlib.sha256(label.encode()).hexdigest()[:16]}"
