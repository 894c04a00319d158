"""When something was made, as far as its id or its checkpoint tells; and ids for times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from ...domain.moment import EPOCH

_GREGORIAN: Final = datetime(1582, 10, 15, tzinfo=UTC)
_TIMED: Final = 6
_TICKS: Final = 10

# RFC 9562, 5.6: the ticks of 100 nanoseconds since 1582, the most significant first, with the
# version between them and the last twelve bits; then the variant, then anything.
_VARIANT: Final = 0b10
_REST: Final = (1 << 62) - 1


def read(told: object) -> datetime | None:
    """Return the time that a text says, which is UTC unless it says otherwise; `None` for none.

    A float is seconds since 1970: so programs wrote it that called a saver by themselves.
    """
    try:
        if isinstance(told, float):
            return EPOCH + timedelta(seconds=told)
        moment = datetime.fromisoformat(told) if isinstance(told, str) else None
    except (ValueError, OverflowError):  # it says something else
        return None
    if moment is None or moment.utcoffset() is not None:
        return moment
    return moment.replace(tzinfo=UTC)


def of_id(checkpoint_id: str) -> datetime:
    """Return when an id was made: LangGraph's are UUIDs of version 6, or times as text.

    Of any other id nothing is known: that is 1970.
    """
    try:
        uuid = UUID(checkpoint_id)
    except ValueError:
        return read(checkpoint_id) or EPOCH
    if uuid.version != _TIMED:
        return EPOCH
    ticks = (uuid.int >> 80) << 12 | (uuid.int >> 64) & 0xFFF
    return _GREGORIAN + timedelta(microseconds=ticks // _TICKS)


def as_id(checkpoint_id: str) -> str:
    """Return an id that LangGraph can go on from: a time becomes a UUID of version 6.

    The first savers named checkpoints by their times; by now an id has to be hexadecimal. The
    same time always gives the same id, and ids sort as the times do.
    """
    at = read(checkpoint_id)
    if at is None:
        return checkpoint_id
    ticks = (at - _GREGORIAN) // timedelta(microseconds=1) * _TICKS
    rest = int.from_bytes(sha256(checkpoint_id.encode()).digest()[:8]) & _REST
    bits = (ticks >> 12) << 80 | _TIMED << 76 | (ticks & 0xFFF) << 64 | _VARIANT << 62 | rest
    return str(UUID(int=bits))
