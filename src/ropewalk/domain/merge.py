"""Merging two states that grew from one: three-way, key by key."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

_ABSENT: Final[Any] = object()


class MergeStrategy(StrEnum):
    """Who wins where both sides changed the same key differently."""

    FAIL = "fail"
    """Nobody: raise `Conflict` with the paths."""
    OURS = "ours"
    """The thread that is merged into."""
    THEIRS = "theirs"
    """The thread that is merged."""


@dataclass(frozen=True, slots=True)
class Merge:
    """A merged state, and the paths where both sides had changed the same thing."""

    state: Any
    conflicts: tuple[str, ...]


def three_way(base: object, ours: object, theirs: object, *, strategy: MergeStrategy) -> Merge:
    """Merge two states against the one they grew from.

    A side that did not change a value gives way to the side that did. Dictionaries are merged key
    by key, everything else as a whole. Where both sides changed the same thing differently,
    `strategy` decides (under `FAIL`, as under `OURS`), and the path is reported.
    """
    merger = _Merger(strategy)
    state = merger.merge(base, ours, theirs, "")
    return Merge(state, tuple(merger.conflicts))


class _Merger:
    """One merge on its way down, gathering the paths in conflict."""

    def __init__(self, strategy: MergeStrategy) -> None:
        self._strategy = strategy
        self.conflicts: list[str] = []

    def merge(self, base: Any, ours: Any, theirs: Any, path: str) -> Any:  # noqa: ANN401 (states)
        if _same(ours, theirs) or _same(base, theirs):
            return ours
        if _same(base, ours):
            return theirs
        own, new = _keys(ours), _keys(theirs)
        if own is not None and new is not None:
            return self._merge_keys(_keys(base) or {}, own, new, path)
        self.conflicts.append(path or "(the whole state)")
        return theirs if self._strategy is MergeStrategy.THEIRS else ours

    def _merge_keys(
        self,
        base: dict[object, Any],
        ours: dict[object, Any],
        theirs: dict[object, Any],
        path: str,
    ) -> dict[object, Any]:
        merged: dict[object, Any] = {}
        for key in [*ours, *(key for key in theirs if key not in ours)]:
            old, own, new = (side.get(key, _ABSENT) for side in (base, ours, theirs))
            value = self.merge(old, own, new, f"{path}.{key}" if path else str(key))
            if value is not _ABSENT:
                merged[key] = value
        return merged


def _keys(state: object) -> dict[object, Any] | None:
    return cast("dict[object, Any]", state) if isinstance(state, dict) else None


def _same(left: object, right: object) -> bool:
    return left is right or (type(left) is type(right) and bool(left == right))
