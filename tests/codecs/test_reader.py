"""Bytes are not trusted: damage and malice are errors, never a wrong value or a crash."""

from __future__ import annotations

import struct
import sys
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import ormsgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ormsgpack import Ext, packb

from ropewalk.codecs import format as code
from ropewalk.codecs.allowlist import Opaque, TypeRegistry
from ropewalk.codecs.format import MAX_TYPED_DEPTH
from ropewalk.codecs.serialize import MsgPack
from ropewalk.domain.errors import Corrupt, Invalid, RopewalkError
from ropewalk.testing.values import PLAIN_VALUES, Value

PACK = MsgPack(TypeRegistry())

SAMPLE = {
    "a": [1, (2, {3: "x"}), datetime(2026, 1, 1, tzinfo=UTC)],
    "b": {Decimal("1.5"), frozenset({"y"})},
    "c": [2**70, "\ud800", bytearray(b"z"), date(2026, 1, 1)],
}


@pytest.mark.seed("8.2")
def test_every_cut_is_found() -> None:
    """A value that lacks its end is damaged, wherever it was cut."""
    data = PACK.dumps(SAMPLE)
    for end in range(len(data)):
        with pytest.raises(Corrupt):
            PACK.loads(data[:end])


@pytest.mark.seed("8.2")
@pytest.mark.parametrize("more", [b"\0", b"\xc0", b"\x91", PACK.dumps(SAMPLE)])
def test_something_behind_the_value_is_found(more: bytes) -> None:
    """Bytes behind a value are damage, though the decoder would stop before them."""
    with pytest.raises(Corrupt):
        PACK.loads(PACK.dumps(SAMPLE) + more)


@given(data=st.binary(max_size=80))
@settings(max_examples=400, deadline=None, database=None)
def test_any_bytes_are_a_value_or_an_error(data: bytes) -> None:
    """Random bytes give a value, `Corrupt` or `Invalid`, and nothing else."""
    try:
        PACK.loads(data)
    except (Corrupt, Invalid):
        return


FORMS = st.recursive(
    PLAIN_VALUES | st.sampled_from(["C", "F", "<f8", "1,<f8", "(2)f8", "O", "Europe", "", b"p"]),
    lambda inner: st.builds(
        Ext,
        st.sampled_from(code.OURS),
        st.binary(max_size=20) | inner.map(packb) | st.lists(inner, max_size=4).map(packb),
    ),
    max_leaves=6,
)


@given(value=FORMS)
@settings(max_examples=300, deadline=None, database=None)
def test_any_forms_are_a_value_or_an_error(value: Value) -> None:
    """The same holds for well-formed bytes with every form and any content."""
    try:
        PACK.loads(packb([value]))
    except (Corrupt, Invalid):
        return


def test_flipped_bits_give_a_value_or_an_error() -> None:
    """Without a checksum damage may go unnoticed here, but it never raises anything else."""
    data = PACK.dumps(SAMPLE)
    outcomes: set[str] = set()
    for bit in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            PACK.loads(bytes(damaged))
            outcomes.add("value")
        except RopewalkError as error:
            outcomes.add(type(error).__name__)
    assert {"value", "Corrupt"} <= outcomes <= {"value", "Corrupt", "Invalid"}


@pytest.mark.parametrize(
    "stored",
    [
        Ext(code.TUPLE, packb({})),
        Ext(code.TUPLE, packb([1])[:-1]),
        Ext(code.TUPLE, packb([1]) + b"\0"),
        Ext(code.MAP, packb([1])),
        Ext(code.MAP, packb([1, 2, 1, 3])),
        Ext(code.MAP, packb([[], 1])),
        Ext(code.SET, packb([1, 1])),
        Ext(code.SET, packb([1, 1.0])),
        Ext(code.SET, packb([{}])),
        Ext(code.FROZENSET, packb([None, None])),
        Ext(code.DEQUE, packb([])),
        Ext(code.DEQUE, packb([1, 2, 3])),
        Ext(code.DEQUE, packb([-1])),
        Ext(code.DEQUE, packb(["x", 1])),
        Ext(code.ORDERED, packb(["a"])),
        Ext(code.DEFAULTS, packb(["os.system"])),
        Ext(code.DEFAULTS, packb([])),
        Ext(code.COUNTER, packb(["a"])),
        Ext(code.TEXT, b"\xff"),
        Ext(code.DATETIME, packb([0])),
        Ext(code.DATETIME, packb([2**62, 0])),
        Ext(code.DATETIME, packb([0, 0, 2])),
        Ext(code.DATETIME, packb([0, 86_400_000_000])),
        Ext(code.DATETIME, packb([0, "../../etc/passwd"])),
        Ext(code.DATETIME, packb([0, "/etc/passwd"])),
        Ext(code.DATETIME, packb("x")),
        Ext(code.DATE, packb(0)),
        Ext(code.DATE, packb("x")),
        Ext(code.TIME, packb([86_400_000_000, None])),
        Ext(code.DURATION, packb([10**10, 0, 0])),
        Ext(code.OFFSET, packb([0])),
        Ext(code.DECIMAL, b"one"),
        Ext(code.DECIMAL, b"1E9999999999999999999999"),
        Ext(code.FRACTION, packb([b"\1", b"\0"])),
        Ext(code.COMPLEX, b"short"),
        Ext(code.UUID, b"short"),
        Ext(code.PATH, b"?x"),
        Ext(code.PATH, b""),
        Ext(code.ARRAY, packb(["<f8", "C", [3], b"12345678"])),
        Ext(code.ARRAY, packb(["O", "C", [1], b"12345678"])),
        Ext(code.ARRAY, packb(["2,f8", "C", [1], b"12345678"])),
        Ext(code.ARRAY, packb(["f8,(", "C", [1], b"12345678"])),
        Ext(code.ARRAY, packb(["<f8", "K", [1], b"12345678"])),
        Ext(code.ARRAY, packb(["<f8", "C", [-1, -1], b"12345678"])),
        Ext(code.SCALAR, packb(["<f8", b"1234567812345678"])),
        Ext(code.SCALAR, packb(["<f8", b""])),
        Ext(code.TYPED, b""),
        Ext(code.TYPED, b"\5tag"),
        Ext(code.TYPED, b"\0\xc0"),
        Ext(code.TYPED, b"\1\xff"),
    ],
    ids=lambda stored: str(stored)[:0] or None,
)
def test_forms_that_nobody_wrote_are_damage(stored: Ext) -> None:
    """Each form has a shape, and anything else is refused rather than guessed."""
    for value in (stored, [stored], {"k": stored}, Ext(code.TUPLE, packb([stored]))):
        with pytest.raises(Corrupt, match="no value that was written here"):
            PACK.loads(packb(value))


