"""`Made`: the items of a leaf as they were made once, copied for whoever reads them again."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, TypeAlias

Plan: TypeAlias = "tuple[tuple[Any, Plan], ...]"
"""What lies in a list or dictionary and is one itself: where, and what lies in that."""

_DEEPEST: Final = 32
"""Levels that are copied; what is deeper is made anew each time."""

_CONTAINER: Final = 300
"""Bytes that a list or a dictionary takes beside what is in it, roughly."""

_COPIED: Final = frozenset({dict, list})
_FIXED: Final = frozenset({str, int, float, bool, type(None), bytes, datetime})


class Made:
    """Items that are kept for those who read them again.

    Each of those gets lists and dictionaries of their own; texts, numbers and bytes cannot be
    changed, and are the same for all.

    To copy them takes a fifth of the time of making them out of their forms. `weight` is how many
    bytes they take in memory, roughly.
    """

    __slots__ = ("_items", "_plan", "weight")

    def __init__(self, items: list[Any], plan: Plan, *, weight: int) -> None:
        """Keep items; whoever hands them in does not use them any more."""
        self._items = items
        self._plan = plan
        self.weight = weight

    def again(self) -> list[Any]:
        """Return the items, new as far as they can be changed."""
        items = self._items.copy()
        for at, inner in self._plan:
            items[at] = _copied(items[at], inner) if inner else items[at].copy()
        return items


ODD: Final = Made([], (), weight=0)
"""Stands for items that cannot be copied."""


def made_of(items: list[Any], *, size: int) -> Made | None:
    """Return items, whose forms have `size` bytes, to be copied; `None` where they cannot be.

    That is so where there is anything else among them, at any depth, than lists and dictionaries
    with text keys, texts, numbers, bytes and times.
    """
    found: list[Plan] = []
    whole = _plan(items, _DEEPEST, found)
    if whole is None:
        return None
    return Made(items, whole, weight=2 * size + _CONTAINER * (len(found) + 1))


def _plan(value: Any, levels: int, found: list[Plan]) -> Plan | None:  # noqa: ANN401 (as below)
    """Return where lists and dictionaries lie in a value, and put a plan for each into `found`."""
    here: list[tuple[Any, Plan]] = []
    for at, part in value.items() if value.__class__ is dict else enumerate(value):
        kind = part.__class__
        if kind in _FIXED:
            continue
        inner = _plan(part, levels - 1, found) if levels and kind in _COPIED else None
        if inner is None:
            return None
        found.append(inner)
        here.append((at, inner))
    return tuple(here)


def _copied(value: Any, plan: Plan) -> Any:  # noqa: ANN401 (a list or a dictionary)
    made = value.copy()
    for at, inner in plan:
        made[at] = _copied(made[at], inner) if inner else made[at].copy()
    return made
