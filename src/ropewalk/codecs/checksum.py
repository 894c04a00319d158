"""Tell damage from data: a checksum over the body and everything that it belongs to."""

from __future__ import annotations

from typing import Final
from zlib import crc32

from ..domain.errors import Corrupt
from .recipe import Encoded

_SIZE: Final = 4
_ORDER: Final = "little"


class Crc32:
    """Put CRC-32 (ISO 3309, as in zlib) of key, steps and data behind the data.

    Little-endian, as CRC-32 counts bits: so it finds every change within 32 neighbouring bits,
    wherever they lie, and any other damage but for one case in 2^32; also a body that lies under
    the key of another record. It is no defence against somebody
    who means harm: for that a seal needs encryption.
    """

    name: str = "crc32"

    def encode(self, data: bytes, aad: bytes) -> Encoded:
        """Return the data with its checksum."""
        return Encoded(data + crc32(data, crc32(aad)).to_bytes(_SIZE, _ORDER))

    def decode(self, data: bytes, aad: bytes, *, parameter: str) -> bytes:
        """Return the data without its checksum; raise `Corrupt` where the two disagree."""
        if parameter:
            message = f"crc32 has no parameter {parameter!r}"
            raise Corrupt(message, code="bad_seal", parameter=parameter)
        inner = data[:-_SIZE]
        expected = int.from_bytes(data[-_SIZE:], _ORDER)
        if len(data) < _SIZE or crc32(inner, crc32(aad)) != expected:
            message = "the checksum does not agree with the bytes and their key"
            raise Corrupt(message, code="checksum", size=len(data))
        return inner
