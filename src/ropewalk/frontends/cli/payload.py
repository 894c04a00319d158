"""JSON for programs: entities as objects, users' values faithfully, as far as JSON can.

A value that JSON has no form for is an object with one key, which begins with `$` and names the
type: `{"$datetime": "2025-06-15T15:06:40+00:00"}`, `{"$tuple": [1, 2]}`, `{"$dict": [[1, "one"]]}`.
Instances of classes are `{"$object": "module.Class", "fields": {...}}`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from enum import Enum
from typing import Final, TypeAlias, cast

from ...domain.history import HistoryEntry
from ...domain.money import Money
from ...domain.thread import Position
from .text import micros_stamp, stamp
from .typed import Items, Scalar, form

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"

Pairs: TypeAlias = Mapping[object, object]

USERS: Final = frozenset(
    {
        *("metadata", "state", "content", "tool_input", "tool_output"),
        *("messages", "parameters", "token_usage"),
    }
)
"""Fields whose values come from a user's program: any type may be in them."""


def faithful(value: object) -> Json:
    """Return a user's value as JSON: itself where JSON can say it, otherwise tagged."""
    found = form(value)
    if isinstance(found, Scalar):
        return found.value if not found.tag else {f"${found.tag}": found.value}
    if isinstance(found, Items):
        items: list[Json] = [faithful(item) for item in found.items]
        return items if not found.tag else {f"${found.tag}": items}
    if found.of_class:
        inner: Json = {str(key): faithful(item) for key, item in found.pairs}
        return {"$object": found.tag, "fields": inner}
    if not found.tag:
        return {str(key): faithful(item) for key, item in found.pairs}
    return {f"${found.tag}": [[faithful(key), faithful(item)] for key, item in found.pairs]}


def entity(value: object) -> dict[str, Json]:
    """Return one of our own entities or figures as an object, times as RFC 3339 in UTC."""
    made: dict[str, Json] = {}
    if isinstance(value, HistoryEntry):
        made["kind"] = kind_of(value)
    for field in fields(cast("Money", value)):  # any dataclass of ours
        if not field.repr:
            # For the house alone, such as where a state begins.
            continue
        item: object = getattr(value, field.name)
        made[field.name] = faithful(item) if field.name in USERS else _own(item)
    return made


def _own(value: object) -> Json:
    """Return a field of ours as JSON."""
    if value is None or (
        isinstance(value, bool | int | float | str) and not isinstance(value, Enum)
    ):
        return value
    if isinstance(value, Mapping):
        return {str(key): _own(item) for key, item in cast("Pairs", value).items()}
    if isinstance(value, tuple | list):
        return [_own(item) for item in cast("Sequence[object]", value)]
    return _ours(value)


def _ours(value: object) -> Json:
    match value:
        case Enum():
            return str(value.value)
        case datetime():
            return stamp(value)
        case date():
            return value.isoformat()
        case Money():
            return {"amount": f"{value.amount:f}", "currency": value.currency}
        case Position():
            return {"at": micros_stamp(value.at), "id": value.id}
        case _:
            return entity(value)


def kind_of(entry: HistoryEntry) -> str:
    """Return the kind of an entry."""
    from ...domain.history import ENTRY_TYPES

    return next(kind.value for kind, cls in ENTRY_TYPES.items() if cls is type(entry))


def dumps(payload: Json, *, encoding: str = "utf-8") -> str:
    """Write JSON for people as well; letters that `encoding` lacks are escaped."""
    text = json.dumps(payload, ensure_ascii=False, indent=2, allow_nan=False)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(payload, ensure_ascii=True, indent=2, allow_nan=False)
    return text
