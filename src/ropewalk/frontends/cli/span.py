"""Spans and moments as people type them: `7d`, `90min`, `2025-06-15T15:00`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from ...domain.errors import Invalid
from .text import brief

_UNITS: Final = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "min": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}
_SPAN: Final = re.compile(r"(\d{1,9})\s*(w|d|h|min|s)")


def span(text: str) -> timedelta:
    """Return how long a text such as `7d` is; raise `Invalid` where it says nothing."""
    found = _SPAN.fullmatch(text.strip())
    if found is None or not int(found[1]):
        message = f"{brief(text)!r} is no span of time; write 30s, 15min, 6h, 7d or 2w"
        raise Invalid(message, code="bad_span", field="span")
    try:
        return int(found[1]) * _UNITS[found[2]]
    except OverflowError as error:
        message = f"{brief(text)!r} is longer than there are days"
        raise Invalid(message, code="bad_span", field="span") from error


def moment(text: str, now: datetime) -> datetime:
    """Return a moment, aware: ISO 8601 (UTC unless it says otherwise), or a span before `now`."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        try:
            return now - span(text.strip().removesuffix("ago"))
        except (Invalid, OverflowError) as error:
            message = (
                f"{brief(text)!r} is no moment; write 2025-06-15, 2025-06-15T15:00 (UTC unless it "
                "says otherwise), or how long ago: 2h, 3d"
            )
            raise Invalid(message, code="bad_time", field="ref") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
