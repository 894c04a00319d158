"""What the table in memory holds of a record: fields, and paths read as one type."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from math import inf, isnan
from sys import getsizeof
from typing import TYPE_CHECKING, Final, TypeAlias

from ...domain.limits import MAX_INT64, MIN_INT64
from ...domain.moment import to_micros
from ..paths import label_name, reach
from ..shapes import is_group, is_mapping
from .tree import Column, Path

if TYPE_CHECKING:
    from ...domain.record import Record
    from ..letter import Letter

Value: TypeAlias = str | int | float | None
"""What a cell holds; a bool is 1 or 0."""

_FIELDS: Final[dict[str, Callable[[Record], Value]]] = {
    "id": lambda record: record.key.id,
    "type": lambda record: record.key.kind,
    "session_id": lambda record: record.session_id,
    "thread_id": lambda record: record.thread_id,
    "version": lambda record: record.version,
    "created_at": lambda record: record.created_at,
    "updated_at": lambda record: record.updated_at,
    "expires_at": lambda record: record.expires_at,
}


def read_cell(cell: Column | Path, record: Record, letter: Letter | None) -> Value:
    """Return the value of a cell; metadata comes from the labels where there is no letter."""
    if isinstance(cell, Column):
        return _FIELDS[cell.name](record)
    found = read_path(cell, record, letter)
    if cell.type == "num":
        return as_number(found)
    if cell.type == "text":
        return as_text(found)
    if cell.type == "bool":
        return int(found) if isinstance(found, bool) else None
    return None if found is None else 1


def read_path(path: Path, record: Record, letter: Letter | None) -> object:
    """Return what lies at a path, or `None`."""
    if letter is not None:
        return reach(letter.metadata if path.root == "metadata" else letter.data, path.steps)
    name = label_name(path.steps)
    return None if name is None else record.labels.get(name)


def as_number(value: object) -> int | float | None:
    """Return a number that SQLite can hold, or `None` for what is none.

    An integer beyond 64 bits becomes the nearest float, an aware datetime its microseconds.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return _narrow(int(value))
    if isinstance(value, float):
        return None if isnan(value) else float(value)
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return to_micros(value)
    return None


def _narrow(value: int) -> int | float:
    if MIN_INT64 <= value <= MAX_INT64:
        return value
    try:
        return float(value)
    except OverflowError:
        return inf if value > 0 else -inf


def as_text(value: object) -> str | None:
    """Return a text, or `None` for what is none; an enumeration's text is its value."""
    return str.__str__(value) if isinstance(value, str) else None


def weight(values: Iterable[object]) -> int:
    """Return the memory of values in bytes, with what they contain; shared parts count often."""
    waiting, total = list(values), 0
    while waiting:
        value = waiting.pop()
        total += getsizeof(value)
        if is_mapping(value):
            waiting += value.keys()
            waiting += value.values()
        elif is_group(value):
            waiting += value
    return total
