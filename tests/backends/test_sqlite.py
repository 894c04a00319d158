"""The SQLite store keeps the whole contract, and what it wrote, when it is opened again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.testing.backend import (
    BackendContract,
    DurableContract,
    FeedContract,
    Reopen,
    TallyContract,
    reopening,
)
from ropewalk.testing.backend_batches import BatchContract
from ropewalk.testing.backend_expectations import ExpectationContract
from ropewalk.testing.backend_life import LifeContract
from ropewalk.testing.backend_retries import RetryContract
from ropewalk.testing.backend_scans import OpenScanContract
from ropewalk.testing.backend_tasks import TaskContract


class _OnAFile:
    """A store on a new file, which may use so many milliseconds of each turn of the loop."""

    BUDGET = 1.0

    @pytest.fixture
    def clock(self) -> FrozenClock:
        """Stand still, so that many records share a time."""
        return FrozenClock(tick=0)

    @pytest.fixture
    async def backend(self, clock: FrozenClock, tmp_path: Path) -> AsyncIterator[SqliteBackend]:
        """Open a store on a new file."""
        backend = SqliteBackend(tmp_path / "store.db", clock=clock, loop_budget=self.BUDGET)
        await backend.open()
        yield backend
        await backend.close()

    @pytest.fixture
    async def reopen(
        self, backend: SqliteBackend, clock: FrozenClock, tmp_path: Path
    ) -> AsyncIterator[Reopen]:
        """Close the store, and open its file anew."""
        again = partial(SqliteBackend, tmp_path / "store.db", clock=clock, loop_budget=self.BUDGET)
        async with reopening(backend, again) as reopen:
            yield reopen


class TestSqlite(_OnAFile, BackendContract, DurableContract):
    """Every promise of a back end, kept in one file; what is short is done on the loop."""


class TestSqliteInThreads(
    _OnAFile,
    BatchContract,
    ExpectationContract,
    RetryContract,
    TaskContract,
    OpenScanContract,
    LifeContract,
    FeedContract,
    TallyContract,
    DurableContract,
):
    """The same promises where threads carry everything; what queries mean is the same."""

    BUDGET = 0.0


class TestSqliteInTurns(_OnAFile, TaskContract):
    """Races of tasks, where nearly everything waits for the end of a turn of the loop."""

    BUDGET = 0.001
