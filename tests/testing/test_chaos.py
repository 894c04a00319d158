"""The chaos runner leaves a sound store sound, and finds what is wrong with an unsound one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Applied, Batch, Put
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.ports import Backend
from ropewalk.layers.base import Layer
from ropewalk.testing.chaos import chaos
from ropewalk.testing.faults import Flaky, Slow


@pytest.fixture
async def memory() -> AsyncIterator[MemoryBackend]:
    """Open an empty memory store."""
    memory = MemoryBackend(clock=SystemClock(), loop_budget=0)
    await memory.open()
    yield memory
    await memory.close()


def bare(memory: Backend) -> Backend:
    """Put nothing round the store."""
    return memory


def flaky(memory: Backend) -> Backend:
    """Let every twentieth call fail, before or after it took effect."""
    return Flaky(memory, rate=0.05)


class Halving(Layer):
    """Forget the last change of every twentieth batch."""

    count = 0

    async def apply(self, batch: Batch) -> Applied:
        """Apply all of the batch, or not quite."""
        self.count += 1
        whole = self.count % 20 or len(batch.changes) == 1
        changes = batch.changes if whole else batch.changes[:-1]
        return await self.below.apply(replace(batch, changes=changes))


class Careless(Layer):
    """Look at no expectation."""

    async def apply(self, batch: Batch) -> Applied:
        """Apply the batch whatever is there."""
        changes = tuple(
            replace(change, expect=None) if isinstance(change, Put) else change
            for change in batch.changes
        )
        return await self.below.apply(replace(batch, changes=changes))


class Forgetful(Layer):
    """Acknowledge every twentieth batch without applying it."""

    count = 0

    async def apply(self, batch: Batch) -> Applied:
        """Apply the batch, or say so."""
        self.count += 1
        if self.count % 20 or len(batch.changes) == 1:
            return await self.below.apply(batch)
        return Applied(self.count, 0, (1,) * len(batch.changes), (0,) * len(batch.changes))


class Greedy(Layer):
    """Keep the lock when a caller is cancelled while holding it."""

    def __init__(self, below: Backend) -> None:
        """Begin with the lock free."""
        super().__init__(below)
        self._lock = asyncio.Lock()

    async def apply(self, batch: Batch) -> Applied:
        """Apply the batch under the lock."""
        await self._lock.acquire()
        await asyncio.sleep(0)
        applied = await self.below.apply(batch)
        self._lock.release()
        return applied


@pytest.mark.seed("4.4", "4.5", "5.1", "5.2", "8.3")
@pytest.mark.parametrize("coat", [bare, Slow, flaky])
async def test_a_sound_store_survives(
    memory: MemoryBackend, coat: Callable[[Backend], Backend]
) -> None:
    """Two hundred tasks with cancellations leave the books of a sound store in order."""
    report = await chaos(coat(memory), rounds=8)
    assert (0, ()) == (report.hung, report.broken)
    assert report.tasks == 200
    for count in (report.transfers, report.conflicts, report.cancelled, report.reads):
        assert count > 20


@pytest.mark.parametrize(
    ("coat", "sentence"),
    [
        (Halving, "acknowledged, and its receipt is not there"),
        (Careless, "its receipts say"),
        (Forgetful, "acknowledged, and is not in the feed"),
    ],
)
async def test_an_unsound_store_is_found_out(
    memory: MemoryBackend, coat: Callable[[Backend], Backend], sentence: str
) -> None:
    """Half batches, lost updates and false acknowledgements are told apart in sentences."""
    report = await chaos(coat(memory), rounds=5, tasks=50)
    assert any(sentence in broken for broken in report.broken), report.broken


async def test_a_store_that_hangs_is_found_out(memory: MemoryBackend) -> None:
    """A lock that a cancelled caller takes with it ends the run, and is reported as hung."""
    report = await chaos(Greedy(memory), rounds=20, tasks=20, patience=1.0)
    assert report.hung > 0
    assert any("did not end" in broken for broken in report.broken)
