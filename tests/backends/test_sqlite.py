"""The SQLite store keeps the whole contract, and what it wrote, when it is opened again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.testing.backend import BackendContract, DurableContract, Reopen


class TestSqlite(BackendContract, DurableContract):
    """Every promise of a back end, kept in one file."""

    @pytest.fixture
    async def backend(self, clock: FrozenClock, tmp_path: Path) -> AsyncIterator[SqliteBackend]:
        """Open a store on a new file."""
        backend = SqliteBackend(tmp_path / "store.db", clock=clock)
        await backend.open()
        yield backend
        await backend.close()

    @pytest.fixture
    def reopen(self, backend: SqliteBackend, clock: FrozenClock, tmp_path: Path) -> Reopen:
        """Close the store, and open its file anew."""

        async def close_and_open() -> SqliteBackend:
            await backend.close()
            again = SqliteBackend(tmp_path / "store.db", clock=clock)
            await again.open()
            return again

        return close_and_open
