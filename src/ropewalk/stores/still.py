"""`still`: hold a value as it is while whoever brought it stands in line."""

from __future__ import annotations

from typing import Any, Final

_DEEPEST: Final = 32
"""Levels that are copied: no record of a program's own is deeper, and none is endless."""


def still(value: Any, *, levels: int = _DEEPEST) -> Any:  # noqa: ANN401 (a user's value)
    """Return `value` with its dictionaries and lists copied, so that changes to them do not count.

    What is of any other type, of a subclass, or deeper than 32 levels is the same object.
    """
    if levels and value.__class__ is dict:
        return {name: still(inner, levels=levels - 1) for name, inner in value.items()}
    if levels and value.__class__ is list:
        return [still(inner, levels=levels - 1) for inner in value]
    return value
