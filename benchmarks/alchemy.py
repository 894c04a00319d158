"""What a program writes that keeps its records with SQLAlchemy's asyncio extension."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol, cast

import orjson

from . import statements
from .statements import Row

NEEDS: Final = ("sqlalchemy", "greenlet", "aiosqlite")


class _Result(Protocol):
    def all(self) -> Sequence[object]: ...


class _Connection(Protocol):
    async def execute(
        self, statement: object, values: Mapping[str, Any] | None = None
    ) -> _Result: ...

    async def commit(self) -> None: ...


class _Engine(Protocol):
    def connect(self) -> AbstractAsyncContextManager[_Connection]: ...

    async def dispose(self) -> None: ...


class Alchemy:
    """An engine with one connection: with more, writers of one process only wait for one another.

    Its statements are texts, which is the fastest that it has.
    """

    def __init__(self, path: Path, *, sync: str) -> None:
        """Make the engine; it connects when it is asked."""
        make = cast(
            "Callable[..., _Engine]", import_module("sqlalchemy.ext.asyncio").create_async_engine
        )
        self._text = cast("Callable[[str], object]", import_module("sqlalchemy").text)
        self._engine = make(
            f"sqlite+aiosqlite:///{path}", pool_size=1, max_overflow=0, pool_timeout=600
        )
        self._sync = sync
        # Places have names in its texts: :p0, :p1 and so on.
        self._load = self._named(statements.LOAD)
        self._list = self._named(statements.LIST)
        self._replayed = self._named(statements.REPLAYED)
        self._find = self._named(statements.FIND)
        self._upsert = self._named(statements.UPSERT)
        self._commit = self._named(statements.COMMIT)

    async def open(self, documents: Sequence[Row]) -> None:
        """Make the file, and write the documents into it in one transaction."""
        async with self._engine.connect() as connection:
            driver = await cast("Any", connection).get_raw_connection()
            for pragma in statements.pragmas(self._sync):
                await driver.driver_connection.execute(pragma)
            await driver.driver_connection.executescript(statements.TABLES)
            for document in documents:
                await connection.execute(self._upsert, _places(*statements.values(document)))
            await connection.commit()

    async def close(self) -> None:
        """Close the connection."""
        await self._engine.dispose()

    async def load(self, id: str) -> Row | None:
        """Read one record."""
        async with self._engine.connect() as connection:
            found = await connection.execute(self._load, _places(id, statements.now()))
            return next(map(statements.row, found.all()), None)

    async def list(self, session: str, limit: int) -> list[Row]:
        """Read the first records of a session."""
        async with self._engine.connect() as connection:
            wanted = _places(session, statements.now(), limit)
            found = await connection.execute(self._list, wanted)
            return [statements.row(row) for row in found.all()]

    async def save(self, document: Row) -> None:
        """Write one record and the log of the commit, in a transaction."""
        values, batch = statements.values(document), uuid.uuid4().bytes
        changes = orjson.dumps([2, document["id"]])
        async with self._engine.connect() as connection:
            run: Callable[..., Awaitable[_Result]] = connection.execute
            await run(self._replayed, _places(batch[:3], batch))
            await run(self._find, _places(values[0]))
            await run(self._upsert, _places(*values))
            await run(self._commit, _places(batch, statements.now(), changes))
            await connection.commit()

    def _named(self, sql: str) -> object:
        places = iter(range(sql.count("?")))
        return self._text(re.sub(r"\?", lambda _: f":p{next(places)}", sql))


def _places(*values: object) -> dict[str, object]:
    return {f"p{n}": value for n, value in enumerate(values)}
