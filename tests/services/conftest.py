"""Fixtures of the services: an open house over memory, and once more over SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.ports import Backend
from ropewalk.services.storage import Storage
from ropewalk.testing.faults import Slow


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that moves one microsecond at each look."""
    return FrozenClock()


@pytest.fixture(params=["memory", "sqlite"])
def backend(request: pytest.FixtureRequest, tmp_path: Path, clock: FrozenClock) -> Backend:
    """Each of two back ends, not open yet."""
    if request.param == "memory":
        return Slow(MemoryBackend(clock=clock))
    return SqliteBackend(tmp_path / "store.db", clock=clock)


@pytest.fixture
async def storage(backend: Backend, clock: FrozenClock) -> AsyncIterator[Storage]:
    """An open store over each of two back ends."""
    async with Storage(backend, make_pipeline(), clock) as storage:
        yield storage
