"""Tell damage from data: a checksum over the body and everything that it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from zlib import crc32

from ..domain.errors import Corrupt
from .recipe import Encoded

_SIZE: Final = 4
_ORDER: Final = "little"

_RESIDUE: Final = 0x2144DF1C
"""CRC-32 of anything with its own CRC-32 behind it, little-endian: so it is told in one pass."""


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
        if len(data) < _SIZE or crc32(data, crc32(aad)) != _RESIDUE:
            raise _differs(data)
        return data[:-_SIZE]

    def decode_all(
        self, bodies: Sequence[bytes], aads: Sequence[bytes], *, parameter: str
    ) -> list[bytes]:
        """Return what `decode` does for each, with no call for one but those of zlib."""
        if parameter:
            return [
                self.decode(data, aad, parameter=parameter)
                for data, aad in zip(bodies, aads, strict=True)
            ]
        for data, aad in zip(bodies, aads, strict=True):
            if len(data) < _SIZE or crc32(data, crc32(aad)) != _RESIDUE:
                raise _differs(data)
        return [data[:-_SIZE] for data in bodies]


def _differs(data: bytes) -> Corrupt:
    message = "the checksum does not agree with the bytes and their key"
    return Corrupt(message, code="checksum", size=len(data))
