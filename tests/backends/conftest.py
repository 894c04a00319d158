"""An SQLite store whose loop has all the time it wants, and connections that note what they do."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from ropewalk.backends.sqlite import SqliteBackend, engine
from ropewalk.backends.sqlite.connection import Connection, Row, Value
from ropewalk.domain.clock import FrozenClock
from ropewalk.testing.samples import put, write


class Watched(Connection):
    """A connection that notes what it was told, and in which thread."""

    said: list[tuple[str, int]]

    def run(self, statement: str, values: Sequence[Value] = ()) -> None:
        """Note a statement and run it."""
        self.said.append((statement, threading.get_ident()))
        super().run(statement, values)

    def rows(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        """Note a statement and return its rows."""
        self.said.append((statement, threading.get_ident()))
        return super().rows(statement, values)

    def checkpoint(self, *, truncate: bool = False) -> None:
        """Note a checkpoint and do it."""
        self.said.append(("checkpoint", threading.get_ident()))
        super().checkpoint(truncate=truncate)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Collect what the connections of a store are told, and by which thread."""
    said: list[tuple[str, int]] = []
    monkeypatch.setattr(Watched, "said", said, raising=False)
    monkeypatch.setattr(engine, "Connection", Watched)
    return said


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name the file of a store."""
    return tmp_path / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteBackend]:
    """Open a store whose loops may take an hour of each turn: the machine's load does not matter.

    One batch is written, because the first of a new WAL goes to the thread.
    """
    store = SqliteBackend(path, clock=FrozenClock(), loop_budget=3_600_000)
    await store.open()
    await write(store, put("first"))
    yield store
    await store.close()
