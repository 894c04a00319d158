"""Checks of what a layer is configured with, which may come from a file or the environment."""

from __future__ import annotations

import math

from ..domain.errors import Invalid


def check_seconds(value: object, *, field: str) -> float:
    """Return `value` if it is a duration in seconds, zero included; raise `Invalid` otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = f"{field} must be a number of seconds, not {value!r}"
        raise Invalid(message, code="bad_type", field=field)
    if not math.isfinite(value) or value < 0:
        message = f"{field} must be 0 seconds or more, and finite, not {value}"
        raise Invalid(message, code="bad_option", field=field)
    return float(value)


def check_count(value: object, *, field: str) -> int:
    """Return `value` if it is an integer of at least 1; raise `Invalid` otherwise."""
    if isinstance(value, bool) or not isinstance(value, int):
        message = f"{field} must be an integer, not {value!r}"
        raise Invalid(message, code="bad_type", field=field)
    if value < 1:
        message = f"{field} must be 1 or more, not {value}"
        raise Invalid(message, code="bad_option", field=field)
    return value


def check_share(value: object, *, field: str) -> float:
    """Return `value` if it is a share of a whole, more than 0; raise `Invalid` otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = f"{field} must be a number, not {value!r}"
        raise Invalid(message, code="bad_type", field=field)
    if not 0 < value <= 1:
        message = f"{field} must be more than 0 and at most 1, not {value}"
        raise Invalid(message, code="bad_option", field=field)
    return float(value)


def check_flag(value: object, *, field: str) -> bool:
    """Return `value` if it is true or false; raise `Invalid` otherwise."""
    if not isinstance(value, bool):
        message = f"{field} must be true or false, not {value!r}"
        raise Invalid(message, code="bad_type", field=field)
    return value
