"""What another program wrote is read and written back byte for byte, its types unknown."""

from __future__ import annotations

import os
import struct
from datetime import UTC, datetime
from typing import Any

import ormsgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropewalk.codecs.allowlist import Opaque, TypeRegistry
from ropewalk.codecs.foreign import ForeignValues
from ropewalk.codecs.format import MAX_DEPTH
from ropewalk.codecs.serialize import MsgPack
from ropewalk.domain.errors import Corrupt, Invalid
from ropewalk.domain.ports import Opened, Values
from ropewalk.testing.values import PLAIN_SCALARS, VALUES, Value, same

MANY = settings(
    max_examples=600 if os.environ.get("ROPEWALK_LONG") else 50, deadline=None, database=None
)

FOREIGN = ForeignValues("langgraph")

EXTENSIONS = st.builds(ormsgpack.Ext, st.integers(0, 127), st.binary(max_size=70))
KEYS = st.one_of(
    st.text(max_size=4),
    st.integers(-(2**63), 2**64 - 1),
    st.binary(max_size=4),
    st.none(),
    st.tuples(st.integers(), st.text(max_size=3)).filter(lambda key: -(2**63) <= key[0] < 2**64),
)
ITEMS = st.recursive(
    PLAIN_SCALARS | EXTENSIONS,
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(KEYS, inner, max_size=20),
    max_leaves=40,
)


@given(value=ITEMS)
@MANY
def test_what_a_library_wrote_is_written_back(value: Value) -> None:
    """Any value with any extensions, in the shortest form, keeps every byte."""
    data = ormsgpack.packb(value, option=ormsgpack.OPT_NON_STR_KEYS)
    assert data == FOREIGN.dumps(FOREIGN.loads(data))


@given(value=VALUES)
@MANY
def test_our_own_values_are_foreign_to_it_as_well(value: Value) -> None:
    """The stored form of every value that we keep goes through unchanged."""
    data = MsgPack(TypeRegistry()).dumps(value)
    assert data == FOREIGN.dumps(FOREIGN.loads(data))


@given(code=st.integers(-128, 127), data=st.binary(max_size=300) | st.just(bytes(70_000)))
@MANY
def test_every_code_and_every_length(code: int, data: bytes) -> None:
    """Also those that belong to MessagePack itself, and lengths of one, two and four bytes."""
    value = [Opaque(f"langgraph:{code}", data), {"a": code}]
    written = FOREIGN.dumps(value)
    assert value == FOREIGN.loads(written)
    assert written == FOREIGN.dumps(FOREIGN.loads(written))


@pytest.mark.parametrize("size", [0, 15, 16, 65_535, 65_536])
def test_long_containers(size: int) -> None:
    """Heads of every width are those that libraries write."""
    for value in (list(range(size)), {str(at): at for at in range(size)}):
        data = ormsgpack.packb(value)
        assert value == FOREIGN.loads(data)
        assert data == FOREIGN.dumps(value)


def test_an_extension_is_opaque_under_the_name_of_its_writer() -> None:
    """The tag says who wrote it and by which code; the bytes are what lies in it."""
    inside = ormsgpack.packb(["uuid", "UUID", "0" * 32])
    data = ormsgpack.packb({"id": ormsgpack.Ext(0, inside), "n": [1]})
    assert {"id": Opaque("langgraph:0", inside), "n": [1]} == FOREIGN.loads(data)
    values: Values = FOREIGN
    assert "langgraph" == values.name


def test_an_extension_in_which_one_value_lies_can_be_taken_apart() -> None:
    """So a long list in it is kept piece by piece; anything else stays in one piece."""
    inside = ormsgpack.packb(["uuid", "UUID", "0" * 32])
    values: Values = FOREIGN
    opened = Opened(0, b"", ["uuid", "UUID", "0" * 32])
    assert opened == values.open(Opaque("langgraph:0", inside))
    odd = [b"", b"\xc1", inside + b"\x01", b"\xcc\x01"]
    assert [None] * 4 == [values.open(Opaque("langgraph:0", data)) for data in odd]
    assert values.open(["plain"]) is None
    assert values.open(Opaque("langgraph:-1", inside)) is None
    assert values.open(Opaque("another:0", inside)) is None


def test_our_own_form_keeps_what_was_read() -> None:
    """What was read here may be kept in a store of our own, and comes back."""
    value = FOREIGN.loads(b"\x81\xa1a\xd4\x05\x01")
    pack = MsgPack(TypeRegistry())
    assert same(value, pack.loads(pack.dumps(value)))


@pytest.mark.seed("8.2")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x92\x01",
        b"\x01\x02",
        b"\xa2a",
        b"\xa1\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x05",
        b"\x91" * 5_000 + b"\xc0",
        b"\x81\xd4\x05\x01\x01",
        b"\x81\x80\x01",
    ],
    ids=[
        *("empty", "reserved", "cut", "two", "short text", "no text", "a lie", "a big lie", "deep"),
        *("extension as key", "dictionary as key"),
    ],
)
def test_what_cannot_be_read_is_damage(data: bytes) -> None:
    """Bytes that are not exactly one value do not give one."""
    with pytest.raises(Corrupt, match="no MessagePack that can be read") as caught:
        FOREIGN.loads(data)
    assert {"size": len(data)} == caught.value.facts


class Number(int):
    """A number of its own kind."""


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": [1, (2,)]}, "a[1]"),
        ({"a": bytearray(b"x")}, "a"),
        ({"a": Number(1)}, "a"),
        ([{"when": datetime(2026, 1, 1, tzinfo=UTC)}], "[0].when"),
        ([2**64], "[0]"),
        (["\ud800"], "[0]"),
        ({"a": {datetime(2026, 1, 1, tzinfo=UTC): 1}}, "a[<datetime>]<key>"),
        ([Opaque("other:5", b"")], "[0]"),
        ([Opaque("langgraph:128", b"")], "[0]"),
        ([Opaque("langgraph:05", b"")], "[0]"),
        ([Opaque("langgraph:x", b"")], "[0]"),
        ([Opaque("user", b"")], "[0]"),
    ],
)
def test_what_did_not_come_from_it_is_refused(value: Value, path: str) -> None:
    """Nothing is turned into something else on the way; the place is told."""
    with pytest.raises(Invalid) as caught:
        FOREIGN.dumps(value)
    assert ("unknown_type", path) == (caught.value.code, caught.value.facts["path"])


def test_depth_has_a_limit_when_written() -> None:
    """As deep as our own form, and no deeper; a value that holds itself is found out."""
    value: list[Any] = []
    for _ in range(MAX_DEPTH - 1):
        value = [value]
    assert value == FOREIGN.loads(FOREIGN.dumps(value))
    with pytest.raises(Invalid, match="max_depth") as caught:
        FOREIGN.dumps([value])
    assert "too_deep" == caught.value.code
    value.append(value)
    with pytest.raises(Invalid) as caught:
        FOREIGN.dumps(value)
    assert "cycle" == caught.value.code


def test_floats_keep_their_bits() -> None:
    """Not-a-number with a payload, and zero below zero."""
    for bits in (0x7FF8000000000001, 0xFFF8000000000000, 1 << 63):
        data = b"\xcb" + struct.pack(">Q", bits)
        assert data == FOREIGN.dumps(FOREIGN.loads(data))


def test_a_name_that_makes_no_tag_is_refused() -> None:
    """The name stands in tags, so it has their limit."""
    with pytest.raises(Invalid, match="a tag has 1 to 255 bytes"):
        ForeignValues("x" * 251)
    assert "x" * 250 == ForeignValues("x" * 250).name
