"""The durable part of the contract passes on what lasts, and fails on what forgets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.testing.backend import DurableContract, Reopen, reopening

from .kept import Forgetful, Kept


class TestKept(DurableContract):
    """A store that outlives its back end keeps what durability promises."""

    @pytest.fixture
    def clock(self) -> FrozenClock:
        """Stand still."""
        return FrozenClock(tick=0)

    @pytest.fixture
    async def backend(self, clock: FrozenClock) -> AsyncIterator[Kept]:
        """Open an empty store that lasts."""
        backend = Kept(MemoryBackend(clock=clock))
        await backend.open()
        yield backend
        await backend.close()

    @pytest.fixture
    async def reopen(self, backend: Kept) -> AsyncIterator[Reopen]:
        """Close it and open it again."""
        async with reopening(backend, backend.again) as reopen:
            yield reopen


async def test_a_store_that_forgets_batch_ids_is_found_out() -> None:
    """A retry after reopening that is taken for something new fails the contract."""
    backend = Forgetful(MemoryBackend(clock=FrozenClock(tick=0)))
    await backend.open()
    contract = DurableContract()
    async with reopening(backend, backend.again) as reopen:
        with pytest.raises(Exception, match=r"a was expected|exists already"):
            await contract.test_a_retry_after_reopening_is_recognised(backend, reopen)
