"""The serializer's own bytes, whole or put together out of parts, and its own values back."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import numpy as np
import ormsgpack
import pytest
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from ropewalk.domain.errors import Corrupt, Invalid
from ropewalk.frontends.langgraph.values import SerdeValues, Typed, extension_of

from .kinds import BIG, KINDS, Order

pytestmark = pytest.mark.seed("3.4")

SERDE = JsonPlusSerializer()


class Keystream:
    """A cipher good enough to see that values are hidden: never use it for anything else."""

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        """Hide bytes under a stream that begins somewhere else each time."""
        nonce = os.urandom(16)
        return "stream", nonce + _mixed(nonce, plaintext)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        """Show what was hidden."""
        assert "stream" == ciphername
        return _mixed(ciphertext[:16], ciphertext[16:])


def _mixed(nonce: bytes, data: bytes) -> bytes:
    stream = hashlib.shake_256(nonce).digest(len(data))
    return bytes(a ^ b for a, b in zip(data, stream, strict=True))


class Own:
    """A serializer of a program of its own: it knows texts and nothing else."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:  # noqa: ANN401 (as LangGraph has it)
        """Write the text of anything."""
        return "text", repr(obj).encode()

    def loads_typed(self, data: tuple[str, bytes]) -> Any:  # noqa: ANN401 (as LangGraph has it)
        """Read the text."""
        assert "text" == data[0]
        return data[1].decode()


@pytest.mark.parametrize("kind", KINDS)
def test_a_channel_comes_back_as_the_serializer_gives_it(kind: str) -> None:
    """What is loaded is what LangGraph's own savers would have given, in type and value."""
    values = SerdeValues(SERDE)
    value = KINDS[kind]

    expected = SERDE.loads_typed(SERDE.dumps_typed(value))
    form = values.dumps(values.prepared(value))

    for actual in (values.loads(form), values.loads(form[:1], form[1:])):
        assert type(expected) is type(actual)
        assert repr(expected) == repr(actual)


@pytest.mark.parametrize("kind", KINDS)
def test_lists_and_dictionaries_are_made_of_their_items(kind: str) -> None:
    """The head of a list and the forms of its items are what the serializer makes of the list."""
    values = SerdeValues(SERDE)
    value = KINDS[kind]
    item = values.dumps(value)

    assert SERDE.dumps_typed([value, value])[1] == b"\x92" + item + item
    assert SERDE.dumps_typed({"k": value})[1] == b"\x81" + values.dumps("k") + item


@pytest.mark.parametrize("kind", BIG)
def test_a_big_typed_value_is_taken_apart_byte_for_byte(kind: str) -> None:
    """The parts of a big message, model or array make up the very bytes of the serializer."""
    values = SerdeValues(SERDE)
    form = values.dumps(BIG[kind])

    opened = values.open(BIG[kind])

    assert opened is not None
    inner = opened.prefix + values.dumps(opened.value)
    assert form == ormsgpack.packb(ormsgpack.Ext(opened.code, inner))


def test_what_has_no_parts_is_kept_in_one_piece() -> None:
    """Plain values are not taken apart here, nor is a model that writes itself in its own way."""

    class Sealed(Order):
        """A model that gives another picture of itself each time."""

        def model_dump(self, **_: object) -> dict[str, Any]:
            return {"name": os.urandom(8).hex()}

    values = SerdeValues(SERDE)

    assert [None] * 4 == [values.open(v) for v in ("text", 5, ["list"], Sealed(name="n"))]


def test_what_was_written_whole_is_kept_whole() -> None:
    """A form that is not MessagePack travels with its name, and long bytes can still be cut."""
    values = SerdeValues(SERDE)
    typed = Typed("bytearray", b"x" * 300)

    opened = values.open(typed)

    assert opened is not None
    inner = opened.prefix + values.dumps(opened.value)
    assert values.dumps(typed) == ormsgpack.packb(ormsgpack.Ext(opened.code, inner))
    assert bytearray(b"x" * 300) == values.loads(values.dumps(typed))


def test_what_was_written_whole_may_lie_in_a_list() -> None:
    """Beside messages, models and plain values, each of which comes back as itself."""
    values = SerdeValues(SERDE)
    items = [Typed("bytearray", b"b"), Order(name="n"), 31, {"k": KINDS["messages"]}]

    found = values.loads(b"\x94" + b"".join(map(values.dumps, items)))

    assert [bytearray(b"b"), Order(name="n"), 31, {"k": KINDS["messages"]}] == found
    with pytest.raises(Corrupt):
        values.loads(b"\x92\xd4\x1f\x01")


