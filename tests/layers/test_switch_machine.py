"""A store that moves all the time beside the plain model, through hundreds of random steps."""

from __future__ import annotations

import os

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.ports import Backend
from ropewalk.testing.faults import Slow
from ropewalk.testing.machine import run_machine

from .restless import RestlessLayer

STEPS = 10_000 if os.environ.get("ROPEWALK_LONG") else 150


def _restless(clock: FrozenClock) -> Backend:
    def fresh() -> Backend:
        return Slow(MemoryBackend(clock=clock))

    return RestlessLayer(fresh(), fresh=fresh, often=2)


@pytest.mark.seed("1.4", "2.3")
def test_a_moving_store_is_the_model() -> None:
    """Whatever is done between and during moves, the store and the model answer alike."""
    made = run_machine(_restless, steps=STEPS)
    print(f"on the move: {made} steps")  # noqa: T201 (the number is part of the proof)
    assert made >= STEPS
