"""The file back end beside the plain model, through thousands of random steps."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ropewalk.backends.file import FileBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.ports import Backend
from ropewalk.testing.faults import Slow
from ropewalk.testing.machine import run_machine

STEPS = 10_000 if os.environ.get("ROPEWALK_LONG") else 300

# A disk in memory, where there is one: what is proven here does not depend on `fsync`.
MEMORY = Path("/dev/shm")  # noqa: S108 (a folder of its own is made there)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return an empty folder."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


def _maker(folder: Path) -> Callable[[FrozenClock], FileBackend]:
    """Return what makes stores in ever new folders."""
    numbers = count()
    return lambda clock: FileBackend(folder / str(next(numbers)), clock=clock)


def _again(backend: Backend, clock: FrozenClock) -> FileBackend:
    """Return another store on the folder of one that was closed."""
    assert isinstance(backend, FileBackend)
    return FileBackend(backend.root, clock=clock)


@pytest.mark.seed("1.3", "2.2", "2.3")
def test_the_folder_is_the_model(folder: Path) -> None:
    """Whatever is done, also across closing and opening, the folder and the model answer alike."""
    made = run_machine(_maker(folder), steps=STEPS, again=_again)
    print(f"file: {made} steps")  # noqa: T201 (the number is part of the proof)
    assert made >= STEPS


@pytest.mark.seed("1.3", "2.2")
def test_a_slow_folder_is_the_model(folder: Path) -> None:
    """Behind a layer that gives way at every step, the answers are the same."""
    make = _maker(folder)
    made = run_machine(lambda clock: Slow(make(clock)), steps=STEPS // 3)
    print(f"slow file: {made} steps")  # noqa: T201 (the number is part of the proof)
    assert made >= STEPS // 3
