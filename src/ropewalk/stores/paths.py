"""Dotted paths into data and metadata: what they lead to, how it compares, which label it has."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from ..domain.cursor import rank
from ..domain.errors import Invalid
from ..domain.labels import PARTIAL, check_label
from ..domain.limits import MAX_LABEL_NAME_BYTES, check_text
from ..domain.moment import to_micros
from ..domain.query import LABEL, Condition
from .shapes import is_mapping, is_row

if TYPE_CHECKING:
    from ..domain.labels import Label

Steps: TypeAlias = tuple[str, ...]

IS_PARTIAL: Final = Condition(LABEL + PARTIAL, "eq", value=True)
"""Holds for a record whose metadata is told completely by its body alone."""

NOT_PARTIAL: Final = Condition(LABEL + PARTIAL, "ne", value=True)

_MOMENT_RANK: Final = 4

_INDEX: Final = re.compile("0|[1-9][0-9]{0,17}")


def reach(value: object, steps: Steps) -> object:
    """Return what lies at the end of `steps`, or `None` where there is nothing.

    A step is the key of a dictionary, or the index (from 0) of a list or tuple.
    """
    for step in steps:
        if is_mapping(value):
            value = value.get(step)
        elif is_row(value) and _INDEX.fullmatch(step):
            index = int(step)
            value = value[index] if index < len(value) else None
        else:
            return None
    return value


def compared(value: object) -> tuple[int, int | float | str] | None:
    """Return a value's type and value for comparing, as the waist does; `None`: like nothing else.

    Aware datetimes are added to what labels know: they equal and order among themselves.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return rank(value)
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return _MOMENT_RANK, to_micros(value)
    return None


def label_name(steps: Steps) -> str | None:
    """Return the label that holds what metadata has at `steps`, or `None` if no label can.

    Where no label can, a record that has something there is marked `PARTIAL`.
    """
    name = ".".join(("metadata", *steps))
    if not all(steps) or any("." in step for step in steps):
        return None
    try:
        check_text(name, field="path", limit=MAX_LABEL_NAME_BYTES, limit_name="label name")
    except Invalid:  # no error: the body knows
        return None
    return name


def label_value(value: object) -> Label | None:
    """Return `value` if a label can hold it, `None` otherwise."""
    if not isinstance(value, str | int | float | bool):
        return None
    try:
        check_label(value, field="value")
    except Invalid:  # no error: the body knows
        return None
    return value
