"""The checker finds each kind of fault in a bounded number of random histories."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Final

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.ports import Backend
from ropewalk.testing.checker import check
from ropewalk.testing.faults import Slow
from ropewalk.testing.verdict import Verdict
from ropewalk.testing.workload import any_act, record_history

from . import seeded

pytestmark = [pytest.mark.seed("5.1"), pytest.mark.seed("5.2"), pytest.mark.seed("8.3")]

MOST = 40
"""So many random histories are enough for any of the faults."""

EXPECTED: Final[dict[type[seeded.Seeded], set[str]]] = {
    seeded.LosesUpdates: {"not linearizable", "G-single", "lost update"},
    seeded.ConfusesLives: {"not linearizable", "G-single"},
    seeded.ReadsStale: {"not linearizable"},
    seeded.ReadsDirty: {"G1a", "not linearizable"},
    seeded.TearsBatches: {"torn", "unheard of"},
    seeded.MissesPhantoms: {"G2", "G-single"},
    seeded.ReusesVersions: {"not linearizable", "lost update", "version"},
    seeded.HalvesCancelled: {"torn"},
    seeded.AppliesTwice: {"unheard of"},
    seeded.LosesWrites: {"not linearizable"},
    seeded.RefusesAtRandom: {"not linearizable"},
}
"""What a fault must be called; whatever follows from it may be found as well."""


def _as_it_is(below: Backend) -> Backend:
    return below


async def _judged(coat: Callable[[Backend], Backend], seed: int) -> Verdict:
    """Record a random history of four callers in memory, and check it."""
    draw = Random(f"history {seed}").randrange
    backend = MemoryBackend(clock=SystemClock(), loop_budget=0)
    await backend.open()
    plays = [[any_act(draw) for _ in range(10)] for _ in range(4)]
    history = await record_history(Slow(coat(backend), seed=seed), plays)
    await backend.close()
    return check(history)


@pytest.mark.parametrize("fault", EXPECTED, ids=lambda fault: fault.__name__)
def test_a_fault_is_found(fault: type[seeded.Seeded]) -> None:
    """Within forty histories the fault shows, under its own name, with the part that shows it."""
    found: set[str] = set()
    for seed in range(MOST):
        verdict = asyncio.run(_judged(partial(fault, seed=seed), seed))
        found |= verdict.codes
        if EXPECTED[fault] <= found:
            assert all(anomaly.part or anomaly.story for anomaly in verdict.anomalies)
            print(f"{fault.__name__}: {seed + 1} histories")  # noqa: T201 (part of the proof)
            return
    assert EXPECTED[fault] <= found


def test_a_sound_store_is_not_accused() -> None:
    """Such histories without a fault have no anomaly."""
    verdicts = [asyncio.run(_judged(_as_it_is, seed)) for seed in range(MOST // 2)]
    assert [] == [str(verdict) for verdict in verdicts if not verdict.is_clean]
