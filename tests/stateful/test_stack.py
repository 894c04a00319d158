"""Three layers round a store beside the plain model, through thousands of random steps."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.ports import Backend
from ropewalk.layers.logs import LogsLayer
from ropewalk.layers.retry import RetryLayer
from ropewalk.layers.switch import SwitchLayer
from ropewalk.testing.machine import run_machine

STEPS = 10_000 if os.environ.get("ROPEWALK_LONG") else 200


def _coated(backend: Backend) -> Backend:
    return LogsLayer(RetryLayer(SwitchLayer(backend)))


@pytest.mark.seed("1.3", "2.3")
def test_a_stack_over_memory_is_the_model() -> None:
    """Logs round retry round switch change no answer of the store below."""
    made = run_machine(lambda clock: _coated(MemoryBackend(clock=clock)), steps=STEPS)
    print(f"stack over memory: {made} steps")  # noqa: T201 (the number is part of the proof)
    assert made >= STEPS


@pytest.mark.seed("1.3", "2.3")
def test_a_stack_over_sqlite_is_the_model(tmp_path: Path) -> None:
    """The same round a file."""
    numbers = count()

    def make(clock: FrozenClock) -> Backend:
        return _coated(SqliteBackend(tmp_path / f"{next(numbers)}.db", clock=clock))

    made = run_machine(make, steps=STEPS)
    print(f"stack over sqlite: {made} steps")  # noqa: T201 (the number is part of the proof)
    assert made >= STEPS
