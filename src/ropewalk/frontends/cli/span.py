"""Spans and moments as people type them: `7d`, `90min`, `2025-06-15T15:00`."""

from __future__ import annotations

from datetime import UTC, datetime

from ...domain.errors import Invalid
from ...domain.span import span
from .text import brief

__all__ = ["moment", "span"]


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
