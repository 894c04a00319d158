"""What a program writes that keeps its records with aiosqlite and orjson, without Ropewalk."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import aiosqlite
import orjson

Row: TypeAlias = dict[str, Any]

_TABLES: Final = """
create table record (
    row integer primary key, space integer not null, kind integer not null, id text not null,
    version integer not null, created_at integer not null, updated_at integer,
    expires_at integer, session_id text, thread_id text, seal integer not null,
    labels text, body blob not null
);
create unique index record_key on record (space, id, kind);
create index record_kind on record (space, kind, created_at);
create index record_session on record (session_id, space, created_at)
    where session_id is not null;
create table commits (
    seq integer primary key, batch blob not null, at integer not null, actor text not null,
    changes blob not null, ids blob
);
create index commits_batch on commits (substr(batch, 1, 3));
"""

_COLUMNS: Final = (
    "id, version, created_at, coalesce(updated_at, created_at), expires_at, session_id, "
    "thread_id, labels, body"
)
_LOAD: Final = (
    f"select {_COLUMNS} from record where space = 1 and id = ? and kind = 2 "  # noqa: S608
    "and coalesce(expires_at > ?, 1)"
)
_LIST: Final = (
    f"select {_COLUMNS} from record where session_id = ? and space = 1 and kind = 2 "  # noqa: S608
    "and coalesce(expires_at > ?, 1) order by created_at limit ?"
)
_REPLAYED: Final = "select seq from commits where substr(batch, 1, 3) = ? and batch = ?"
_FIND: Final = "select row, version from record where space = 1 and id = ? and kind = 2"
_INSERT: Final = (
    "insert into record (space, kind, id, version, created_at, session_id, seal, labels, body) "
    "values (1, 2, ?, ?, ?, ?, 3, ?, ?)"
)
_UPSERT: Final = (
    f"{_INSERT} on conflict (space, id, kind) do update set version = version + 1, "
    "updated_at = excluded.created_at, labels = excluded.labels, body = excluded.body"
)
_COMMIT: Final = "insert into commits (batch, at, actor, changes) values (?, ?, '', ?)"


class Aio:
    """One connection, one thread behind it; `log` keeps the log of commits that Ropewalk keeps.

    Without it a save is one statement that commits by itself: the least that can be done.
    """

    def __init__(self, path: Path, *, sync: str, log: bool) -> None:
        """Begin closed."""
        self._path = path
        self._sync = sync
        self._log = log
        # The statements of one transaction must not mix with those of another task's.
        self._alone = asyncio.Lock()

    async def open(self, documents: Sequence[Row]) -> None:
        """Make the file, and write the documents into it in one transaction."""
        self._connection = await aiosqlite.connect(self._path, isolation_level=None)
        for pragma in ("journal_mode=wal", f"synchronous={self._sync}", "cache_size=-16384"):
            await self._connection.execute(f"pragma {pragma}")
        await self._connection.executescript(_TABLES)
        await self._connection.execute("begin")
        for document in documents:
            await self._connection.execute(_UPSERT, _values(document))
        await self._connection.execute("commit")

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def load(self, id: str) -> Row | None:
        """Read one record."""
        rows = await self._connection.execute_fetchall(_LOAD, (id, _now()))
        return next(map(_row, rows), None)

    async def list(self, session: str, limit: int) -> list[Row]:
        """Read the first records of a session."""
        rows = await self._connection.execute_fetchall(_LIST, (session, _now(), limit))
        return [_row(row) for row in rows]

    async def save(self, document: Row) -> None:
        """Write one record."""
        values = _values(document)
        if not self._log:
            await self._connection.execute(_UPSERT, values)
            return
        run, batch = self._connection.execute, uuid.uuid4().bytes
        async with self._alone:
            await run("begin immediate")
            await self._connection.execute_fetchall(_REPLAYED, (batch[:3], batch))
            await self._connection.execute_fetchall(_FIND, (values[0],))
            await run(_UPSERT, values)
            await run(_COMMIT, (batch, _now(), orjson.dumps([2, document["id"]])))
            await run("commit")


def _now() -> int:
    return int(datetime.now(UTC).timestamp() * 1_000_000)


def _values(document: Mapping[str, Any]) -> tuple[Any, ...]:
    created = document.get("created_at")
    return (
        document["id"],
        1,
        _now() if created is None else int(created.timestamp() * 1_000_000),
        document["session_id"],
        orjson.dumps(document["metadata"]).decode(),
        orjson.dumps(document["data"]),
    )


def _row(row: object) -> Row:
    id, version, created, updated, expires, session, thread, labels, body = cast(
        "tuple[Any, ...]", row
    )
    return {
        "id": id,
        "type": "note",
        "data": orjson.loads(body),
        "session_id": session,
        "thread_id": thread,
        "metadata": orjson.loads(labels),
        "created_at": datetime.fromtimestamp(created / 1_000_000, UTC),
        "updated_at": datetime.fromtimestamp(updated / 1_000_000, UTC),
        "expires_at": None if expires is None else datetime.fromtimestamp(expires / 1e6, UTC),
        "version": version,
    }
