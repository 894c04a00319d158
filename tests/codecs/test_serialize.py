"""Every value comes back as what it was, or is refused with the place where it lies."""

from __future__ import annotations

import os
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings

from ropewalk.codecs.allowlist import TypeRegistry
from ropewalk.codecs.format import MAX_DEPTH
from ropewalk.codecs.quick import write_leaf
from ropewalk.codecs.serialize import MsgPack
from ropewalk.codecs.writer import Writer
from ropewalk.domain.errors import Corrupt, Invalid
from ropewalk.testing.values import PLAIN_VALUES, VALUES, Value, same

MANY = settings(
    max_examples=600 if os.environ.get("ROPEWALK_LONG") else 60, deadline=None, database=None
)

PACK = MsgPack(TypeRegistry())
ROME = ZoneInfo("Europe/Rome")


class Text(str):
    """A text of its own kind."""

    __slots__ = ()


class Table(dict[str, int]):
    """A dictionary of its own kind."""


class Grade(IntEnum):
    """A number with a name."""

    GOOD = 1


class Word(StrEnum):
    """A text with a name."""

    YES = "yes"


class Foo:
    """A class that nobody registered."""


KEPT: list[Value] = [
    None,
    True,
    0,
    -(2**63),
    2**64 - 1,
    2**64,
    -(2**63) - 1,
    10**5_000,
    -(10**5_000),
    0.0,
    -0.0,
    float("nan"),
    float("-inf"),
    1e-320,
    "",
    "\0",
    "\u4e2d\U0001f9f6",
    "lone \ud800 surrogate",
    b"",
    b"\xc4\x01a",
    bytearray(b"raw"),
    complex(-0.0, float("inf")),
    Decimal("1.10"),
    Decimal("-0E-30"),
    Decimal("sNaN123"),
    Fraction(-(10**5_000), 3),
    UUID(int=1),
    date.min,
    date.max,
    datetime(2026, 10, 25, 2, 30, tzinfo=ROME),
    datetime(2026, 10, 25, 2, 30, tzinfo=ROME, fold=1),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=5, seconds=7, microseconds=1))),
    datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=8), "CST")),
    time(23, 59, 59, 999_999),
    time(1, tzinfo=UTC),
    time(1, tzinfo=ROME, fold=1),
    timedelta.min,
    timedelta.max,
    UTC,
    ZoneInfo("UTC"),
    Path("some") / "file.txt",
    PurePosixPath("/a/\udcff"),
    PureWindowsPath("C:\\a"),
    (),
    ((),),
    {},
    {1: "a", "1": "b", None: "c", (1, (2,)): "d", b"1": "e", 1.5: "f", frozenset({1}): "g"},
    {True: 1, 0: 2},
    {"\ud800": 1},
    {"b": 1, "a": 2},
    set(),
    {1, "a", (2,)},
    frozenset({frozenset({1})}),
    deque([1, 2], maxlen=3),
    deque(),
    OrderedDict(b=1, a=2),
    Counter("banana"),
    defaultdict(list, {"a": [1]}),
    defaultdict(None, {(1,): 2}),
    [bytearray(b"a"), b"a", [{"k": bytearray(b"b")}]],
    {"deep": [{"x": ({"y": {1: [bytearray(b"z")]}},)}]},
]

