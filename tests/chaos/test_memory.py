"""Two hundred tasks at once on the memory store, with cancellations at any moment."""

from __future__ import annotations

import os

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.clock import SystemClock
from ropewalk.testing.chaos import chaos

SECONDS = 30.0 if os.environ.get("ROPEWALK_LONG") else 2.0


@pytest.mark.seed("2.1", "4.4", "4.5", "5.1", "5.2", "8.3")
async def test_nothing_hangs_and_the_books_balance() -> None:
    """After random transfers, reads and cancellations no task hangs and no promise is broken."""
    backend = MemoryBackend(clock=SystemClock(), loop_budget=0)
    await backend.open()
    report = await chaos(backend, seconds=SECONDS)
    print(f"memory: {report}")  # noqa: T201 (the numbers are part of the proof)
    assert (0, ()) == (report.hung, report.broken)
    assert report.transfers > 100
    await backend.close()
