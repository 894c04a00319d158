"""An open store: its lanes with their threads, and what is done without them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import TypeVar

from ...domain.change import Applied, Batch
from ..watch import Watch
from .connection import Connection
from .express import Express
from .lane import Lane
from .pulse import Pulse
from .reader import Read, Reading
from .trimming import Trimming
from .writer import Write

T = TypeVar("T")


@dataclass(slots=True)
class House:
    """Three lanes in one process: one writes, one reads by keys, one goes through records.

    Beside them one thread looks for commits of others while anybody waits, and one forgets old
    commits.

    `express` is what serves callers on their own loops, `None` where nothing does.
    """

    process: int
    pulse: Pulse
    writer: Lane[Write]
    points: Lane[Reading]
    walks: Lane[Reading]
    watch: Watch
    trimming: Trimming
    express: Express | None = None

    async def start(self, readers: int) -> None:
        """Begin all threads; raise what keeps one of them from opening its connection."""
        await self.writer.start()
        await self.points.start()
        for _ in range(readers):
            await self.walks.start()

    async def read(
        self,
        lane: Lane[Reading],
        work: Callable[[Connection], T],
        *,
        shape: Hashable | None = None,
    ) -> T:
        """Do a read in a lane, or on the caller's loop where it has a `shape` and is quick."""
        if shape is not None and self.express is not None:
            return await self.express.read(lane, work, shape=shape)
        errand = Read(work)
        await lane.send(errand)
        return await errand.outcome()

    def apply(self, batch: Batch) -> Awaitable[Applied]:
        """Apply a batch and return when it is committed."""
        write = Write(batch)
        return self._send(write) if self.express is None else self.express.apply(write)

    async def _send(self, write: Write) -> Applied:
        write.hold()
        await self.writer.send(write)
        return await write.outcome()

    def cache_use(self, own: tuple[int, int]) -> tuple[int, int]:
        """Add what the connections for loops say of their caches to that of the one that asks.

        Pages that they found in memory, and pages that they read.
        """
        hits, misses = (0, 0) if self.express is None else self.express.cache_use()
        return own[0] + hits, own[1] + misses

    async def stop(self) -> None:
        """Take nothing in any more, finish what was, and close the writer's connection last."""
        if self.express is not None:
            self.express.close()
        for part in (self.watch, self.trimming, self.writer, self.points, self.walks):
            part.close()
        await asyncio.to_thread(self._join)

    def _join(self) -> None:
        for part in (self.watch, self.trimming, self.points, self.walks, self.writer):
            part.join()