REFUSED: list[tuple[Value, str, str]] = [
    (Foo(), "the value", "holds a Foo, which is not registered"),
    (
        {"state": {"messages": [1, 2, 3, {"payload": Foo()}]}},
        "state.messages[3].payload",
        "call ropewalk.register_type(Foo, to_plain=..., from_plain=...)",
    ),
    ({"a": [(1, {2: Foo()})]}, "a[0][1][2]", "holds a Foo"),
    ({"two words": {"x": Foo()}}, "['two words'].x", "holds a Foo"),
    ({"k": {(1, 2): Foo()}}, "k[<tuple>]", "holds a Foo"),
    ({"k": {(1, Foo()): 2}}, "k[<tuple>]<key>[1]", "holds a Foo"),
    ({"k": deque([1, Foo()], 5)}, "k[1]", "holds a Foo"),
    ({"k": defaultdict(None, {"x": Foo()})}, "k.x", "holds a Foo"),
    ({"k": {Foo()}}, "k{...}", "holds a Foo"),
    ({10**5_000: Foo()}, "[<int>]", "holds a Foo"),
    ({-7: Foo(), True: 1}, "[-7]", "holds a Foo"),
    ({"x" * 10_000: Foo()}, f"[{'x' * 40!r}...]", "holds a Foo"),
    ([Text("x")], "[0]", "holds a Text, which is not registered"),
    ({Text("x"): 1}, "[<Text>]<key>", "holds a Text, which is not registered"),
    ([Table()], "[0]", "holds a Table, which is not registered"),
    ([Grade.GOOD], "[0]", "call ropewalk.register_type(Grade)"),
    ({"w": Word.YES}, "w", "call ropewalk.register_type(Word)"),
    ({Word.YES: 1}, "[<Word>]<key>", "call ropewalk.register_type(Word)"),
    ([memoryview(b"x")], "[0]", "make it bytes"),
    ([{"k": (memoryview(b"x"),)}], "[0].k[0]", "make it bytes"),
    ([Foo], "[0]", "code cannot be kept"),
    ([len], "[0]", "code cannot be kept"),
    ([lambda: None], "[0]", "code cannot be kept"),
    ([os], "[0]", "code cannot be kept"),
    ([...], "[0]", "holds a ellipsis, which is not registered"),
    ([ValueError("x")], "[0]", "holds a ValueError, which is not registered"),
    ({"d": defaultdict(Foo)}, "d", "holds a defaultdict whose values are made by"),
    ({"d": defaultdict(lambda: 1)}, "d", "only bool, bytes, dict"),
    ({"at": datetime(2026, 1, 1)}, "at", "is 2026-01-01T00:00:00 without a time zone"),
    ({"at": [(datetime(2026, 1, 1),)]}, "at[0][0]", "without a time zone"),
]


def nested(levels: int, inside: Value = None) -> list[Any]:
    """Return so many lists inside one another."""
    value: list[Any] = [] if inside is None else [inside]
    for _ in range(levels - 1):
        value = [value]
    return value


@given(value=VALUES)
@MANY
def test_every_value_comes_back_as_it_was(value: Value) -> None:
    """Types, contents and orders survive, at every depth."""
    assert same(value, PACK.loads(PACK.dumps(value)))


@given(value=PLAIN_VALUES)
@MANY
def test_the_quick_way_and_the_walk_agree(value: Value) -> None:
    """Plain values give the same bytes, whether ormsgpack packs them or we walk through them."""
    big = 2**70
    assert PACK.dumps(value) == PACK.dumps([value, {1: big}])[1 : -len(PACK.dumps({1: big}))]


@given(value=VALUES)
@MANY
def test_what_was_read_is_written_alike(value: Value) -> None:
    """Writing, reading and writing again gives the same bytes."""
    data = PACK.dumps(value)
    assert data == PACK.dumps(PACK.loads(data))


@pytest.mark.parametrize("value", KEPT, ids=lambda value: type(value).__name__)
def test_a_value_comes_back_as_it_was(value: Value) -> None:
    """Values that other formats change, round, reorder or refuse survive alone and nested."""
    for whole in (value, [value], {"k": value}, (value,), {"a": [{"b": (value, 1)}]}):
        assert same(whole, PACK.loads(PACK.dumps(whole)))


def test_plain_values_are_plain_messagepack() -> None:
    """Whoever knows MessagePack reads plain values without us."""
    assert b"\x82\xa1a\x93\x01\xc0\xc3\xa1b\xa1x" == PACK.dumps({"a": [1, None, True], "b": "x"})


def test_equal_sets_give_equal_bytes() -> None:
    """The order of a set, which changes with the process, does not show."""
    one = {f"item {n}" for n in range(100)}
    other = {f"item {n}" for n in reversed(range(100))}
    assert PACK.dumps(one) == PACK.dumps(other)
    assert PACK.dumps([frozenset(one)]) == PACK.dumps([frozenset(other)])


