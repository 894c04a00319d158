"""Spans of time as people write them: `30s`, `15min`, `6h`, `7d`, `2w`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from .errors import Invalid

_UNITS: Final = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "min": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}
_SPAN: Final = re.compile(r"(\d{1,9})\s*(w|d|h|min|s)")
_SHOWN: Final = 40


def span(text: str, *, field: str = "span") -> timedelta:
    """Return how long a text such as `7d` is; raise `Invalid` for anything else."""
    found = _SPAN.fullmatch(text.strip())
    named = "" if field == "span" else f"{field}: "
    if found is None or not int(found[1]):
        message = f"{named}{_brief(text)!r} is no span of time; write 30s, 15min, 6h, 7d or 2w"
        raise Invalid(message, code="bad_span", field=field)
    try:
        return int(found[1]) * _UNITS[found[2]]
    except OverflowError as error:
        message = f"{named}{_brief(text)!r} is longer than there are days"
        raise Invalid(message, code="bad_span", field=field) from error


def _brief(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
