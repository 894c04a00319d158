"""How long callers keep an event loop busy before they stand in line: the option of a store."""

from __future__ import annotations

import math
from typing import Final

from ..domain.errors import Invalid

LOOP_BUDGET: Final = 1.0
"""Milliseconds of a turn, unless told otherwise."""


def milliseconds(name: str, value: object) -> float:
    """Return an option that is a span of time; raise `Invalid`, naming it, for anything else."""
    try:
        span = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        span = math.nan
    if isinstance(value, bool) or not 0 <= span < math.inf:
        message = f"the option {name} must be a number of milliseconds, 0 or more, not {value!r}"
        raise Invalid(message, code="bad_option", field=name)
    return span