@pytest.mark.parametrize("size", [0, 1, 8, 200, 300, 70_000])
def test_what_was_written_whole_is_found_among_bytes_like_its_head(size: int) -> None:
    """However long it is, and wherever the number of its extension stands for something else."""
    values = SerdeValues(SERDE)
    items = [31, "x" * 31, {"k": 31}, Typed("bytearray", b"\x1f" * size)]

    found = values.loads(b"\x94" + b"".join(map(values.dumps, items)))

    assert [31, "x" * 31, {"k": 31}, bytearray(b"\x1f" * size)] == found


def test_pickles_are_kept_where_the_serializer_makes_them() -> None:
    """With pickle_fallback a value that needs it comes back; without, the error says what to do."""
    pickling = SerdeValues(JsonPlusSerializer(pickle_fallback=True))
    value = [1 + 2j, (1, 2)]

    form = pickling.dumps(pickling.prepared(value))

    assert value == pickling.loads(form)
    with pytest.raises(Invalid, match="pickle_fallback=True"):
        SerdeValues(SERDE).loads(form)


def test_encrypted_values_are_opaque() -> None:
    """Nothing of a value can be seen, each time it looks different, and the key brings it back."""
    values = SerdeValues(EncryptedSerializer(Keystream(), SERDE))
    secret = ["the code is 4711"]

    first, second = (values.dumps(values.prepared(secret)) for _ in range(2))

    assert first != second
    assert b"4711" not in first
    assert secret == values.loads(first) == values.loads(second)
    assert values.open(secret) is None


def test_another_serializer_sees_whole_values() -> None:
    """A serializer of one's own is asked for a channel as a whole, never for its parts."""
    values = SerdeValues(Own())

    assert "[1, {'a': 2}]" == values.loads(values.dumps(values.prepared([1, {"a": 2}])))


def test_strict_serializers_hand_out_plain_values() -> None:
    """A type that is not allowed comes back as what it was made of, one that is as itself."""
    form = SerdeValues(SERDE).dumps(Order(name="n"))
    strict = JsonPlusSerializer(allowed_msgpack_modules=[])
    allowing = JsonPlusSerializer(allowed_msgpack_modules=[Order])

    assert {"name": "n", "amount": 0.5, "tags": []} == SerdeValues(strict).loads(form)
    assert Order(name="n") == SerdeValues(allowing).loads(form)


def test_what_a_serializer_decides_about_is_read_anew_each_time() -> None:
    """Plain values are the same for ever; a type may be allowed later, and a hook is not known."""

    def hook(code: int, data: bytes) -> object:
        return code, data

    form = SerdeValues(SERDE).dumps([{"role": "user", "text": "x" * 199}, 1.5, None])
    typed = SerdeValues(SERDE).dumps([Order(name="n")])

    assert SerdeValues(SERDE).repeats(form)
    assert not SerdeValues(SERDE).repeats(typed)
    assert not SerdeValues(JsonPlusSerializer(__unpack_ext_hook__=hook)).repeats(form)


def test_values_of_one_serializer_are_the_same() -> None:
    """A saver makes them anew at each call, and what is remembered of one is for the next."""
    assert SerdeValues(SERDE) == SerdeValues(SERDE)
    assert 1 == len({SerdeValues(SERDE), SerdeValues(SERDE)})
    assert SerdeValues(SERDE) != SerdeValues(JsonPlusSerializer())


@pytest.mark.parametrize("value", [object(), 2**64, [object()], {"a": {1, object}}])
def test_what_cannot_be_written_is_refused(value: object) -> None:
    """The error is ours and keeps the serializer's as its cause."""
    with pytest.raises(Invalid, match="cannot be written") as caught:
        SerdeValues(SERDE).dumps(value)

    assert "unserializable" == caught.value.code
    assert isinstance(caught.value.__cause__, TypeError)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x92\x01", b"\xd4\x1f\x01", b"\xd5\x1f\x92\x01"])
def test_damaged_values_are_corrupt(data: bytes) -> None:
    """Bytes that are no value are named as damage, not read as something else."""
    with pytest.raises(Corrupt):
        SerdeValues(SERDE).loads(data)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 8, 16, 200, 300, 70_000])
def test_extensions_of_any_length_are_told_apart(size: int) -> None:
    """Code and payload are found whatever form the length has."""
    data = ormsgpack.packb(ormsgpack.Ext(5, b"x" * size))

    assert (5, b"x" * size) == extension_of(data)
    assert [None, None] == [
        extension_of(ormsgpack.packb(v)) for v in ("text", np.arange(2).tolist())
    ]
