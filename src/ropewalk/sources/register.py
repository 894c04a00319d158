"""What was met so far, in a temporary database: ids, links and the order of checkpoints."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import apsw

from ..domain.limits import MAX_ID_BYTES
from .databases import connect

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_SCHEMA: Final = """
PRAGMA journal_mode = OFF;
PRAGMA cache_size = -16384;
CREATE TABLE met (topic TEXT, id TEXT, times INTEGER, PRIMARY KEY (topic, id)) WITHOUT ROWID;
CREATE TABLE thread (id TEXT PRIMARY KEY, session_id TEXT) WITHOUT ROWID;
CREATE TABLE checkpoint (
  thread BLOB, id BLOB, at INTEGER, store INTEGER, row INTEGER, origin TEXT,
  PRIMARY KEY (store, row)
) WITHOUT ROWID;
CREATE INDEX checkpoint_by_name ON checkpoint (thread, id);
BEGIN;
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One checkpoint's place: which database (by number), which row, and what wrote it.

    `at` is its time in microseconds, or `None` where its blob does not tell.
    """

    store: int
    row: int
    at: int | None
    origin: str


class Register:
    """Remembers ids without holding them in memory: the database spills to disk.

    To be used from one thread, as a context manager; nothing of it stays behind.
    """

    def __init__(self) -> None:
        """Begin with nothing met."""
        self._db = connect("", flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
        list(self._db.execute(_SCHEMA))

    def __enter__(self) -> Self:
        """Begin to use the register."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Forget everything."""
        self._db.close(force=True)

    def meet(self, topic: str, id: str) -> int:
        """Count a meeting with `id`, and return the how manieth it is."""
        text = (
            "INSERT INTO met VALUES (?, ?, 1) "
            "ON CONFLICT DO UPDATE SET times = times + 1 RETURNING times"
        )
        [[times]] = self._db.execute(text, (topic, id))
        return cast("int", times)

    def knows(self, topic: str, id: str) -> bool:
        """Tell whether `id` was met."""
        text = "SELECT 1 FROM met WHERE topic = ? AND id = ?"
        return bool(list(self._db.execute(text, (topic, id))))

    def claim(self, topic: str, id: str) -> str:
        """Return `id` if nothing has it yet, else `id~2`, `id~3` and so on: the first that is free.

        The same claims in the same order give the same ids.
        """
        claimed = id
        times = self.meet(topic, id)
        while times > 1:
            claimed = f"{id}~{times}"
            if len(claimed.encode()) > MAX_ID_BYTES:
                claimed = f"{hashlib.sha256(id.encode()).hexdigest()}~{times}"
            times = times + 1 if self.meet(topic, claimed) > 1 else 1
        return claimed

    def bind(self, thread_id: str, session_id: str | None) -> None:
        """Remember which session a thread belongs to; the last word counts."""
        text = "INSERT OR REPLACE INTO thread VALUES (?, ?)"
        list(self._db.execute(text, (thread_id, session_id)))

    def session_of(self, thread_id: str) -> str | None:
        """Return the session that a thread belongs to, if any."""
        text = "SELECT session_id FROM thread WHERE id = ?"
        for (session_id,) in self._db.execute(text, (thread_id,)):
            return cast("str | None", session_id)
        return None

    def add_checkpoint(self, thread: bytes, id: bytes, row: Row) -> bool:
        """Remember a row of a checkpoint database; return whether it is new."""
        text = "INSERT INTO checkpoint VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING 1"
        values = (thread, id, row.at, row.store, row.row, row.origin)
        return bool(list(self._db.execute(text, values)))

    def checkpoint_time(self, thread_id: str, id: str) -> int | None:
        """Return the microsecond of a checkpoint of a thread, or `None` where there is none."""
        text = "SELECT at FROM checkpoint WHERE thread = ? AND id = ? AND at IS NOT NULL"
        for (at,) in self._db.execute(text, (thread_id.encode(), id.encode())):
            return cast("int", at)
        return None

    def checkpoints(self, store: int) -> Iterator[Row]:
        """Go through the rows of one database: thread by thread, oldest first."""
        text = "SELECT row, at, origin FROM checkpoint WHERE store = ? ORDER BY thread, at, id, row"
        for row, at, origin in self._db.execute(text, (store,)):
            yield Row(store, cast("int", row), cast("int | None", at), cast("str", origin))

    def count_checkpoints(self, store: int) -> dict[str, int]:
        """Count the rows of one database by what wrote them."""
        text = "SELECT origin, count(*) FROM checkpoint WHERE store = ? GROUP BY origin"
        found = self._db.execute(text, (store,))
        return {cast("str", origin): cast("int", count) for origin, count in found}
