"""Values that LangGraph's serializer wrote, told as what they are where LangGraph is not there.

It writes an object as an extension of MessagePack: the module and the name of its class, and what
to call that with, in these codes (`langgraph.checkpoint.serde.jsonplus`): 0 one argument, 1 a list
of arguments, 2 arguments by name, 3 one argument of the method that is named behind it, 4 and 5
the fields of a pydantic model. 31 is of Ropewalk's saver: the name of another form that the
serializer chose for the whole value, and the bytes. No class is imported but those of the list
below.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Final, cast
from uuid import UUID
from zoneinfo import ZoneInfo

_PREFIX: Final = "langgraph:"
_CODES: Final = range(6)
_WHOLE: Final = 31
_GIVEN: Final = 2
_METHOD: Final = "fromisoformat"

_CLASSES: Final[Mapping[tuple[str, str], type]] = {
    **{("builtins", cls.__name__): cls for cls in (frozenset, set)},
    **{("datetime", cls.__name__): cls for cls in (date, datetime, time, timedelta)},
    **{("pathlib", name): PurePosixPath for name in ("PosixPath", "PurePosixPath", "Path")},
    ("collections", "deque"): deque,
    ("decimal", "Decimal"): Decimal,
    ("uuid", "UUID"): UUID,
    ("zoneinfo", "ZoneInfo"): ZoneInfo,
}


@dataclass(frozen=True, slots=True)
class Called:
    """An object by the full name of its class, and what that is to be called with."""

    name: str
    given: object


def meaning(tag: str, plain: object) -> object:
    """Return what an extension stands for: a value of Python's own types, or `Called`, or `None`.

    `None` is for what is not of LangGraph, or in a form that is not known.
    """
    code = tag.removeprefix(_PREFIX)
    if code == tag or not code.isdecimal():
        return None
    if int(code) == _WHOLE:
        return _whole(plain)
    if int(code) not in _CODES:
        return None
    parts = cast("list[object]", plain) if isinstance(plain, list) else []
    match parts[:_GIVEN]:
        case [str() as module, str() as name] if len(parts) > _GIVEN:
            cls = _CLASSES.get((module, name))
            made = None if cls is None else _made(cls, int(code), parts[_GIVEN:])
            return Called(f"{module}.{name}", parts[_GIVEN]) if made is None else made
        case _:
            return None


def _whole(plain: object) -> object:
    match plain:
        case ["bytearray", bytes() as data]:
            return bytearray(data)
        case [str() as form, bytes() as data]:
            return Called(form, data)
        case _:
            return None


def _made(cls: type, code: int, rest: list[object]) -> object:
    """Return an object of `cls` as the serializer would make it; `None` where that fails."""
    make = cast("Callable[..., object]", cls)
    given = rest[0]
    try:
        match code:
            case 1 if isinstance(given, list):
                return make(*cast("list[object]", given))
            case 2 if isinstance(given, dict):
                return make(**cast("dict[str, object]", given))
            case 3:
                if rest[1:] != [_METHOD] or cls is not datetime:
                    return None
                return datetime.fromisoformat(cast("str", given))
            case _:
                return make(given)
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError):
        return None  # damaged, or of a later version: then it is shown by its name
