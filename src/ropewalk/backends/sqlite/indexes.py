"""Indexes that a small store may never need: each is made together with the first row it is for.

An empty index takes a page of the file. While one of records is absent, no record belongs in it;
while that of names is absent, they are so few that looking at all of them costs less. A store that
has grown gets all of them: later, making one would stop the writer while it reads all records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

_Rows: TypeAlias = Callable[[str, Sequence["str | int | None"]], "list[tuple[object, ...]]"]

FEW_NAMES: Final = 64
"""Up to this number, names have no index."""

FEW_RECORDS: Final = 2_000
"""Up to this number, records have only the indexes that some of them belong in."""

_MADE: Final = {
    "record_thread": (
        "create index record_thread on record (thread_id, space, created_at) "
        "where thread_id is not null"
    ),
    "record_session": (
        "create index record_session on record (session_id, space, created_at) "
        "where session_id is not null"
    ),
    "record_expiry": (
        "create index record_expiry on record (expires_at) where expires_at is not null"
    ),
    "name_text": "create unique index name_text on name (text, space, kind)",
}

_NAMED: Final = tuple(
    (name, f"record indexed by {name}") for name in _MADE if name.startswith("record_")
)
_NOTHING: Final = "(select * from record limit 0) as record"


class Indexes:
    """What one connection knows of the indexes that need not be there."""

    __slots__ = ("_absent", "_present", "_rows")

    def __init__(self, rows: _Rows) -> None:
        self._rows = rows
        self._present: set[str] = set()
        self._absent: set[str] = set()

    def forget(self) -> None:
        """Look again for those that were absent: another connection may have made them."""
        self._absent.clear()

    def undo(self) -> None:
        """Forget everything: what was made since may have been rolled back."""
        self._absent.clear()
        self._present.clear()

    def has(self, name: str) -> bool:
        """Tell whether an index is there."""
        if name in self._present:
            return True
        if name in self._absent:
            return False
        found = self._rows("select 1 from sqlite_schema where type = 'index' and name = ?", (name,))
        (self._present if found else self._absent).add(name)
        return bool(found)

    def need(self, name: str) -> None:
        """Make an index within the transaction that is under way, unless it is there."""
        if name not in self._present and not self.has(name):
            self._rows(_MADE[name], ())
            self._absent.discard(name)
            self._present.add(name)

    def need_all(self) -> None:
        """Make all that are not there yet, within the transaction that is under way."""
        if len(self._present) < len(_MADE):
            for name in _MADE:
                self.need(name)

    def suited(self, statement: str) -> str:
        """Return the statement as it can be run: it finds nothing along an index not yet made."""
        for name, source in _NAMED:
            if source in statement and not self.has(name):
                return statement.replace(source, _NOTHING)
        return statement
