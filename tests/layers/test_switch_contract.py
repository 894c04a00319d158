"""`SwitchLayer` keeps the whole contract while it moves from store to store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.ports import Backend
from ropewalk.testing.backend import BackendContract

from .restless import RestlessLayer


@pytest.mark.seed("1.4")
class TestOnTheMove(BackendContract):
    """A store that moves before verbs and inside scans keeps every promise of a store."""

    @pytest.fixture
    async def backend(self, clock: FrozenClock) -> AsyncIterator[Backend]:
        """Return an open layer that moves to a new memory store all the time."""

        def fresh() -> Backend:
            return MemoryBackend(clock=clock)

        layer = RestlessLayer(fresh(), fresh=fresh, often=5)
        await layer.open()
        yield layer
        await layer.close()
