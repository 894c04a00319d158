"""What a program writes that keeps its records with aiosqlite and orjson, without Ropewalk."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from pathlib import Path

import aiosqlite
import orjson

from . import statements
from .statements import Row


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
        for pragma in statements.pragmas(self._sync):
            await self._connection.execute(pragma)
        await self._connection.executescript(statements.TABLES)
        await self._connection.execute("begin")
        for document in documents:
            await self._connection.execute(statements.UPSERT, statements.values(document))
        await self._connection.execute("commit")

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def load(self, id: str) -> Row | None:
        """Read one record."""
        rows = await self._connection.execute_fetchall(statements.LOAD, (id, statements.now()))
        return next(map(statements.row, rows), None)

    async def list(self, session: str, limit: int) -> list[Row]:
        """Read the first records of a session."""
        wanted = (session, statements.now(), limit)
        rows = await self._connection.execute_fetchall(statements.LIST, wanted)
        return [statements.row(row) for row in rows]

    async def save(self, document: Row) -> None:
        """Write one record."""
        values = statements.values(document)
        if not self._log:
            await self._connection.execute(statements.UPSERT, values)
            return
        run, batch = self._connection.execute, uuid.uuid4().bytes
        changes = orjson.dumps([2, document["id"]])
        async with self._alone:
            await run("begin immediate")
            await self._connection.execute_fetchall(statements.REPLAYED, (batch[:3], batch))
            await self._connection.execute_fetchall(statements.FIND, (values[0],))
            await run(statements.UPSERT, values)
            await run(statements.COMMIT, (batch, statements.now(), changes))
            await run("commit")
