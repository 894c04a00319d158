"""A `SwitchLayer` that moves to another store by itself, again and again, while it is used."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from ropewalk.domain.change import Applied, Batch, Commit
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key, Record
from ropewalk.domain.tally import Tally
from ropewalk.layers.switch import SwitchLayer


class RestlessLayer(SwitchLayer):
    """Move before every `often`-th verb, and in the midst of every scan and every feed."""

    def __init__(self, below: Backend, *, fresh: Callable[[], Backend], often: int = 1) -> None:
        super().__init__(below)
        self._fresh = fresh
        self._often = often
        self._verbs = 0
        self.moves = 0

    async def move(self) -> None:
        """Switch to a fresh store, unless a switch is under way or the layer is not open."""
        self._verbs += 1
        if self._is_open and not self._one_at_a_time.locked() and not self._verbs % self._often:
            await self.switch(self._fresh())
            self.moves += 1

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Move, then read."""
        await self.move()
        return await super().get(keys, bodies=bodies)

    async def apply(self, batch: Batch) -> Applied:
        """Move, then write."""
        await self.move()
        return await super().apply(batch)

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Move, then count."""
        await self.move()
        return await super().tally(query, sums, group_by)

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Move while going through the records."""
        count = 0
        async for record in super().scan(query):
            yield record
            count += 1
            if count in (1, 7, 300):
                await self.move()

    async def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Move while going through the commits."""
        count = 0
        async for commit in super().feed(after):
            yield commit
            count += 1
            if count in (1, 7, 300):
                await self.move()


async def until_writers_wait(layer: SwitchLayer) -> None:
    """Return as soon as a switch of `layer` lets no new write begin."""
    gate = layer._gate  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    while gate.is_set():  # noqa: ASYNC110 (there is an event for the end, and none for this)
        await asyncio.sleep(0)


def remembered(layer: SwitchLayer) -> int:
    """Return how many batches the layer keeps the keys of."""
    return len(layer._recent.keys)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
