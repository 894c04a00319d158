"""Strategies for every value that is kept, and `same`, which compares types as well."""

from __future__ import annotations

import dataclasses
import struct
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

Value: TypeAlias = Any

_OFFSETS: Final = st.builds(
    timezone,
    st.timedeltas(min_value=timedelta(hours=-23), max_value=timedelta(hours=23)),
    st.text(max_size=5),
)
_ZONES: Final = st.sampled_from(
    [UTC, timezone(timedelta(hours=8)), ZoneInfo("UTC"), ZoneInfo("Europe/Rome")]
)

PLAIN_SCALARS: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(),
    st.binary(max_size=40),
)
"""What MessagePack holds by itself."""

# Moments whose offset would leave the years 1 to 9999 are no datetimes that can be compared.
_MOMENTS: Final = st.datetimes(
    min_value=datetime(2, 1, 1),  # noqa: DTZ001
    max_value=datetime(9998, 12, 31),  # noqa: DTZ001
    timezones=_ZONES | _OFFSETS,
)

HASHABLE_SCALARS: Final = st.one_of(
    PLAIN_SCALARS,
    st.integers(),
    st.integers(-(2**200), 2**200),
    st.text(st.characters(codec=None)),
    st.complex_numbers(),
    # A signalling NaN has no hash.
    st.decimals().filter(lambda number: not number.is_snan()),
    st.fractions(),
    st.uuids(),
    _MOMENTS,
    st.dates(),
    st.times(timezones=st.none() | _ZONES),
    st.timedeltas(),
    _ZONES | _OFFSETS,
    st.builds(PurePosixPath, st.text(st.characters(exclude_characters="\0"))),
    st.builds(PureWindowsPath, st.text(st.characters(exclude_characters="\0"))),
)
"""Every scalar of the standard library that is kept and may be a key."""

SCALARS: Final = HASHABLE_SCALARS | st.decimals() | st.builds(bytearray, st.binary(max_size=40))
"""Every scalar of the standard library that is kept."""

HASHABLES: Final = st.recursive(
    HASHABLE_SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(tuple), st.frozensets(inner, max_size=4)
    ),
    max_leaves=5,
)
"""Whatever may be a key or an element of a set."""


def _containers(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    lists = st.lists(inner, max_size=5)
    dicts = st.dictionaries(HASHABLES, inner, max_size=4)
    queues: st.SearchStrategy[Value] = st.builds(deque[Value], lists, st.none() | st.integers(0, 9))
    defaults: st.SearchStrategy[Value] = st.builds(
        defaultdict[Value, Value], st.sampled_from([None, list, int, dict]), dicts
    )
    return st.one_of(
        lists,
        lists.map(tuple),
        st.dictionaries(st.text(max_size=8), inner, max_size=5),
        dicts,
        st.sets(HASHABLES, max_size=4),
        st.frozensets(HASHABLES, max_size=4),
        queues,
        dicts.map(OrderedDict),
        defaults,
        st.dictionaries(HASHABLES, st.integers(), max_size=4).map(Counter),
    )


VALUES: Final = st.recursive(SCALARS, _containers, max_leaves=12)
"""Anything made of types of the standard library that is kept."""

PLAIN_VALUES: Final = st.recursive(
    PLAIN_SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=20,
)
"""What could be JSON, and bytes."""


def same(left: Value, right: Value) -> bool:
    """Tell whether two values are equal in type, content and order, at every depth.

    Unlike `==`: 1 is not True and not 1.0, 0.0 is not -0.0, a NaN is the same as that very NaN,
    dictionaries have an order, and times keep their zone.
    """
    if left.__class__ is not right.__class__:
        return False
    return _WAYS.get(left.__class__, _same_parts)(left, right)


def _same_parts(left: Value, right: Value) -> bool:
    kind: type[object] = left.__class__
    if issubclass(kind, dict):
        return _same_attribute(left, right, "default_factory") and _same_rows(
            left.items(), right.items()
        )
    if issubclass(kind, list | tuple | deque):
        return _same_attribute(left, right, "maxlen") and _same_rows(left, right)
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind)]
        return all(same(getattr(left, name), getattr(right, name)) for name in names)
    if hasattr(kind, "__pydantic_fields__"):
        return same(left.__getstate__(), right.__getstate__())
    if hasattr(kind, "dtype"):
        return _same_array(left, right)
    return bool(left == right)


def _same_attribute(left: Value, right: Value, name: str) -> bool:
    return bool(getattr(left, name, None) == getattr(right, name, None))


def _same_rows(left: Iterable[Value], right: Iterable[Value]) -> bool:
    ones, others = list(left), list(right)
    return len(ones) == len(others) and all(map(same, ones, others))


def _same_set(left: Collection[Value], right: Collection[Value]) -> bool:
    return len(left) == len(right) and all(any(same(a, b) for b in right) for a in left)


def _same_float(left: float, right: float) -> bool:
    return struct.pack(">d", left) == struct.pack(">d", right)


def _same_complex(left: complex, right: complex) -> bool:
    return _same_float(left.real, right.real) and _same_float(left.imag, right.imag)


def _same_decimal(left: Decimal, right: Decimal) -> bool:
    return left.as_tuple() == right.as_tuple()


def _same_time(left: Value, right: Value) -> bool:
    walls = (each.replace(tzinfo=None) for each in (left, right))
    return len({*walls}) == 1 and left.fold == right.fold and same(left.tzinfo, right.tzinfo)


def _same_offset(left: timezone, right: timezone) -> bool:
    return left == right and left.tzname(None) == right.tzname(None)


def _same_zone(left: ZoneInfo, right: ZoneInfo) -> bool:
    return left.key == right.key


def _same_array(left: Value, right: Value) -> bool:
    return bool(
        left.dtype == right.dtype
        and left.shape == right.shape
        and left.tobytes() == right.tobytes()
    )


_WAYS: Final[Mapping[type, Callable[[Value, Value], bool]]] = {
    float: _same_float,
    complex: _same_complex,
    Decimal: _same_decimal,
    datetime: _same_time,
    time: _same_time,
    timezone: _same_offset,
    ZoneInfo: _same_zone,
    set: _same_set,
    frozenset: _same_set,
}