def test_a_form_of_the_future_is_no_damage() -> None:
    """A code that is unknown belongs to a later version, and the sentence says so."""
    with pytest.raises(Invalid, match=r"form 62 .* later") as caught:
        PACK.loads(packb([Ext(62, b"")]))
    assert ("unknown_form", {"form": 62}) == (caught.value.code, caught.value.facts)


def test_a_zone_that_this_machine_lacks_is_no_damage() -> None:
    """An unknown zone is told by its key, with what to install."""
    with pytest.raises(Invalid, match="'Mars/Olympus'; install tzdata"):
        PACK.loads(packb(Ext(code.DATETIME, packb([0, "Mars/Olympus"]))))


def _ext(form: int, data: bytes) -> bytes:
    return b"\xc9" + struct.pack(">Ib", len(data), form) + data


def _layers(levels: int, arrays: int) -> bytes:
    """Return typed values inside one another, each deep within arrays."""
    data = b"\x90"
    for _ in range(levels):
        data = b"\x91" * arrays + _ext(code.TUPLE, data)
    return data


@pytest.mark.parametrize(
    ("levels", "arrays"),
    [(0, 10_000_000), (1, 2_000), (16, 1_000), (300, 1_000), (5_000, 1), (2_000, 3)],
)
def test_endless_nesting_does_not_exhaust_the_stack(levels: int, arrays: int) -> None:
    """Brackets within typed values within brackets are refused, also on a thread's small stack."""
    data = b"\x91" * arrays + b"\x90" if not levels else _layers(levels, arrays)
    caught: list[BaseException] = []

    def read() -> None:
        try:
            PACK.loads(data)
        except Corrupt as error:
            caught.append(error)

    before = threading.stack_size(2 * 1024 * 1024)
    try:
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert [Corrupt] == list(map(type, caught))


def _typed_tower(levels: int, around: Callable[[Value], Value]) -> Value:
    value: Any = ()
    for _ in range(levels - 1):
        value = around(value)
    return value


def test_honest_nesting_is_read_however_long_the_items() -> None:
    """Typed values in one another with many items beside them are no attack."""
    rows = [{"n": n, "items": [[n]]} for n in range(400)]
    value = _typed_tower(MAX_TYPED_DEPTH, lambda inner: (rows[:30], inner, rows[30:60]))
    assert value == PACK.loads(PACK.dumps(value))
    deep: Any = 0
    for _ in range(180):
        deep = [deep]
    value = _typed_tower(20, lambda inner: (rows, inner))
    assert [deep, value] == PACK.loads(PACK.dumps([deep, value]))


def test_an_interrupt_while_reading_is_passed_on() -> None:
    """What is no error is not taken for damage, though it is raised below the decoder."""
    types = TypeRegistry()

    def interrupted(plain: object) -> object:
        raise KeyboardInterrupt(plain)

    class Slow:
        """A class whose making is interrupted."""

    types.register(Slow, tag="slow", to_plain=lambda _: 1, from_plain=interrupted)
    data = MsgPack(types).dumps([(Slow(),)])
    with pytest.raises(KeyboardInterrupt):
        MsgPack(types).loads(data)


def test_a_stack_that_is_nearly_full_is_no_damage() -> None:
    """Where the caller leaves too little stack, the error does not blame the data."""
    value = _typed_tower(MAX_TYPED_DEPTH, lambda inner: (inner,))
    data = PACK.dumps(value)

    def descend(frames: int) -> str:
        if frames:
            return descend(frames - 1)
        try:
            PACK.loads(data)
        except Invalid as error:
            return error.code
        return "value"

    outcomes: list[str] = []
    for frames in range(200, sys.getrecursionlimit()):
        try:
            outcomes.append(descend(frames))
        except RecursionError:
            outcomes.append("no stack at all")
    assert ["value", "too_deep", "no stack at all"] == list(dict.fromkeys(outcomes))


def test_an_unknown_tag_is_kept_as_it_is() -> None:
    """A type that is not registered is neither imported nor lost."""
    stored = packb(["os.system", {"k": 1}])
    data = packb([Ext(code.TYPED, b"\x09os.system" + stored)])
    value = PACK.loads(data)
    assert [Opaque("os.system", stored)] == value
    assert data == PACK.dumps(value)
    assert ["os.system", {"k": 1}] == PACK.loads(value[0].data)
    assert ormsgpack.unpackb(stored) == ["os.system", {"k": 1}]
