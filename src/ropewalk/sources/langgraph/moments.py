"""When something was made, as far as its id or its checkpoint tells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from ...domain.moment import EPOCH

_GREGORIAN: Final = datetime(1582, 10, 15, tzinfo=UTC)
_TIMED: Final = 6
_TICKS: Final = 10


def read(text: object) -> datetime | None:
    """Return the time that a text says, which is UTC unless it says otherwise; `None` for none."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:  # it says something else
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
    # RFC 9562, 5.6: the ticks of 100 nanoseconds since 1582, the most significant first.
    ticks = (uuid.int >> 80) << 12 | (uuid.int >> 64) & 0xFFF
    return _GREGORIAN + timedelta(microseconds=ticks // _TICKS)
