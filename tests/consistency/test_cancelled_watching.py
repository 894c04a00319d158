"""Watching, cancelled at every point where it waits: no commit is missed, and none told twice."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from ropewalk.domain.change import Commit
from ropewalk.services.feed.watching import Watcher
from ropewalk.services.storage import Storage
from ropewalk.testing.cancelling import Ended, Moment, cancel_everywhere, cancelled_at
from ropewalk.testing.samples import soon

from .operations import save

pytestmark = [pytest.mark.seed("4.5"), pytest.mark.seed("5.5")]


async def _last(storage: Storage) -> int:
    return max([commit.seq async for commit in storage.feed()])


async def _next(watcher: Watcher) -> Commit:
    return await anext(watcher)


async def _save_later(storage: Storage, name: str, turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    await save(storage, name)


@pytest.mark.parametrize("turns", [0, 20], ids=["there", "to-come"])
async def test_no_commit_is_missed(storage: Storage, turns: int) -> None:
    """Whoever is cancelled while it waits for the next commit is told that one the next time."""
    cancelled = 0
    async with storage.watch(after=await _last(storage)) as watcher:
        for moment in Moment:
            for point in count(1):
                name = f"{moment.name}-{point}"
                if not turns:
                    await save(storage, name)
                writer = asyncio.create_task(_save_later(storage, f"{name}-later", turns))
                ended = await cancelled_at(_next(watcher), point, moment)
                await soon(writer)
                told = [ended.value] if ended.value else []
                while len(told) < (1 if turns else 2):
                    told.append(await soon(_next(watcher)))
                names = [f"{name}-later"] if turns else [name, f"{name}-later"]
                assert names == [commit.changes[0].key.id for commit in told]
                if not ended.was_cancelled:
                    break
                cancelled += 1
    print(f"watch: {cancelled} cancellations")  # noqa: T201
    assert cancelled >= 2


async def test_beginning_and_ending(storage: Storage) -> None:
    """Whoever is cancelled while it begins or ends watching leaves nothing behind."""

    async def watch() -> None:
        async with storage.watch(after=0) as watcher:
            await anext(watcher)

    async def look(ended: Ended[None]) -> None:
        del ended
        await soon(watch())

    assert await cancel_everywhere(watch, look) >= 2
