"""The stored form composes, and a typed value can be taken apart and put together again."""

from __future__ import annotations

import os
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, IntFlag
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ormsgpack import Ext, packb
from pydantic import BaseModel

from ropewalk.codecs import format as code
from ropewalk.codecs.allowlist import Opaque, TypeRegistry
from ropewalk.codecs.serialize import MsgPack
from ropewalk.domain.errors import Invalid
from ropewalk.domain.ports import Opened, Values
from ropewalk.testing.values import HASHABLES, VALUES, Value

MANY = settings(
    max_examples=400 if os.environ.get("ROPEWALK_LONG") else 25,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


class Color(Enum):
    """Members."""

    RED = "r"


class Rights(IntFlag):
    """Flags."""

    READ = 1
    WRITE = 2


class Pair(NamedTuple):
    """A tuple with names."""

    left: object
    right: object


@dataclass(frozen=True)
class Point:
    """A place."""

    x: object
    y: object


class Note(BaseModel):
    """A model."""

    text: str
    parts: list[object] = []
    _seen: int = 1


class Box:
    """A class with functions of its own."""

    def __init__(self, content: object) -> None:
        """Keep anything."""
        self.content = content


class Broken(Box):
    """A class whose function fails."""


TYPES = TypeRegistry()
for cls in (Color, Rights, Pair, Point, Note):
    TYPES.register(cls)
TYPES.register(Box, tag="b", to_plain=lambda box: box.content, from_plain=Box)
TYPES.register(Broken, tag="t" * 255, to_plain=lambda box: box.gone, from_plain=Broken)

PACK: Values = MsgPack(TYPES)

WRAPPED = st.one_of(
    VALUES,
    st.builds(Point, VALUES, VALUES),
    st.builds(Pair, VALUES, VALUES),
    st.builds(Box, VALUES),
    st.builds(Note, text=st.text(), parts=st.lists(VALUES, max_size=3)),
)
ROWS = st.lists(WRAPPED, max_size=3)
PAIRS = st.dictionaries(HASHABLES, WRAPPED, max_size=3)
TYPED = st.one_of(
    WRAPPED,
    ROWS.map(tuple),
    PAIRS,
    PAIRS.map(OrderedDict),
    st.builds(defaultdict[Value, Value], st.just(list), PAIRS),
    st.builds(deque[Value], ROWS, st.none() | st.integers(0, 9)),
    st.builds(Point, ROWS, WRAPPED),
    st.builds(Box, WRAPPED),
)


def head(items: Sequence[object]) -> bytes:
    """Return what stands before so many items."""
    return packb([None] * len(items))[: -len(items) or None]


@given(value=TYPED)
@MANY
def test_what_is_taken_apart_is_what_is_written(value: Value) -> None:
    """Head of the extension, prefix and the form of the inner value are the whole, every byte."""
    opened = PACK.open(value)
    if opened is not None:
        inside = opened.prefix + PACK.dumps(opened.value)
        assert packb(Ext(opened.code, inside)) == PACK.dumps(value)


@given(items=st.lists(WRAPPED, max_size=18))
@MANY
def test_a_list_is_its_head_and_its_items(items: list[Value]) -> None:
    """Whoever keeps the items apart can put the list together."""
    assert head(items) + b"".join(map(PACK.dumps, items)) == PACK.dumps(items)


@given(value=st.dictionaries(st.text(max_size=9), WRAPPED, max_size=20))
@MANY
def test_a_dictionary_is_its_head_its_keys_and_its_values(value: dict[str, Value]) -> None:
    """The same with text keys, in their order."""
    parts = [PACK.dumps(part) for pair in value.items() for part in pair]
    empty = packb(dict.fromkeys(map(str, range(len(value)))))
    size = 1 if len(value) <= 15 else 3
    assert empty[:size] + b"".join(parts) == PACK.dumps(value)


APART: list[tuple[Value, Opened]] = [
    ((1, (2,)), Opened(code.TUPLE, b"", [1, (2,)])),
    ((), Opened(code.TUPLE, b"", [])),
    ({1: "a", "b": 2}, Opened(code.MAP, b"", [1, "a", "b", 2])),
    ({"\ud800": 1}, Opened(code.MAP, b"", ["\ud800", 1])),
    (deque([1], 3), Opened(code.DEQUE, b"", [3, 1])),
    (OrderedDict(a=1), Opened(code.ORDERED, b"", ["a", 1])),
    (Counter("aa"), Opened(code.COUNTER, b"", ["a", 2])),
    (defaultdict(int, a=1), Opened(code.DEFAULTS, b"", ["int", "a", 1])),
    (Box([1]), Opened(code.TYPED, b"\1b", [1])),
]


@pytest.mark.parametrize(
    ("value", "expected"),
    APART,
)
def test_ordered_containers_and_classes_open(value: Value, expected: Opened) -> None:
    """The code, the tag behind its length, and what the value consists of."""
    assert expected == PACK.open(value)


MADE: list[Value] = [Point([1], 2), Pair(1, (2,)), Note(text="a", parts=[{}])]


@pytest.mark.parametrize("value", MADE)
def test_what_a_class_consists_of_is_a_dictionary_with_text_keys(value: Value) -> None:
    """So a big field of a class is split like a big value of a dictionary."""
    opened = PACK.open(value)
    assert opened is not None
    assert dict is type(opened.value)
    assert packb(Ext(code.TYPED, opened.prefix + PACK.dumps(opened.value))) == PACK.dumps(value)


WHOLE: list[Value] = [
    *(None, True, 1, 2**70, 1.5, "a", "\ud800", b"a", bytearray(b"a"), Decimal("1.0")),
    *([], [(1,)], {}, {"a": (1,)}, set(), {1}, frozenset({1}), Color.RED, Rights.READ),
    *(Opaque("t", b"\x01"), np.arange(3), np.float64(1)),
]


@pytest.mark.parametrize(
    "value",
    WHOLE,
    ids=lambda value: type(value).__name__,
)
def test_all_others_stay_in_one_piece(value: Value) -> None:
    """Plain values, leaves, sets, enums, arrays, and what nobody here knows."""
    assert PACK.open(value) is None


REFUSED: list[tuple[Value, str]] = [
    (object(), "unknown_type"),
    (Broken(1), "to_plain_failed"),
    (defaultdict(lambda: 0), "bad_factory"),
]


@pytest.mark.parametrize(
    ("value", "error"),
    REFUSED,
)
def test_what_cannot_be_written_cannot_be_opened(value: Value, error: str) -> None:
    """The same error as from writing it."""
    for act in (PACK.open, PACK.dumps):
        with pytest.raises(Invalid) as caught:
            act(value)
        assert error == caught.value.code
