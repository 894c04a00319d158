"""Which branch of a session continues which, found by the messages that they have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

MAIN: Final = "main"


@dataclass(frozen=True, slots=True)
class Line:
    """A branch: what it continues, up to which message, and the messages that are its own.

    `own` are the numbers of rows, in order; those in `copied` belong to another branch as well,
    which this one does not continue there.
    """

    name: str
    parent: str | None
    last_shared: int | None
    own: tuple[int, ...]
    copied: frozenset[int] = frozenset()


def lines_of(branches: Mapping[str, Sequence[int]]) -> list[Line]:
    """Return the branches as lines, each behind the one it continues.

    `branches` has the messages of each in order, oldest branch first. A branch was made by taking
    over the beginning of another: it continues the one with which it has most in common, the
    oldest of these.
    """
    found: list[Line] = []
    met: dict[str, Sequence[int]] = {}
    taken: set[int] = set()
    for name, rows in branches.items():
        parent, shared = None, 0
        for other, others in met.items():
            common = _common(rows, others)
            if parent is None or common > shared:
                parent, shared = other, common
        own = tuple(rows[shared:])
        last = rows[shared - 1] if shared else None
        copied = frozenset(taken.intersection(own))
        found.append(Line(name, parent, last, own, copied))
        met[name] = rows
        taken.update(own)
    return found


def _common(left: Sequence[int], right: Sequence[int]) -> int:
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count
