"""What a value consists of, whatever its type: the one reading that JSON and people are shown.

A value is a plain scalar, or has a tag that names its type. Texts of a tag: `datetime` (RFC 3339,
a named zone behind it in brackets as in RFC 9557), `date`, `time`, `duration` (ISO 8601),
`decimal`, `fraction`, `complex`, `uuid`, `path`, `zone`, `bytes` and `bytearray` (base64), `float`
(`nan`, `inf`, `-inf`), `enum`. Containers of a tag: `tuple`, `set`, `frozenset`, `deque`; and
`dict`, `ordereddict`, `counter`, `defaultdict` where a JSON object would not say the same. Anything
else goes by the name of its class.
"""

from __future__ import annotations

import dataclasses
import math
from base64 import b64encode
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from typing import Any, Final, TypeAlias, cast
from uuid import UUID
from zoneinfo import ZoneInfo

from .foreign import Called, meaning

Plain: TypeAlias = bool | int | float | str | None
Pairs: TypeAlias = Sequence[tuple[object, object]]


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value without parts: itself where `tag` is empty, else the text for it."""

    value: Plain
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Items:
    """Values in a row; a list where `tag` is empty."""

    items: Sequence[object]
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Fields:
    """Values under keys; a dictionary with texts for keys where `tag` is empty.

    `of_class` says that the tag is the name of a class and the keys are the names of its fields.
    """

    pairs: Pairs
    tag: str = ""
    of_class: bool = False


Form: TypeAlias = Scalar | Items | Fields


def _zone(value: timezone | ZoneInfo) -> str:
    return value.key if isinstance(value, ZoneInfo) and value.key else str(value)


def _datetime(value: datetime) -> str:
    zone = value.tzinfo
    named = f"[{zone.key}]" if isinstance(zone, ZoneInfo) and zone.key else ""
    return f"{value.isoformat()}{named}"


def _time(value: time) -> str:
    zone = value.tzinfo
    named = f"[{zone.key}]" if isinstance(zone, ZoneInfo) and zone.key else ""
    return f"{value.isoformat()}{named}"


def _duration(value: timedelta) -> str:
    sign, span = ("-", -value) if value < timedelta(0) else ("", value)
    seconds = Decimal(span.seconds) + Decimal(span.microseconds) / 1_000_000
    return f"{sign}P{span.days}DT{seconds:f}S"


def _base64(value: bytes | bytearray) -> str:
    return b64encode(value).decode()


_TEXTS: Final[Mapping[type, tuple[str, Callable[[Any], str]]]] = {
    bytes: ("bytes", _base64),
    bytearray: ("bytearray", _base64),
    datetime: ("datetime", _datetime),
    date: ("date", date.isoformat),
    time: ("time", _time),
    timedelta: ("duration", _duration),
    timezone: ("zone", _zone),
    ZoneInfo: ("zone", _zone),
    Decimal: ("decimal", str),
    Fraction: ("fraction", str),
    complex: ("complex", lambda value: str(value).strip("()")),
    UUID: ("uuid", str),
}
_ROWS: Final[Mapping[type, str]] = {
    list: "",
    tuple: "tuple",
    set: "set",
    frozenset: "frozenset",
    deque: "deque",
}
_UNORDERED: Final = (set, frozenset)
_DICTS: Final[Mapping[type, str]] = {
    dict: "",
    OrderedDict: "ordereddict",
    Counter: "counter",
    defaultdict: "defaultdict",
}


def form(value: object) -> Form:
    """Return what `value` consists of, one level deep."""
    cls = type(value)
    if value is None or (isinstance(value, str | int) and cls in (bool, str, int)):
        return Scalar(value)
    if isinstance(value, float) and cls is float:
        return Scalar(value) if math.isfinite(value) else Scalar(str(value), "float")
    if cls in _TEXTS:
        tag, write = _TEXTS[cls]
        return Scalar(write(cast("Any", value)), tag)
    if cls in _ROWS:
        items = list(cast("Iterable[object]", value))
        return Items(sorted(items, key=_sortable) if cls in _UNORDERED else items, _ROWS[cls])
    if cls in _DICTS:
        return _dictionary(cast("Mapping[object, object]", value), _DICTS[cls])
    return _classed(value)


def _sortable(value: object) -> tuple[bool, int | float, str]:
    """Give an order to what has none of its own, so that a set is shown the same each time."""
    if isinstance(value, int | float):
        return False, value, ""
    return True, 0, f"{type(value).__name__} {value!r}"


def _dictionary(value: Mapping[object, object], tag: str) -> Fields:
    pairs = tuple(value.items())
    as_object = all(type(key) is str for key, _ in pairs) and not _looks_tagged(value)
    return Fields(pairs, tag or ("" if as_object else "dict"))


def _looks_tagged(value: Mapping[object, object]) -> bool:
    return len(value) == 1 and str(next(iter(value))).startswith("$")


def _classed(value: object) -> Form:
    cls = type(value)
    name = f"{cls.__module__}.{cls.__qualname__}"
    if isinstance(value, PurePath):
        return Scalar(str(value), "path")
    if isinstance(value, Enum):
        return Scalar(f"{name}.{value.name}", "enum")
    if cls.__module__ == "numpy" and hasattr(value, "tolist"):
        return _array(value, name)
    opened = _opened(value)
    if opened is not None:
        return opened
    names = _field_names(value)
    if names is None:
        return Scalar(repr(value), name)
    return Fields(tuple((field, getattr(value, field)) for field in names), name, of_class=True)


def _array(value: Any, name: str) -> Form:  # noqa: ANN401 (numpy is not always installed)
    parts = (("dtype", str(value.dtype)), ("shape", list(value.shape)), ("data", value.tolist()))
    return Fields(parts, name, of_class=True)


def _field_names(value: object) -> Sequence[str] | None:
    """Return the names of the fields of a dataclass, a named tuple or a pydantic model."""
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value)]
    for attribute in ("_fields", "model_fields"):
        names: object = getattr(type(value), attribute, None)
        if isinstance(names, Mapping | tuple):
            return [str(name) for name in cast("Iterable[object]", names)]
    return None


def _opened(value: object) -> Form | None:
    """Look into a value that was kept by a program whose classes are not known here."""
    from ...factory import unfold

    found = unfold(value)
    if found is None:
        return None
    tag, plain = found
    meant = meaning(tag, plain)
    if isinstance(meant, Called):
        tag, plain = meant.name, meant.given
    elif meant is not None:
        return form(meant)
    inner = form(plain)
    match inner:
        case Scalar():
            return Scalar(inner.value, tag)
        case Items():
            return Items(inner.items, tag)
        case Fields():
            named = all(isinstance(key, str) for key, _ in inner.pairs)
            return Fields(inner.pairs, tag, of_class=named)
