"""Texts for a terminal: nothing in them moves its cursor, and columns know their width."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Final

from ...domain.moment import EPOCH

ELLIPSIS: Final = "..."

# What a model wrote is shown to a person: control characters could rewrite the screen, and those
# that turn the direction of writing could make a line say something else.
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_IN_LINES: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_WITHOUT_WIDTH: Final = frozenset({"Mn", "Me", "Cf"})
_GAPS: Final = re.compile(r"\s+")

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()


def clean(text: str) -> str:
    """Return `text` on one line, with control characters written out."""
    return _CONTROL.sub(_escape, text)


def clean_lines(text: str) -> str:
    """Return `text` with its lines and tabs, other control characters written out."""
    return _IN_LINES.sub(_escape, text.replace("\r\n", "\n"))


def brief(text: str, limit: int = 60) -> str:
    """Return the beginning of `text` on one line, at most `limit` characters."""
    flat = clean(_GAPS.sub(" ", text[: limit * 4]).strip())
    return flat if len(flat) <= limit else flat[: limit - len(ELLIPSIS)].rstrip() + ELLIPSIS


def width(text: str) -> int:
    """Return how many columns `text` takes: East Asian wide letters take two, marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.category(letter) in _WITHOUT_WIDTH
        else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in text
    )


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """Return `text` filled up to `columns`, from the left where it is to stand right."""
    fill = " " * (columns - width(text))
    return fill + text if right else text + fill


def stamp(moment: datetime) -> str:
    """Write a moment as RFC 3339 in UTC, in microseconds where it has any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def ago(moment: datetime, now: datetime) -> str:
    """Say how long ago a moment was, in its greatest unit: `3 h ago`."""
    seconds = abs(now - moment) // timedelta(seconds=1)
    for unit, length in _UNITS:
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit} ago" if moment < now else f"in {count} {unit}"
    return "now"


def micros_stamp(micros: int) -> str:
    """Write microseconds since 1970 as RFC 3339, or as the number where no calendar has it."""
    try:
        return stamp(EPOCH + timedelta(microseconds=micros))
    except OverflowError:
        return str(micros)


def size(count: int) -> str:
    """Write a number of bytes in the unit that suits it."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:  # noqa: PLR2004
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
