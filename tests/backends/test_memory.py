"""The memory back end keeps the whole contract, and costs a page what is on the page."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.testing.backend import BackendContract


class TestMemory(BackendContract):
    """Every promise of a back end, kept in memory."""

    @pytest.fixture
    async def backend(self, clock: FrozenClock) -> AsyncIterator[MemoryBackend]:
        """Open an empty memory store."""
        backend = MemoryBackend(clock=clock)
        await backend.open()
        yield backend
        await backend.close()
