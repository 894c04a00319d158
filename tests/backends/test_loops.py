"""A store belongs to no event loop: many threads, each with a loop of its own, share it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ropewalk.backends.file.backend import FileBackend
from ropewalk.backends.memory import MemoryBackend
from ropewalk.backends.sqlite.engine import SqliteBackend
from ropewalk.backends.sqlite.gate import Gate
from ropewalk.domain.change import Batch
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.errors import Conflict, Unavailable
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import Query
from ropewalk.layers.switch import SwitchLayer
from ropewalk.testing.samples import SPACE, found, ids, key, put, write

T = TypeVar("T")
Make = Callable[[Path], Backend]

THREADS = 6
TURNS = 25

MAKERS: dict[str, Make] = {
    "memory": lambda _: MemoryBackend(clock=SystemClock()),
    "sqlite": lambda path: SqliteBackend(path / "store.db", clock=SystemClock()),
    "file": lambda path: FileBackend(path / "store", clock=SystemClock(), sync="normal"),
    "switch": lambda _: SwitchLayer(MemoryBackend(clock=SystemClock())),
}


@pytest.fixture(params=list(MAKERS))
def make(request: pytest.FixtureRequest) -> Make:
    """Make a back end of each sort, not opened yet."""
    return MAKERS[request.param]


def _in_threads(work: Callable[[int], Coroutine[Any, Any, T]]) -> list[T]:
    """Run a coroutine for each number, each on a new loop in a thread of its own, all at once."""
    start = threading.Barrier(THREADS)

    def one(n: int) -> T:
        start.wait(30)
        return asyncio.run(work(n))

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, range(THREADS)))


@pytest.mark.seed("5.1", "5.2")
async def test_no_increment_of_any_thread_is_lost(make: Make, tmp_path: Path) -> None:
    """Threads that each add one by compare-and-set, many times, make the sum; so does the loop."""
    backend = make(tmp_path)
    await backend.open()
    await write(backend, put("counter", b"0"))

    async def add(_: int) -> None:
        for _ in range(TURNS):
            while True:
                record = await found(backend, "counter")
                total = int(record.body or b"") + 1
                try:
                    await write(backend, put("counter", b"%d" % total, expect=record.version))
                except Conflict:
                    continue
                break

    await asyncio.gather(asyncio.to_thread(_in_threads, add), add(-1))
    expected = b"%d" % ((THREADS + 1) * TURNS)
    assert expected == (await found(backend, "counter")).body
    await backend.close()


@pytest.mark.seed("5.1", "8.3")
async def test_threads_see_no_half_batch(make: Make, tmp_path: Path) -> None:
    """While a thread turns two records over together, others read them, scan them and feed."""
    backend = make(tmp_path)
    await backend.open()
    await write(backend, put("left", b"0"), put("right", b"0"))
    done = threading.Event()

    async def work(n: int) -> int:
        looks = 0
        try:
            while not done.is_set():
                if n == 0:
                    for turn in range(TURNS):
                        body = b"%d" % turn
                        await write(backend, put("left", body), put("right", body), put(f"n{turn}"))
                    return TURNS
                left, right = await backend.get([key("left"), key("right")])
                assert left is not None
                assert right is not None
                assert (left.body, left.version) == (right.body, right.version)
                names = await ids(backend, Query(space=SPACE))
                assert len(set(names)) == len(names)
                commits = [commit async for commit in backend.feed()]
                assert list(range(1, len(commits) + 1)) == [commit.seq for commit in commits]
                looks += 1
        finally:
            if n == 0:
                done.set()
        return looks

    assert all(n >= 0 for n in await asyncio.to_thread(_in_threads, work))
    assert TURNS + 2 == len(await ids(backend, Query(space=SPACE)))
    await backend.close()


@pytest.mark.seed("4.5")
async def test_a_loop_that_stands_still_holds_nobody_up(make: Make, tmp_path: Path) -> None:
    """A thread reads and writes while the loop that opened the store is blocked until it has."""
    backend = make(tmp_path)
    await backend.open()
    begun = [asyncio.create_task(write(backend, put(f"early-{n}"))) for n in range(50)]
    await asyncio.sleep(0)

    async def work(n: int) -> bool:
        await write(backend, put(f"late-{n}"))
        return (await backend.get([key(f"late-{n}")]))[0] is not None

    # The loop of this test does not turn meanwhile.
    assert [True] * THREADS == _in_threads(work)
    await asyncio.gather(*begun)
    assert 50 + THREADS == len(await ids(backend, Query(space=SPACE)))
    await backend.close()


@pytest.mark.seed("4.2")
async def test_a_gate_wakes_callers_of_every_loop() -> None:
    """Who waits at a full gate comes in when somebody in another thread leaves."""
    gate = Gate(most=1, most_bytes=1)
    await gate.enter(0)
    entered: list[int] = []

    async def work(n: int) -> None:
        await gate.enter(0)
        entered.append(n)
        assert 1 == gate.inside
        gate.leave(0)

    threads = asyncio.create_task(asyncio.to_thread(_in_threads, work))
    mine = asyncio.create_task(work(-1))
    await asyncio.sleep(0)
    assert [] == entered
    gate.leave(0)
    await asyncio.gather(threads, mine)
    assert [-1, *range(THREADS)] == sorted(entered)
    assert 0 == gate.inside


async def test_whoever_waited_on_a_dead_loop_takes_no_room() -> None:
    """A caller whose loop was closed while he stood in line is passed over."""
    gate = Gate(most=1, most_bytes=1)
    await gate.enter(0)

    def abandon() -> Coroutine[Any, Any, None]:
        loop = asyncio.new_event_loop()
        waiting = gate.enter(0)

        async def begin() -> None:
            waiting.send(None)

        loop.run_until_complete(begin())
        loop.close()
        return waiting

    waiting = await asyncio.to_thread(abandon)
    gate.leave(0)
    assert 0 == gate.inside
    waiting.close()
    assert 0 == gate.inside


async def test_a_store_can_close_under_threads(make: Make, tmp_path: Path) -> None:
    """Whoever comes after the end is told that the store is closed; nobody hangs."""
    backend = make(tmp_path)
    await backend.open()
    begun = threading.Barrier(THREADS + 1)

    async def work(n: int) -> int:
        await write(backend, put(f"first-{n}"))
        begun.wait(30)
        done = 0
        try:
            while True:
                await backend.apply(Batch((put(f"n{n}-{done}"),)))
                done += 1
        except Unavailable:
            return done

    threads = asyncio.create_task(asyncio.to_thread(_in_threads, work))
    await asyncio.to_thread(begun.wait, 30)
    await backend.close()
    assert THREADS == len(await asyncio.wait_for(threads, 30))
