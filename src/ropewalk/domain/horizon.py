"""The horizon of a feed: behind it lies what was forgotten."""

from __future__ import annotations

from typing import Final

from .errors import NotFound

TRIMMED: Final = "trimmed"
"""The code of the error that names the horizon."""


def trimmed(after: int, *, forgotten: int) -> NotFound:
    """Make the error for a reader at `after`, where commits up to `forgotten` are gone."""
    oldest = forgotten + 1
    message = (
        f"commits behind {after} were forgotten, and what is kept begins at {oldest}: read the "
        f"records as they are now, then go on with after={forgotten}"
    )
    return NotFound(message, code=TRIMMED, after=after, forgotten=forgotten, oldest=oldest)


def forgotten(error: NotFound) -> int:
    """Return up to which number commits are gone, as such an error says it."""
    number = error.facts.get("forgotten")
    return number if isinstance(number, int) else 0
