"""The functions whose meaning is ours: the same on every version and build of SQLite."""

from __future__ import annotations

import re
from functools import lru_cache
from math import floor, isfinite

from ...domain.errors import Invalid
from ...domain.moment import from_micros


def lower(text: str | None) -> str | None:
    """Return A to Z as a to z and everything else as it is."""
    return None if text is None else text.encode().lower().decode()


def upper(text: str | None) -> str | None:
    """Return a to z as A to Z and everything else as it is."""
    return None if text is None else text.encode().upper().decode()


def length(text: str | None) -> int | None:
    """Count the code points of a text, also behind a NUL."""
    return None if text is None else len(text)


def by_day(micros: float | None) -> str | None:
    """Return the UTC day of microseconds since 1970-01-01, as 2026-11-21."""
    hour = by_hour(micros)
    return None if hour is None else hour.partition("T")[0]


def by_hour(micros: float | None) -> str | None:
    """Return the UTC hour of microseconds since 1970-01-01, as 2026-11-21T14.

    NULL outside the years 1 to 9999.
    """
    if micros is None or not isfinite(micros):
        return None
    try:
        return from_micros(floor(micros)).isoformat(timespec="hours").partition("+")[0]
    except Invalid:  # no error: no calendar has that day
        return None


def like(text: str | None, pattern: str | None, escape: str) -> int | None:
    """Tell whether a text has a pattern, where A to Z equal a to z; `%` is anything, `_` a letter.

    Takes time in proportion to the text times the pattern at most.
    """
    if text is None or pattern is None:
        return None
    pieces = _pieces(pattern, escape)
    if len(pieces) == 1:
        return int(pieces[0].fullmatch(text) is not None)
    first, *others = pieces
    found = first.match(text)
    for piece in others:
        if found is None:
            return 0
        # The leftmost place is as good as any other: what follows has the most room behind it.
        found = piece.search(text, found.end())
    return int(found is not None)


@lru_cache(maxsize=64)
def _pieces(pattern: str, escape: str) -> tuple[re.Pattern[str], ...]:
    """Return the stretches between the `%` of a pattern: each matches texts of one length only.

    The last one matches at the end of a text.
    """
    pieces: list[str] = [""]
    letters = iter(pattern)
    for letter in letters:
        if escape and letter == escape:
            # At the very end there is nothing to escape: it stands for itself.
            pieces[-1] += re.escape(next(letters, escape))
        elif letter == "%":
            pieces.append("")
        else:
            pieces[-1] += "." if letter == "_" else re.escape(letter)
    pieces[-1] += r"\Z"
    return tuple(re.compile(piece, re.ASCII | re.IGNORECASE | re.DOTALL) for piece in pieces)
