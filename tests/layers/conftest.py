"""Stores to stand layers round."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.layers.switch import SwitchLayer


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that every store of a test shares."""
    return FrozenClock()


@pytest.fixture
async def memory(clock: FrozenClock) -> AsyncIterator[MemoryBackend]:
    """An open, empty memory store."""
    backend = MemoryBackend(clock=clock, loop_budget=0)
    await backend.open()
    yield backend
    await backend.close()


@pytest.fixture
def target(clock: FrozenClock) -> MemoryBackend:
    """A memory store to switch to, not open yet."""
    return MemoryBackend(clock=clock, loop_budget=0)


@pytest.fixture
async def layer(memory: MemoryBackend) -> AsyncIterator[SwitchLayer]:
    """An open switch layer over the memory store."""
    layer = SwitchLayer(memory)
    await layer.open()
    yield layer
    await layer.close()
