"""What every codec owes its pipeline; inherit it, and give it the codec as a fixture."""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..codecs.recipe import Codec, Encoded, Step
from ..domain.errors import Corrupt

_AAD: Final = b"\0\0\0\1a\0\0\0\1b\0\0\0\1c\0\0\0\7msgpack"
_OTHER_AAD: Final = b"\0\0\0\1a\0\0\0\1b\0\0\0\1d\0\0\0\7msgpack"

# A codec keeps nothing between calls, so one will do for all examples.
_MANY: Final = settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=(HealthCheck.function_scoped_fixture, HealthCheck.differing_executors),
)

_TEXTS: Final = st.one_of(
    st.binary(max_size=4_000),
    st.builds(bytes.__mul__, st.binary(max_size=60), st.integers(0, 200)),
)


def _opened(codec: Codec, encoded: Encoded, aad: bytes = _AAD) -> bytes:
    return codec.decode(encoded.data, aad, parameter=encoded.parameter)


class CodecContract:
    """Whatever goes in comes out again, or an error; three claims are tested where they are made.

    A subclass defines the fixture `codec`, and says with `binds_key` that a body does not open
    under other additional data, with `detects_damage` that no changed byte goes unnoticed, and
    with `deterministic` that equal bytes give equal bytes.
    """

    binds_key: ClassVar[bool] = False
    detects_damage: ClassVar[bool] = False
    deterministic: ClassVar[bool] = True

    @pytest.fixture
    def codec(self) -> Codec:
        """Return the codec that is to be proved right."""
        message = "define the fixture `codec` in the class that inherits this contract"
        raise LookupError(message)

    def test_its_name_can_stand_in_a_seal(self, codec: Codec) -> None:
        """A codec and its name keep the form that pipelines expect."""
        assert isinstance(codec, Codec)
        assert codec.name == Step(codec.name).name

    @pytest.mark.seed("6.4")
    @given(data=_TEXTS)
    @_MANY
    def test_everything_comes_back(self, codec: Codec, data: bytes) -> None:
        """What was encoded decodes to the same bytes, or was not worth encoding."""
        encoded = codec.encode(data, _AAD)
        if encoded is not None:
            assert data == _opened(codec, encoded)
            assert encoded.parameter == Step(codec.name, encoded.parameter).parameter

    @pytest.mark.parametrize("data", [b"", b"\0", b"a"], ids=["empty", "zero", "letter"])
    def test_the_smallest_bodies_come_back(self, codec: Codec, data: bytes) -> None:
        """Nothing, and one byte, are bodies like others."""
        encoded = codec.encode(data, _AAD)
        assert encoded is None or data == _opened(codec, encoded)

    @pytest.mark.parametrize("compressible", [True, False], ids=["text", "noise"])
    def test_five_megabytes_come_back(self, codec: Codec, *, compressible: bool) -> None:
        """A big body comes back, whether it can be made smaller or not."""
        data = b"all work and no play " * 250_000 if compressible else os.urandom(5_000_000)
        encoded = codec.encode(data, _AAD)
        assert encoded is None or data == _opened(codec, encoded)

    @given(data=_TEXTS, aad=st.binary(max_size=60))
    @_MANY
    def test_equal_bytes_give_equal_bytes(self, codec: Codec, data: bytes, aad: bytes) -> None:
        """A codec that says it is deterministic is; one that says it is not, opens both."""
        first, second = codec.encode(data, aad), codec.encode(data, aad)
        if self.deterministic:
            assert first == second
        for encoded in (first, second):
            assert encoded is None or data == _opened(codec, encoded, aad)

    def test_input_is_left_alone(self, codec: Codec) -> None:
        """Encoding and decoding change nothing that the caller holds."""
        data = b"abc" * 2_000
        encoded = codec.encode(data, _AAD)
        if encoded is not None:
            kept = bytes(encoded.data)
            _opened(codec, encoded)
            assert kept == encoded.data
        assert b"abc" * 2_000 == data

    def test_threads_do_not_disturb_each_other(self, codec: Codec) -> None:
        """Bodies that are encoded and decoded by several threads at once all come back."""

        def there_and_back(seed: int) -> bool:
            data = random.Random(seed).randbytes(200) * 60  # noqa: S311 (repeatable)
            encoded = codec.encode(data, _AAD)
            return encoded is None or data == _opened(codec, encoded)

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(there_and_back, range(120)))

    def test_an_unknown_parameter_is_refused(self, codec: Codec) -> None:
        """A parameter that the codec never gave does not open anything."""
        encoded = codec.encode(b"abc" * 2_000, _AAD)
        if encoded is not None:
            with pytest.raises(Corrupt):
                codec.decode(encoded.data, _AAD, parameter=f"{encoded.parameter}-unknown")

    @pytest.mark.seed("8.2")
    def test_a_body_belongs_to_its_key(self, codec: Codec) -> None:
        """A codec that says it binds the key does not open a body under another one."""
        encoded = codec.encode(b"abc" * 2_000, _AAD)
        if self.binds_key:
            assert encoded is not None
            with pytest.raises(Corrupt):
                _opened(codec, encoded, _OTHER_AAD)
        elif encoded is not None:
            assert b"abc" * 2_000 == _opened(codec, encoded, _OTHER_AAD)

    @pytest.mark.seed("8.2")
    def test_damage_is_found(self, codec: Codec) -> None:
        """A flipped bit and a missing end are errors, or at least never crash.

        A codec that says it detects damage raises `Corrupt` for each of them.
        """
        encoded = codec.encode(b"abc" * 400, _AAD)
        if encoded is None:
            return
        whole = encoded.data
        flipped = [_flip(whole, bit) for bit in range(0, len(whole) * 8, 1 + len(whole) // 64)]
        damaged = [*flipped, *(whole[:end] for end in range(0, len(whole), 1 + len(whole) // 99))]
        for data in damaged:
            try:
                opened = codec.decode(data, _AAD, parameter=encoded.parameter)
            except Corrupt:
                continue
            assert not self.detects_damage
            assert isinstance(opened, bytes)


def _flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
