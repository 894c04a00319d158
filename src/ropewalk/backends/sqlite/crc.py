"""Checksums of rows: a CRC-32 of what stands beside a body, so that a flipped bit is noticed.

A body has a checksum of its own, from its codecs. What a row says beside it (key, version, times,
parents, labels, seal) has one here, of the texts and not of their numbers: a damaged name is
noticed in the rows that have it. Only a thorough look compares them; reading costs nothing.

Two checksums make one by exclusive or: that of what stays as long as a record is not put anew, and
that of version and `updated_at`. So a version is raised without reading the rest of the row, and a
row that was damaged before stays known as damaged. CRC-32 finds every flip of a single bit, and of
any within 32: Koopman, "32-Bit Cyclic Redundancy Codes for Internet Applications" (2002).
"""

from __future__ import annotations

from typing import Final, TypeAlias
from zlib import crc32

from ormsgpack import packb

Part: TypeAlias = str | int | float | bytes | None

_MASK: Final = 0xFFFF_FFFF
_SIGN: Final = 0x8000_0000


def of_row(lasting: tuple[Part, ...], version: Part, updated_at: Part) -> int:
    """Return the checksum of a record's row; `lasting` are its other columns, names as texts."""
    try:
        check = crc32(packb(lasting)) ^ crc32(packb((version, updated_at)))
    except TypeError as error:
        raise _unfit(error) from error
    # With a sign it takes four bytes in the file; without, six.
    return (check ^ _SIGN) - _SIGN


def raised(crc: int, before: tuple[Part, Part], after: tuple[Part, Part]) -> int:
    """Return what `crc` becomes where version and `updated_at` alone change."""
    check = crc ^ crc32(packb(before)) ^ crc32(packb(after))
    return ((check & _MASK) ^ _SIGN) - _SIGN


def of_name(number: Part, text: Part, space: Part, kind: Part, at: Part, *, kept: int) -> int:
    """Return the checksum of a name, to which `kept` is added: it changes by itself."""
    return of_parts((number, text, space, kind, at)) + kept


def of_parts(parts: tuple[Part, ...]) -> int:
    """Return the checksum of a row that is never changed."""
    try:
        return (crc32(packb(parts)) ^ _SIGN) - _SIGN
    except TypeError as error:
        raise _unfit(error) from error


def _unfit(error: TypeError) -> UnicodeError:
    # What UTF-8 cannot hold, SQLite would refuse with this error in a moment.
    return UnicodeError(f"a text cannot be kept: {error}")
