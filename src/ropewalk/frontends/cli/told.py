"""Our own entities for people: their fields by name, without those that say nothing."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import cast

from ...domain.money import Money
from ...domain.thread import Position
from .payload import USERS
from .text import micros_stamp, stamp


def told(value: object) -> dict[str, object]:
    """Return the fields of an entity, users' values as they are, everything else as text."""
    shown: dict[str, object] = {}
    if not is_dataclass(value):
        return shown
    for field in fields(value):
        if not field.repr:
            continue
        item: object = getattr(value, field.name)
        item = item if field.name in USERS else _own(item)
        if item is not None and item not in ("", [], {}):
            shown[field.name] = item
    return shown


def _own(value: object) -> object:
    """Return a field of ours as text, or as parts of which the same is true."""
    if isinstance(value, tuple):
        return [_own(item) for item in cast("tuple[object, ...]", value)]
    match value:
        case Enum():
            return str(value.value)
        case datetime():
            return stamp(value)
        case Money():
            return str(value)
        case Position():
            return f"before {micros_stamp(value.at)}"
        case _:
            return told(value) if is_dataclass(value) else value
