"""The checksum finds damage and bodies that lie under a wrong key."""

from __future__ import annotations

from zlib import crc32

import pytest

from ropewalk.codecs.checksum import Crc32
from ropewalk.codecs.recipe import Codec
from ropewalk.domain.errors import Corrupt
from ropewalk.testing.codec import CodecContract


class TestCrc32(CodecContract):
    """CRC-32 keeps the contract, and claims all that a checksum can."""

    binds_key = True
    detects_damage = True

    @pytest.fixture
    def codec(self) -> Codec:
        """Return the checksum."""
        return Crc32()


def test_the_form_is_crc_32_of_key_and_data() -> None:
    """Four bytes stand behind the data, little-endian: whoever knows zlib can check them."""
    encoded = Crc32().encode(b"data", b"key")
    assert (b"data" + crc32(b"keydata").to_bytes(4, "little"), "") == encoded


@pytest.mark.seed("8.2")
def test_every_change_within_32_bits_is_found() -> None:
    """Runs of up to 32 changed bits are found wherever they lie, also across data and checksum."""
    codec = Crc32()
    whole = int.from_bytes(codec.encode(b"a body", b"its key").data, "little")
    size = len(b"a body") + 4
    for start in range(size * 8 - 31):
        for pattern in (0x1, 0x3, 0x80000001, 0xFFFFFFFF, 0xDEADBEEF):
            damaged = (whole ^ (pattern << start)).to_bytes(size, "little")
            with pytest.raises(Corrupt, match="checksum"):
                codec.decode(damaged, b"its key", parameter="")


@pytest.mark.parametrize("data", [b"", b"a", b"abc"])
def test_less_than_a_checksum_is_damage(data: bytes) -> None:
    """Bytes that are too few to hold a checksum are damaged, whatever they are."""
    with pytest.raises(Corrupt):
        Crc32().decode(data, b"", parameter="")
