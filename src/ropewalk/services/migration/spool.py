"""`Spool`: the parts of another store's states, in a file to be thrown away while they are read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Final

from ...domain.errors import Invalid
from ...domain.record import Record
from .passing import Passing

if TYPE_CHECKING:
    from ...domain.change import Applied, Batch
    from ...domain.ports import Backend
    from ...domain.query import Query
    from ...domain.record import Key

_TABLE: Final = "CREATE TABLE part (name TEXT PRIMARY KEY, seal TEXT, body BLOB) WITHOUT ROWID"
_CACHE: Final = "PRAGMA cache_size = -8192"


class Spool(Passing):
    """Answers for what was put into it, and for nothing else; memory does not grow with it.

    SQLite keeps it in a temporary file without a name, which goes when this object does.
    """

    def __init__(self, below: Backend) -> None:
        """Begin empty; `below` says what the store can do."""
        import sqlite3

        super().__init__(below)
        # The loop that reads may be another one than the loop that began.
        self._db = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._db.execute(_CACHE)
        self._db.execute(_TABLE)
        self._db.execute("BEGIN")

    def add(self, record: Record) -> None:
        """Put a record in, sealed as it is."""
        text = "INSERT OR REPLACE INTO part VALUES (?, ?, ?)"
        self._db.execute(text, (str(record.key), record.seal, record.body or b""))

    def end(self) -> None:
        """Throw everything away."""
        self._db.close()

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return what was put in under these keys, whose times and versions nobody asks for."""
        return [self._found(key, bodies=bodies) for key in keys]

    def _found(self, key: Key, *, bodies: bool) -> Record | None:
        text = "SELECT seal, body FROM part WHERE name = ?"
        row = self._db.execute(text, (str(key),)).fetchone()
        if row is None:
            return None
        body = row[1] if bodies else None
        return Record(key=key, version=1, created_at=0, updated_at=0, seal=row[0], body=body)

    async def apply(self, batch: Batch) -> Applied:
        """Refuse to write: a spool is filled by `add`."""
        message = f"a spool is only read, and {batch.changes[0].key} was to be written"
        raise Invalid(message, code="read_only", field="changes")

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Find nothing: there is nothing to write with, and everything else is asked by its key."""
        _ = query
        nothing: tuple[Record, ...] = ()
        for record in nothing:
            yield record
