"""How big a query may be: its text before it is parsed, and what it loads and answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...domain.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectLimits:
    """Bounds of one query; whatever goes beyond one raises `Invalid` with the bound's name."""

    max_query_characters: int = 8_000
    max_query_tokens: int = 1_500
    max_query_nesting: int = 40
    max_query_records: int = 200_000
    """Records that a query looks at."""
    max_query_bytes: int = 256 * 1024 * 1024
    """Memory for the values it looks at."""
    max_query_rows: int = 10_000
    """Rows that it answers."""
    max_query_seconds: float = 30.0
    """From the call to the answer."""


DEFAULT_LIMITS: Final = SelectLimits()


def beyond(limit: str, message: str, **facts: object) -> Invalid:
    """Make the error for a query that goes beyond a limit."""
    return Invalid(f"{message} ({limit})", code="query_limit", field="text", limit=limit, **facts)


def refused(message: str, **facts: object) -> Invalid:
    """Make the error for a text that is not in the language."""
    return Invalid(message, code="bad_query", field="text", **facts)
