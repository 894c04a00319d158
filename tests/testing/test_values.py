"""`same` sees every difference that a store might make."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from pydantic import BaseModel

from ropewalk.testing.values import VALUES, Value, same

NOON = datetime(2026, 10, 25, 2, 30, tzinfo=UTC)
ROME = ZoneInfo("Europe/Rome")


class Level(IntEnum):
    """A number with a name."""

    LOW = 1


class Other(Enum):
    """Two members."""

    A = 1
    B = 2


@dataclass
class Point:
    """A place."""

    x: object


class Model(BaseModel):
    """A model."""

    x: Any = None
    y: int = 0


DIFFERENT: list[tuple[Value, Value]] = [
    (1, True),
    (1, 1.0),
    (1, Level.LOW),
    (0.0, -0.0),
    (float("nan"), -float("nan")),
    (complex(0, 0.0), complex(0, -0.0)),
    (b"a", bytearray(b"a")),
    ([1], (1,)),
    ([1], [1.0]),
    ([1], [1, 2]),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ({"a": 1}, OrderedDict(a=1)),
    ({1: "x"}, {True: "x"}),
    (Counter(a=1), {"a": 1}),
    (defaultdict(list), defaultdict(dict)),
    (deque([1]), deque([1], maxlen=5)),
    ({1}, frozenset({1})),
    ({1}, {1.0}),
    ({1}, {1, 2}),
    (Decimal("1.0"), Decimal("1.00")),
    (NOON, NOON.replace(fold=1)),
    (NOON, NOON.astimezone(timezone(timedelta(hours=1)))),
    (NOON, NOON.replace(tzinfo=ZoneInfo("UTC"))),
    (NOON.replace(tzinfo=ROME), NOON.replace(tzinfo=ZoneInfo("Europe/Paris"))),
    (NOON, NOON.replace(tzinfo=timezone(timedelta(0), "GMT"))),
    (time(1), time(1, tzinfo=UTC)),
    (Other.A, Other.B),
    (Point(1), Point(True)),  # noqa: FBT003
    (Model(x=1), Model(x=1.0)),
    (Model(), Model(y=0)),
    (np.array([1]), np.array([1.0])),
    (np.array([1]), np.array([[1]])),
    (np.array([0.0]), np.array([-0.0])),
    (np.float64(1), 1.0),
    ("a", "b"),
]


@given(value=VALUES)
@settings(max_examples=100, deadline=None, database=None)
def test_everything_is_the_same_as_itself(value: Value) -> None:
    """NaN included, at every depth."""
    assert same(value, value)
    assert same([value], [value])


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_a_difference_is_seen(left: Value, right: Value) -> None:
    """What `==` forgives is a difference here, alone and nested."""
    assert not same(left, right)
    assert not same(right, left)
    assert not same({"k": [left]}, {"k": [right]})


@pytest.mark.parametrize(
    "make",
    [
        lambda: Point([float("nan")]),
        lambda: Model(x={1}),
        lambda: np.array([np.nan]),
        lambda: defaultdict(list, {"a": [1]}),
        lambda: deque([1], maxlen=2),
        lambda: {frozenset({1}), (1, 2)},
        lambda: Decimal("sNaN"),
        lambda: datetime(2026, 1, 1, tzinfo=ZoneInfo.no_cache("Europe/Rome")),
        lambda: Other.A,
    ],
)
def test_what_was_made_alike_is_the_same(make: Value) -> None:
    """Identity does not matter."""
    assert same(make(), make())
