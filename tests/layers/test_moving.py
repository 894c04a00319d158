"""A copy is made of what a scan tells, also where the source is written to meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Delete
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.query import Query
from ropewalk.domain.record import Record
from ropewalk.layers.base import Layer
from ropewalk.layers.epoch import Epoch
from ropewalk.layers.moving import Mover
from ropewalk.testing.samples import everything, key, put, write

pytestmark = pytest.mark.seed("1.4")

_MANY = 300
"""More than a store reads at once, and fewer than are written at once."""

_EVERYTHING = Query(space=None, expired=True)


class _Replaced(Layer):
    """A store in which somebody makes the first record of a copy anew, behind all others."""

    def __init__(self, below: MemoryBackend) -> None:
        super().__init__(below)
        self.told: list[str] = []

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through the records, and write after the first."""
        async for record in super().scan(query):
            self.told.append(record.key.id)
            yield record
            if len(self.told) == 1:
                await write(self.below, Delete(key=record.key))
                await write(self.below, put(record.key.id, b"anew"))


async def test_a_record_made_anew_meanwhile_is_copied_once(
    memory: MemoryBackend, clock: FrozenClock
) -> None:
    """A record that a scan meets twice, in two lives, is written once, as it is in the end."""
    for n in range(_MANY):
        await write(memory, put(f"n{n:03}", b"old"))
    source, target = _Replaced(memory), MemoryBackend(clock=clock)
    await target.open()
    mover = Mover(source, target, epoch=Epoch(), recent={})
    await mover.begin()
    await mover.copy()
    assert ["n000", "n299", "n000"] == [source.told[0], *source.told[-2:]]
    [copied] = await target.get([key("n000")])
    assert copied is not None
    assert b"anew" == copied.body
    await mover.catch_up()
    await mover.finish(doubtful=(), highest=0)
    mine = [r for r in await everything(target, _EVERYTHING) if r.key.space == key("n000").space]
    assert await everything(memory, _EVERYTHING) == mine
    await target.close()
