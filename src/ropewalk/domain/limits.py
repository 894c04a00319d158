"""How big things may be, and the checks that say so by name."""

from __future__ import annotations

from typing import Final, TypeGuard

from .errors import Invalid

MAX_ID_BYTES: Final = 1_024
"""Longest space, kind, id or parent id, in UTF-8 bytes."""

MAX_LABEL_NAME_BYTES: Final = 256
"""Longest label name, in UTF-8 bytes."""

MAX_LABEL_BYTES: Final = 4_096
"""Longest text label, in UTF-8 bytes."""

MAX_LABELS: Final = 256
"""Most labels on one record."""

MAX_BODY_BYTES: Final = 64 * 1024 * 1024
"""Biggest sealed body of one record, in bytes."""

MAX_OPENED_BYTES: Final = 256 * 1024 * 1024
"""Biggest body of one record once it is unsealed and before it is sealed, in bytes."""

MAX_BATCH_CHANGES: Final = 10_000
"""Most changes in one batch."""

MAX_BATCH_BYTES: Final = 256 * 1024 * 1024
"""Biggest sum of the bodies of one batch, in bytes."""

SHORT: Final = 256
"""A text of ASCII that is no longer than this is within every limit."""

MIN_INT64: Final = -(2**63)
MAX_INT64: Final = 2**63 - 1


def check_text(value: object, *, field: str, limit: int, limit_name: str) -> str:
    """Return `value` if it is a non-empty, encodable text of at most `limit` UTF-8 bytes.

    NUL and every Unicode scalar value are allowed. Raises `Invalid` naming `field` for anything
    else: another type, the empty text, a lone surrogate, or a text beyond the limit.
    """
    if not isinstance(value, str):
        message = f"{field} must be text, not {type(value).__name__}"
        raise Invalid(message, code="bad_type", field=field)
    if not value:
        message = f"{field} must not be empty"
        raise Invalid(message, code="empty", field=field)
    if len(value) * 4 <= limit and value.isascii():
        return value
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        message = f"{field} holds a lone surrogate at character {error.start}; use valid Unicode"
        raise Invalid(message, code="bad_text", field=field) from error
    if size > limit:
        message = f"{field} is {size} bytes long; {limit_name} is {limit}"
        raise Invalid(message, code="too_long", field=field, size=size, limit=limit_name)
    return value


def is_short(value: object) -> TypeGuard[str]:
    """Tell whether `value` is what nearly every name is: a short text of ASCII, not empty.

    Such a text is within every limit; any other one has to be looked at by `check_text`.
    """
    return type(value) is str and 0 < len(value) <= SHORT and value.isascii()


def check_note(value: object, *, field: str) -> str:
    """Return `value` if it is an encodable text of at most `MAX_ID_BYTES`, which may be empty."""
    if value == "":
        return ""
    return check_text(value, field=field, limit=MAX_ID_BYTES, limit_name="max_id_bytes")


def check_int64(value: object, *, field: str) -> int:
    """Return `value` if it is an integer of 64 bits, and not a bool; raise `Invalid` otherwise."""
    if type(value) is int and MIN_INT64 <= value <= MAX_INT64:
        return value
    if not isinstance(value, int) or isinstance(value, bool):
        message = f"{field} must be an integer, not {type(value).__name__}"
        raise Invalid(message, code="bad_type", field=field)
    if not MIN_INT64 <= value <= MAX_INT64:
        message = f"{field} does not fit into 64 bits; keep bigger integers in the body"
        raise Invalid(message, code="too_big", field=field)
    return value