def test_many_items_have_a_long_head() -> None:
    """Sets of every size come back: their head has one, three or five bytes."""
    for size in (0, 1, 15, 16, 65_535, 65_536):
        assert set(range(size)) == PACK.loads(PACK.dumps(set(range(size))))


def test_what_was_read_is_the_callers_own() -> None:
    """Reading twice gives two values that share nothing."""
    data = PACK.dumps({"a": [1], "b": bytearray(b"x")})
    one, other = PACK.loads(data), PACK.loads(data)
    one["a"].append(2)
    one["b"] += b"y"
    assert {"a": [1], "b": bytearray(b"x")} == other


def test_comparing_tells_what_writing_would() -> None:
    """Of any two values, also of bytes and what comes as bytes, and of typed ones."""
    marked = {"n": 0xC4C5, "text": "\u0107", "list": [b"", {"deep": b"x"}]}
    values = [*KEPT, marked, [bytearray(b"a"), bytearray(b"a")], [b"a", b"a"], [KEPT, marked]]
    for before in values:
        form = PACK.dumps(before)
        for value in values:
            expected = PACK.dumps(value) == form
            assert expected == PACK.same(value, form, bare=False)
            assert expected == PACK.same(value, form, bare=PACK.is_bare(form))
            # What comes out without a closer look is a bare form only where the two are the same.
            assert expected or not PACK.is_bare(form) or PACK.bare(value) != form
    with pytest.raises(Invalid, match="holds a Foo"):
        PACK.same([Foo()], PACK.dumps([1]), bare=True)


def test_a_form_is_bare_where_no_bytes_lie_in_it() -> None:
    """Numbers and texts whose bytes look like the beginning of bytes do not count as such."""
    bare = ["\u0107", 0xC4, {"\u0107": [1.5, 0xC5]}, [Decimal(1), "\u0107"], "a" * 0xC4]
    assert all(PACK.is_bare(PACK.dumps(value)) for value in bare)
    held = [b"", {"a": [b"x"]}, {"b": {"c": b"x" * 70_000}}, [[[b"x" * 300]]]]
    assert not any(PACK.is_bare(PACK.dumps(value)) for value in held)


@pytest.mark.parametrize(("value", "path", "words"), REFUSED)
def test_what_cannot_be_kept_is_refused_by_its_path(value: Value, path: str, words: str) -> None:
    """The error names the place in the value, the type and what to do."""
    with pytest.raises(Invalid) as caught:
        PACK.dumps(value)
    assert caught.value.message.startswith(path)
    assert words in caught.value.message
    assert path == caught.value.facts["path"]


def test_the_error_has_a_code_and_the_type() -> None:
    """A program can tell the reasons apart without reading sentences."""
    refused: list[tuple[str, object]] = []
    for value in (Foo(), datetime(2026, 1, 1), nested(MAX_DEPTH + 1)):
        with pytest.raises(Invalid) as caught:
            PACK.dumps([value])
        refused.append((caught.value.code, caught.value.facts["type"]))
    assert [("unknown_type", "Foo"), ("naive_time", "datetime"), ("too_deep", "list")] == refused


def test_an_object_in_two_places_becomes_two() -> None:
    """Sharing is no circle; each place gets its own."""
    shared = [1]
    one, other = PACK.loads(PACK.dumps([shared, shared]))
    assert ([1], [1], False) == (one, other, one is other)


def test_no_bytes_are_no_value() -> None:
    """An empty body is damaged, not `None`."""
    with pytest.raises(Corrupt):
        PACK.loads(b"")


def test_leaves_are_what_holds_no_others() -> None:
    """The quick way writes exactly the typed values that the walk writes as leaves."""
    walk = Writer(TypeRegistry())
    value = datetime(2026, 1, 1, tzinfo=UTC)
    assert PACK.dumps([write_leaf(value)]) == PACK.dumps([walk.plain(value)])
