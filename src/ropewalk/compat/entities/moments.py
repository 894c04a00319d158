"""Times as the legacy program has them: naive, local, and written in ISO 8601."""

from __future__ import annotations

from datetime import datetime


def local_now() -> datetime:
    """Return the present time of this machine, naive."""
    return datetime.now()  # noqa: DTZ005 (naive is what these entities are made of)


def as_datetime(value: datetime | str) -> datetime:
    """Return a time that may have come as a text; raise `ValueError` for one that is none."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def as_text(value: datetime | str) -> str:
    """Return a time as it is written down."""
    return value if isinstance(value, str) else value.isoformat()


def instant(value: datetime) -> datetime:
    """Return a time that can be compared with any other: a naive one is local."""
    return value.astimezone() if value.tzinfo is None else value
