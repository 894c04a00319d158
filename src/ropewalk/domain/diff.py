"""`Diff`: what differs between two states, for people and as JSON Patch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from .patch import Operation, as_json, patch_of
from .wording import said

Steps: TypeAlias = tuple[str | int, ...]
"""Where something lies: keys of dictionaries and indices of lists, from the state inwards."""


class DifferenceKind(StrEnum):
    """What happened to a part of a state."""

    ADDED = "added"
    """A key that was not there: `new` is its value."""
    REMOVED = "removed"
    """A key that is there no more: `old` was its value."""
    CHANGED = "changed"
    """`new` stands where `old` stood."""
    APPENDED = "appended"
    """The items `new` stand behind all others of a list."""
    INSERTED = "inserted"
    """The items `new` stand in front of the item that was at the last step."""
    CUT = "cut"
    """The items `old`, which began at the last step, are there no more."""
    REORDERED = "reordered"
    """A dictionary has the same keys and values in another order: `old` and `new` are its keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that differs. All indices are those of the older state.

    For what happened to items of a list the last of `steps` is the index, and `old` and `new` are
    lists of items; for everything else they are the values at `steps`.
    """

    steps: Steps
    path: str
    kind: DifferenceKind
    old: Any = None
    new: Any = None

    def __str__(self) -> str:
        """Say it in one line, long texts shortened."""
        return said(self.kind.value, self.path, self.old, self.new)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """What differs between two checkpoints' states, in the order of the older one."""

    old_id: str
    new_id: str
    differences: Sequence[Difference]

    def __str__(self) -> str:
        """Say it in one line for each difference; nothing where there is none."""
        return "\n".join(map(str, self.differences))

    def json_patch(self, form: Callable[[Any], object] = as_json) -> list[Operation]:
        """Return the operations (RFC 6902) that make the new state's JSON form of the old one's.

        `form` turns a value into what JSON holds. An order of keys is nothing to JSON, so it is
        left out.
        """
        return [
            operation
            for difference in reversed(self.differences)
            for operation in patch_of(
                difference.kind.value, difference.steps, form(difference.old), form(difference.new)
            )
        ]
