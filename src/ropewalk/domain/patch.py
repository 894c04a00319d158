"""Differences as operations of JSON Patch (RFC 6902), at places of JSON Pointer (RFC 6901)."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

Operation: TypeAlias = dict[str, object]

_ROWS: Final = (list, tuple, set, frozenset, deque)


def patch_of(kind: str, steps: Sequence[str | int], old: object, new: object) -> list[Operation]:
    """Return the operations for one difference, `old` and `new` in their JSON form.

    Indices are those before any operation, so the operations of later items come first.
    """
    place = pointer(steps)
    if kind == "removed":
        return [{"op": "remove", "path": place}]
    if kind in ("added", "changed"):
        return [{"op": "add" if kind == "added" else "replace", "path": place, "value": new}]
    if kind == "cut":
        return [{"op": "remove", "path": place}] * len(cast("list[object]", old))
    if kind == "appended":
        behind = pointer([*steps[:-1], "-"])
        return [{"op": "add", "path": behind, "value": item} for item in cast("list[object]", new)]
    if kind == "inserted":
        items = reversed(cast("list[object]", new))
        return [{"op": "add", "path": place, "value": item} for item in items]
    return []


def pointer(steps: Iterable[str | int]) -> str:
    """Return steps as a JSON Pointer."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def as_json(value: Any) -> Any:  # noqa: ANN401 (a user's value)
    """Return the JSON form of a value: what JSON has none of becomes text, a list or an object."""
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value)
        return {_name(key): as_json(item) for key, item in pairs.items()}
    if not isinstance(value, _ROWS):
        return str(value)
    items = [as_json(item) for item in cast("Iterable[object]", value)]
    return sorted(items, key=_name) if isinstance(value, set | frozenset) else items


def _name(key: object) -> str:
    """Return a key as text, the same each time also where it holds a set."""
    return key if isinstance(key, str) else json.dumps(as_json(key), sort_keys=True)
