"""A row of the table as a record of the domain."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from ...domain.errors import Corrupt
from ...domain.record import NO_LABELS, Key, Record
from . import labels


def record_of(row: Sequence[object]) -> Record:
    """Return the record of a row: the columns of `select.HEADER`, then the body or null.

    Raises `Corrupt`, naming the key, where the row holds what was never written.
    """
    space, kind, id, version, created, updated, expires, session, thread, seal, coded, body = row
    try:
        held = MappingProxyType(labels.decode(_text(coded))) if coded is not None else NO_LABELS
        return Record(
            key=Key(_text(space), _text(kind), _text(id)),
            version=_integer(version),
            created_at=_integer(created),
            updated_at=_integer(updated),
            session_id=None if session is None else _text(session),
            thread_id=None if thread is None else _text(thread),
            labels=held,
            body=None if body is None else _bytes(body),
            seal=_text(seal),
            expires_at=None if expires is None else _integer(expires),
        )
    except (ValueError, TypeError, RecursionError) as error:
        name = f"{space}/{kind}/{id}"
        message = f"the row of {name} is damaged ({error}); restore it from a backup"
        raise Corrupt(message, code="bad_row", key=name) from error


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise TypeError(_unexpected(value))


def _integer(value: object) -> int:
    if isinstance(value, int):
        return value
    raise TypeError(_unexpected(value))


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    raise TypeError(_unexpected(value))


def _unexpected(value: object) -> str:
    return f"a {type(value).__name__} stands where none belongs"
