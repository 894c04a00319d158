"""Look closer at a change that is not as nearly all are, and say what is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import Invalid
from .limits import MAX_BODY_BYTES, check_int64, check_note
from .record import check_name

if TYPE_CHECKING:
    from .record import Key


def check_letter(key: Key, body: object, seal: object) -> None:
    """Raise `Invalid` unless body and seal are bytes and a note within their limits."""
    if not isinstance(body, bytes):
        message = f"the body of {key} must be bytes, not {type(body).__name__}"
        raise Invalid(message, code="bad_type", field="body", key=str(key))
    if len(body) > MAX_BODY_BYTES:
        message = (
            f"the body of {key} is {len(body)} bytes; max_body_bytes is {MAX_BODY_BYTES}: "
            "split it over several records"
        )
        raise Invalid(message, code="too_big", field="body", limit="max_body_bytes", key=str(key))
    check_note(seal, field="seal")


def check_parents(session_id: str | None, thread_id: str | None) -> None:
    """Raise `Invalid` unless both may be the names of parents."""
    if session_id is not None:
        check_name(session_id, field="session_id")
    if thread_id is not None:
        check_name(thread_id, field="thread_id")


def check_times(expires_at: int | None, created_at: int | None, updated_at: int | None) -> None:
    """Raise `Invalid`, naming the field, unless each is a time in microseconds."""
    if expires_at is not None:
        check_int64(expires_at, field="expires_at")
    if created_at is not None:
        check_int64(created_at, field="created_at")
    if updated_at is not None:
        check_int64(updated_at, field="updated_at")


def check_versions(key: Key, expect: int | None, version: int | None, made: int | None) -> None:
    """Raise `Invalid` unless what is said of versions can be so."""
    if expect is not None:
        check_version(expect, field="expect")
    if version is not None and check_int64(version, field="version") < 1:
        message = f"the version of {key} must be 1 or more, not {version}"
        raise Invalid(message, code="bad_version", field="version", key=str(key))
    if made is not None:
        check_made(key, made, expect=expect)


def check_version(value: int, *, field: str) -> None:
    """Raise `Invalid` unless a record may have this version; 0 is none."""
    if check_int64(value, field=field) < 0:
        message = f"{field} must be 0 (absent) or a version, not {value}"
        raise Invalid(message, code="bad_version", field=field)


def check_made(key: Key, made: int, *, expect: int | None) -> None:
    """Raise `Invalid` unless a record may be expected as made then, with its version."""
    check_int64(made, field="made")
    if not expect:
        message = f"{key} can be expected as made at {made} only together with its version"
        raise Invalid(message, code="bad_change", field="made", key=str(key))
