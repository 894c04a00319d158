"""What SQLite says went wrong, in the words and classes of the house."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import apsw

from ...domain.errors import Corrupt, Invalid, RopewalkError, Unavailable

_MEANINGS: Final[tuple[tuple[type[apsw.Error], type[RopewalkError], str, str], ...]] = (
    (
        apsw.BusyError,
        Unavailable,
        "busy",
        "was kept locked by another process for all of busy_timeout: try again, or end it",
    ),
    (apsw.LockedError, Unavailable, "busy", "is locked by another use here: try again"),
    (apsw.ProtocolError, Unavailable, "busy", "is locked by ever new processes: try again"),
    (apsw.FullError, Unavailable, "full", "has no room left to grow: make room on its disk"),
    (
        apsw.ReadOnlyError,
        Unavailable,
        "read_only",
        "may only be read: allow writing to the file and to its folder",
    ),
    (
        apsw.CantOpenError,
        Unavailable,
        "cannot_open",
        "cannot be opened: see that its folder is there and may be written to",
    ),
    (
        apsw.PermissionsError,
        Unavailable,
        "no_permission",
        "may not be used: change its permissions",
    ),
    (apsw.IOError, Unavailable, "io", "cannot be read or written: check the disk"),
    (apsw.NoMemError, Unavailable, "no_memory", "needs more memory than there is: free some"),
    (apsw.InterruptError, Unavailable, "interrupted", "was being read when that was stopped"),
    (apsw.NotADBError, Corrupt, "not_a_database", "is no SQLite database: name another file"),
    (apsw.CorruptError, Corrupt, "damaged_file", "is damaged: restore it from a backup"),
    (apsw.SQLError, Corrupt, "bad_schema", "has not the tables it must: restore it from a backup"),
)

_TOO_LONG: Final = (
    "too many SQL variables",
    "Expression tree is too large",
    "too many terms",
    "string or blob too big",
)
"""What SQLite says where a query is too long for it: the fault is the query's."""


def in_our_words(error: Exception, path: str) -> RopewalkError:
    """Return the error of the house for one of SQLite or of its bindings; the cause is kept."""
    if isinstance(error, RopewalkError):
        return error
    translated = _translate(error, path)
    translated.__cause__ = error
    return translated


@contextmanager
def speaking_of(path: str) -> Generator[None]:
    """Let no error of SQLite, and none of its bindings, through as it is."""
    try:
        yield
    except (apsw.Error, UnicodeError, OverflowError) as error:
        raise in_our_words(error, path) from error


def _translate(error: Exception, path: str) -> RopewalkError:
    if isinstance(error, apsw.Error):
        return _of_sqlite(error, path)
    if isinstance(error, UnicodeDecodeError):
        message = f"{path} holds a text that is no UTF-8; restore it from a backup"
        return Corrupt(message, code="bad_text", path=path)
    message = f"a value of this call cannot be stored: {error}"
    return Invalid(message, code="bad_value")


def _of_sqlite(error: apsw.Error, path: str) -> RopewalkError:
    said = str(error)
    if any(part in said for part in _TOO_LONG):
        message = f"this is more than SQLite takes at once ({said}); split it"
        return Invalid(message, code="too_big")
    for kind, make, code, sentence in _MEANINGS:
        if isinstance(error, kind):
            return make(f"{path} {sentence} (SQLite says: {said})", code=code, path=path)
    message = f"{path}: SQLite refused with {type(error).__name__}: {said}"
    return Unavailable(message, code="sqlite", path=path)
