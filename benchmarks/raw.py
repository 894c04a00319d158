"""The same statements in one thread without asyncio: the loops that nobody can beat by waiting."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import apsw
import orjson

from . import statements
from .statements import Row


class Loop(Protocol):
    """A store of dictionaries that blocks: whoever calls it does nothing else meanwhile."""

    def open(self, documents: Sequence[Row]) -> None:
        """Open a new store and fill it."""
        ...

    def close(self) -> None:
        """Close it."""
        ...

    def load(self, id: str) -> Row | None:
        """Read one record."""
        ...

    def list(self, session: str, limit: int) -> list[Row]:
        """Read the first records of a session."""
        ...

    def save(self, document: Row) -> None:
        """Write one record."""
        ...


class _Sql:
    """The statements, for whichever module runs them."""

    def run(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """Run a statement and return all its rows."""
        raise NotImplementedError

    def open(self, documents: Sequence[Row]) -> None:
        """Make the tables, and write the documents in one transaction."""
        for statement in statements.TABLES.split(";")[:-1]:
            self.run(statement)
        self.run("begin")
        for document in documents:
            self.run(statements.UPSERT, statements.values(document))
        self.run("commit")

    def load(self, id: str) -> Row | None:
        """Read one record."""
        return next(map(statements.row, self.run(statements.LOAD, (id, statements.now()))), None)

    def list(self, session: str, limit: int) -> list[Row]:
        """Read the first records of a session."""
        rows = self.run(statements.LIST, (session, statements.now(), limit))
        return [statements.row(row) for row in rows]

    def save(self, document: Row) -> None:
        """Write one record and the log of the commit, in a transaction of its own."""
        values, batch = statements.values(document), uuid.uuid4().bytes
        changes = orjson.dumps([2, document["id"]])
        self.run("begin immediate")
        self.run(statements.REPLAYED, (batch[:3], batch))
        self.run(statements.FIND, (values[0],))
        self.run(statements.UPSERT, values)
        self.run(statements.COMMIT, (batch, statements.now(), changes))
        self.run("commit")


class Stdlib(_Sql):
    """`sqlite3` of the standard library."""

    def __init__(self, path: Path, *, sync: str) -> None:
        """Connect."""
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in statements.pragmas(sync):
            self._connection.execute(pragma)

    def run(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """Run a statement and return all its rows."""
        return self._connection.execute(sql, values).fetchall()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class Apsw(_Sql):
    """`apsw`, which is also what Ropewalk stands on."""

    def __init__(self, path: Path, *, sync: str) -> None:
        """Connect."""
        self._connection = apsw.Connection(str(path))
        # The annotations of this package leave what a value is half open.
        self._cursor = cast("Any", self._connection.cursor())
        for pragma in statements.pragmas(sync):
            self.run(pragma)

    def run(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        """Run a statement and return all its rows."""
        rows: list[Any] = self._cursor.execute(sql, values).fetchall()
        return rows

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
