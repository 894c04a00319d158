"""Work that is cancelled at every point where it waits leaves all of it behind, or nothing."""

from __future__ import annotations

import asyncio
import threading
from itertools import count
from time import monotonic

import pytest

import ropewalk
from ropewalk.services.storage import Storage
from ropewalk.testing.cancelling import Ended, Moment, cancel_everywhere, cancelled_at
from ropewalk.testing.samples import DEADLINE, soon

from .operations import OPERATIONS, waits

pytestmark = pytest.mark.seed("4.5")

INNER = {"node", "dictionary", "secret", "family"}
"""Kinds that a commit may or may not touch, as the trees need it."""


async def _touched(storage: Storage, after: int) -> tuple[int, list[frozenset[str]]]:
    """Return the kinds that each commit since has touched, and the number of the last."""
    told: list[frozenset[str]] = []
    async for commit in storage.feed(after):
        told.append(frozenset(change.key.kind for change in commit.changes) - INNER)
        after = commit.seq
    return after, told


@pytest.mark.parametrize("name", OPERATIONS)
async def test_all_or_nothing(storage: Storage, url: str, name: str) -> None:
    """Cancelled at whatever wait: no task stays, the batch is whole or absent, and it works again.

    Nothing hangs, and each commit in the feed is one of the whole operation.
    """
    operation = OPERATIONS[name]
    numbers = count()
    begun = done = 0
    before, _ = await _touched(storage, 0)

    async def work() -> object:
        return await operation.begin(storage, f"n{next(numbers)}")

    async def look(ended: Ended[object]) -> None:
        nonlocal begun, done
        begun += 1
        assert operation.answer == await soon(work())
        done += 1
        if not ended.was_cancelled:
            assert operation.answer == ended.value
            done += 1
        _, told = await _touched(storage, before)
        assert {operation.kinds} - {frozenset()} == set(told), str(ended)

    cancelled = await cancel_everywhere(work, look)
    _, told = await _touched(storage, before)
    print(f"{name}: {cancelled} cancellations, {len(told)} commits of {2 * begun}")  # noqa: T201
    assert cancelled >= waits(url)
    if operation.kinds:
        assert done <= len(told) <= 2 * begun


async def _is_quiet(threads: set[threading.Thread]) -> None:
    """Wait until no thread is there that was not there before, those of the loop aside."""
    deadline = monotonic() + DEADLINE
    while left := {t for t in threading.enumerate() if not t.name.startswith("asyncio")} - threads:
        assert monotonic() < deadline, f"{left} never end"
        await asyncio.sleep(0.001)


async def test_opening(url: str) -> None:
    """An opening that is cancelled can be done again at once, and leaves no thread behind."""
    threads = set(threading.enumerate())
    opened: list[Storage] = []

    async def begin() -> None:
        opened.append(ropewalk.open(url)._storage)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        await opened[-1].open()

    async def look(ended: Ended[None]) -> None:
        del ended
        storage = opened[-1]
        await soon(storage.open())
        await soon(storage.records.save({"id": "a", "type": "note"}))
        assert await soon(storage.records.exists("a"))
        await soon(storage.close())
        await _is_quiet(threads)

    cancelled = await cancel_everywhere(begin, look)
    print(f"open: {cancelled} cancellations")  # noqa: T201
    assert cancelled >= waits(url)


async def test_closing(url: str) -> None:
    """A closing that is cancelled loses nothing, is finished by the next, and frees the store."""
    threads = set(threading.enumerate())
    cancelled = 0
    for moment in Moment:
        for point in count(1):
            storage = await ropewalk.open(url)
            name = f"{moment.name}{point}"
            await storage.records.save({"id": name, "type": "note"})
            ended = await cancelled_at(storage.close(), point, moment)
            await soon(storage.close())
            await _is_quiet(threads)
            async with ropewalk.open(url) as again:
                assert await again.records.exists(name) == (not url.startswith("memory:"))
            if not ended.was_cancelled:
                break
            cancelled += 1
    print(f"close: {cancelled} cancellations")  # noqa: T201
    assert cancelled >= waits(url)
