"""`still`: hold a value as it is while whoever brought it stands in line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

_DEEPEST: Final = 32
"""Levels that are copied: no record of a program's own is deeper, and none is endless."""

_FIXED: Final = frozenset({str, int, float, bool, type(None), bytes})

Other = Callable[[Any], Any]


def _same(value: object) -> object:
    return value


def still(value: Any, *, other: Other = _same, levels: int = _DEEPEST) -> Any:  # noqa: ANN401 (a user's value)
    """Return `value` with its dictionaries and lists copied, so that changes to them do not count.

    What is of any other type, of a subclass, or deeper than 32 levels is what `other` makes of it:
    the same object, if nothing is named.
    """
    kind = value.__class__
    # Most of what lies in a value is looked at here, where it takes no call.
    if levels and kind is dict:
        return {
            name: inner
            if inner.__class__ in _FIXED
            else still(inner, other=other, levels=levels - 1)
            for name, inner in value.items()
        }
    if levels and kind is list:
        return [
            inner if inner.__class__ in _FIXED else still(inner, other=other, levels=levels - 1)
            for inner in value
        ]
    return value if kind in _FIXED else other(value)
