"""Histories through layers: answers that are lost and asked for again, and a store that moves."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.clock import SystemClock
from ropewalk.layers.retry import RetryLayer
from ropewalk.layers.switch import SwitchLayer
from ropewalk.testing.checker import check
from ropewalk.testing.faults import Flaky, Slow
from ropewalk.testing.workload import Act, any_act, record_history

pytestmark = [pytest.mark.seed("5.1"), pytest.mark.seed("8.3"), pytest.mark.seed("4.4")]

HISTORIES = 10


def _plays(seed: int) -> list[list[Act]]:
    draw = Random(f"layers {seed}").randrange
    return [[any_act(draw) for _ in range(10)] for _ in range(4)]


@pytest.mark.parametrize("seed", range(HISTORIES))
async def test_lost_answers_are_asked_for_again(seed: int) -> None:
    """Where one call of five fails before or after it took effect, retries do nothing twice."""
    backend = MemoryBackend(clock=SystemClock(), loop_budget=0)
    flaky = Flaky(Slow(backend, seed=seed), rate=0.2, seed=seed)
    await backend.open()
    retrying = RetryLayer(flaky, attempts=50, first=0.0001, longest=0.001)
    verdict = check(await record_history(retrying, _plays(seed)))
    assert verdict.is_clean, str(verdict)
    assert flaky.failures > 0


@pytest.mark.parametrize("seed", range(HISTORIES))
async def test_a_store_that_moves(tmp_path: Path, seed: int) -> None:
    """A store that moves from memory to a file and on to memory is one store all the time."""
    switch = SwitchLayer(MemoryBackend(clock=SystemClock(), loop_budget=0))
    await switch.open()
    there = SqliteBackend(tmp_path / "there.db", clock=SystemClock())

    async def move() -> None:
        for _ in range(seed * 5):
            await asyncio.sleep(0)
        await switch.switch(Slow(there))
        await switch.switch(MemoryBackend(clock=SystemClock(), loop_budget=0))

    async with asyncio.TaskGroup() as group:
        recorded = group.create_task(record_history(Slow(switch, seed=seed), _plays(seed)))
        moved = group.create_task(move())
    await switch.close()
    # The feed of the last store begins with the move: what came before is not told again.
    verdict = check(replace(recorded.result(), commits=None))
    assert verdict.is_clean, str(verdict)
    assert moved.done()
