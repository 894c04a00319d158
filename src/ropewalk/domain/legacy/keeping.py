"""What an entity has no field for is kept beside its metadata, so that nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from .values import JsonObject, as_list, as_object, canonical

LEGACY: Final = "legacy"
"""Key of the metadata under which the original values stand that the entity cannot give back."""

ABSENT: Final = "~absent"
"""Among what is kept: the keys that the original did not have, though the entity has a value."""


_OURS: Final = re.compile(rf"{LEGACY}(?:~([2-9]|[1-9][0-9]{{1,8}}))?")


def same(left: object, right: object) -> bool:
    """Tell whether two JSON values are written alike: 1 is not 1.0, and NaN is NaN."""
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    if isinstance(left, str | int):
        return left == right
    if isinstance(left, float):
        return repr(left) == repr(right)
    return canonical(left) == canonical(right)


def difference(raw: Mapping[str, object], own: Mapping[str, object]) -> JsonObject:
    """Return what must be kept so that `restore(own, kept)` gives `raw` again."""
    kept = {
        name: value for name, value in raw.items() if name not in own or not same(own[name], value)
    }
    absent: list[object] = [name for name in own if name not in raw]
    return {**kept, ABSENT: absent} if absent else kept


def restore(own: Mapping[str, object], kept: Mapping[str, object]) -> JsonObject:
    """Put together the original object of what the entity gives and what was kept."""
    dropped = set(as_list(kept.get(ABSENT)) or ())
    whole = {name: value for name, value in own.items() if name not in dropped}
    return {**whole, **{name: value for name, value in kept.items() if name != ABSENT}}


def join(metadata: Mapping[str, object], kept: Mapping[str, object]) -> dict[str, Any]:
    """Return metadata with what is kept under `legacy`.

    Metadata that has such a key of its own keeps it: ours then stands under `legacy~2`, and so on.
    """
    last = _last(metadata)
    return {**metadata, _name(last + 1): dict(kept)} if kept or last else dict(metadata)


def part(metadata: Mapping[str, Any]) -> tuple[JsonObject, JsonObject]:
    """Return the original metadata and what is kept: the inverse of `join`."""
    last = _last(metadata)
    if not last:
        return dict(metadata), {}
    ours = _name(last)
    own = {name: value for name, value in metadata.items() if name != ours}
    return own, dict(as_object(metadata[ours]) or {})


def _name(number: int) -> str:
    return LEGACY if number == 1 else f"{LEGACY}~{number}"


def _last(metadata: Iterable[str]) -> int:
    """Return the highest number that a key of ours could have here; 0 where there is none."""
    matches = filter(None, map(_OURS.fullmatch, metadata))
    return max((int(match[1] or 1) for match in matches), default=0)
