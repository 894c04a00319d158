"""Two hundred tasks on one SQLite store, cancelled at random: nothing hangs and nothing breaks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.health import State
from ropewalk.testing.chaos import chaos

SECONDS = 30.0 if os.environ.get("ROPEWALK_LONG") else 3.0


@pytest.mark.seed("4.4", "4.5", "5.1", "5.2", "8.3")
async def test_two_hundred_tasks_with_cancellations(tmp_path: Path) -> None:
    """No task hangs, no transfer is half done, and the books balance to the last account."""
    backend = SqliteBackend(tmp_path / "bank.db", clock=SystemClock())
    await backend.open()
    try:
        report = await chaos(backend, seconds=SECONDS)
        print(f"sqlite: {report}")  # noqa: T201 (the numbers are part of the proof)
        assert (0, ()) == (report.hung, report.broken)
        assert report.transfers > 0
        assert report.cancelled > 0
        assert (await backend.ping()).state is State.HEALTHY
    finally:
        await backend.close()
