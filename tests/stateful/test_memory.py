"""The memory back end beside the plain model, through thousands of random steps."""

from __future__ import annotations

import os

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.testing.faults import Slow
from ropewalk.testing.machine import run_machine

STEPS = 10_000 if os.environ.get("ROPEWALK_LONG") else 500


@pytest.mark.seed("1.3", "2.1", "2.3")
def test_memory_is_the_model() -> None:
    """Whatever is done, the memory store and the model answer alike."""
    made = run_machine(lambda clock: MemoryBackend(clock=clock), steps=STEPS)
    print(f"memory: {made} steps")  # noqa: T201 (the number is part of the proof)
    assert made >= STEPS


@pytest.mark.seed("1.3", "2.1")
def test_slow_memory_is_the_model() -> None:
    """Behind a layer that gives way at every step, the answers are the same."""
    made = run_machine(lambda clock: Slow(MemoryBackend(clock=clock)), steps=STEPS // 3)
    print(f"slow memory: {made} steps")  # noqa: T201 (the number is part of the proof)
    assert made >= STEPS // 3
