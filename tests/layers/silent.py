"""A memory store that tells no commits."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Commit
from ropewalk.domain.ports import Capability, require


class SilentBackend(MemoryBackend):
    """Count, but keep no feed that anybody could read."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """It counts by itself, and that is all."""
        return frozenset({Capability.TALLY})

    async def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Raise `Invalid`: there is no feed."""
        require(self, Capability.FEED)
        async for commit in super().feed(after):
            yield commit

    async def changed(self, after: int) -> int:
        """Raise `Invalid`: there is no feed."""
        require(self, Capability.FEED)
        return await super().changed(after)

    async def trim(self, before: int) -> int:
        """Raise `Invalid`: there is no feed."""
        require(self, Capability.FEED)
        return await super().trim(before)
