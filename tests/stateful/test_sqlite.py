"""The SQLite back end beside the plain model, through thousands of random steps."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.ports import Backend
from ropewalk.testing.faults import Slow
from ropewalk.testing.machine import run_machine

STEPS = 10_000 if os.environ.get("ROPEWALK_LONG") else 300


def _maker(folder: Path) -> Callable[[FrozenClock], SqliteBackend]:
    """Return what makes stores on ever new files in a folder."""
    numbers = count()
    return lambda clock: SqliteBackend(folder / f"{next(numbers)}.db", clock=clock)


def _again(backend: Backend, clock: FrozenClock) -> SqliteBackend:
    """Return another store on the file of one that was closed."""
    assert isinstance(backend, SqliteBackend)
    return SqliteBackend(backend.path, clock=clock)


@pytest.mark.seed("1.3", "2.2", "2.3")
def test_sqlite_is_the_model(tmp_path: Path) -> None:
    """Whatever is done, also across closing and opening, SQLite and the model answer alike."""
    made = run_machine(_maker(tmp_path), steps=STEPS, again=_again)
    print(f"sqlite: {made} steps")  # noqa: T201 (the number is part of the proof)
    assert made >= STEPS


@pytest.mark.seed("1.3", "2.2")
def test_slow_sqlite_is_the_model(tmp_path: Path) -> None:
    """Behind a layer that gives way at every step, the answers are the same."""
    make = _maker(tmp_path)
    made = run_machine(lambda clock: Slow(make(clock)), steps=STEPS // 3)
    print(f"slow sqlite: {made} steps")  # noqa: T201 (the number is part of the proof)
    assert made >= STEPS // 3
