"""Random histories in memory, drawn by Hypothesis: none of them has an anomaly."""

from __future__ import annotations

import asyncio
import os
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.clock import SystemClock
from ropewalk.testing.checker import check
from ropewalk.testing.faults import Slow
from ropewalk.testing.histories import Fate, History
from ropewalk.testing.workload import Act, any_act, record_history

EXAMPLES = 1_000 if os.environ.get("ROPEWALK_LONG") else 50


@st.composite
def _acts(draw: st.DrawFn) -> Act:
    return any_act(lambda below: draw(st.integers(0, below - 1)))


PLAYS = st.lists(st.lists(_acts(), min_size=1, max_size=8), min_size=2, max_size=4)


async def _recorded(plays: list[list[Act]], seed: int) -> History:
    backend = MemoryBackend(clock=SystemClock(), loop_budget=0)
    await backend.open()
    history = await record_history(Slow(backend, seed=seed), plays)
    await backend.close()
    return history


@pytest.mark.seed("5.1", "5.2", "8.3")
@pytest.mark.timeout(600)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(plays=PLAYS, seed=st.integers(0, 1_000))
def test_no_history_has_an_anomaly(plays: list[list[Act]], seed: int) -> None:
    """Whatever callers do at once, keys are registers, and units are strictly serializable."""
    verdict = check(asyncio.run(_recorded(plays, seed)))
    assert verdict.is_clean, str(verdict)


@pytest.mark.seed("4.5")
async def test_every_fate_is_among_them() -> None:
    """Random work is acknowledged, refused, left without a write and left without an answer."""
    fates: set[Fate] = set()
    for seed in range(10):
        draw = Random(f"fates {seed}").randrange
        plays = [[any_act(draw) for _ in range(12)] for _ in range(4)]
        fates |= {one.fate for one in (await _recorded(plays, seed)).transactions}
    assert {Fate.DONE, Fate.REFUSED, Fate.UNKNOWN} <= fates
