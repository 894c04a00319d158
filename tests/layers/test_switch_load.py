"""Many writers and readers go on through several switches: nothing is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from ropewalk.backends.file import FileBackend
from ropewalk.backends.memory import MemoryBackend
from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.change import Batch, Delete, Put
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.errors import Conflict
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import Order, Query
from ropewalk.domain.record import Key
from ropewalk.layers.switch import SwitchLayer
from ropewalk.testing.faults import Slow
from ropewalk.testing.samples import SPACE, commits, drain, soon

pytestmark = pytest.mark.seed("1.4", "5.1", "5.2")

COUNTERS = [Key(SPACE, "counter", f"c{n}") for n in range(4)]
FIXED = [Key(SPACE, "fixed", f"f{n:03}") for n in range(120)]


class Load:
    """Tasks that write, scan and follow the feed until they are told to stop."""

    def __init__(self, backend: Backend, *, step: int, steps: int) -> None:
        self.backend = backend
        self.step = step
        self.most = step * steps
        self.milestones = [asyncio.Event() for _ in range(steps)]
        self.stopped = asyncio.Event()
        self.increments: Counter[Key] = Counter()
        self.applied: list[str] = []
        self.during = 0
        self.scans = 0
        self.told: list[str] = []
        self.numbers: list[int] = []

    async def write(self, seed: int) -> None:
        """Add one to a counter that expects what was read, until there are enough writes."""
        random = Random(seed)
        while len(self.applied) < self.most:
            key = random.choice(COUNTERS)
            (record,) = await self.backend.get([key])
            value = int(record.body or b"0") if record else 0
            expect = record.version if record else 0
            passing = Key(SPACE, "passing", f"{seed}")
            second = Put(key=passing) if random.random() < 0.5 else Delete(key=passing)
            batch = Batch((Put(key=key, body=b"%d" % (value + 1), expect=expect), second))
            try:
                applied = await self.backend.apply(batch)
            except Conflict:
                continue
            assert (expect + 1, False) == (applied.versions[0], applied.replayed)
            self.increments[key] += 1
            self.applied.append(batch.id)
            for reached in self.milestones[: len(self.applied) // self.step]:
                reached.set()

    async def scan(self, order: Order) -> None:
        """Go through records that nobody writes, and see each exactly once."""
        while not self.stopped.is_set():
            query = Query(space=SPACE, kinds=("fixed",), order=order)
            seen = [record.key async for record in self.backend.scan(query)]
            assert FIXED == (seen[::-1] if order.descending else seen)
            self.scans += 1

    async def follow(self) -> None:
        """Read the feed from where it was left, again and again."""
        after = 0
        while True:
            last = self.stopped.is_set()
            async for commit in self.backend.feed(after):
                assert commit.seq > after
                after = commit.seq
                self.told.append(commit.batch_id)
                self.numbers.append(commit.seq)
            if last:
                return
            await asyncio.sleep(0)


async def _run(backend: SwitchLayer, targets: list[Callable[[], Backend]], *, step: int) -> Load:
    """Put load on `backend`, and switch it while that goes on."""
    await backend.open()
    await backend.apply(Batch(tuple(Put(key=key) for key in FIXED), id="fixed"))
    load = Load(backend, step=step, steps=len(targets) + 2)
    async with asyncio.TaskGroup() as tasks:
        for seed in range(6):
            tasks.create_task(load.write(seed))
        for order in (Order("id"), Order("id", descending=True)):
            tasks.create_task(load.scan(order))
        tasks.create_task(load.follow())
        for reached, target in zip(load.milestones, targets, strict=False):
            await soon(reached.wait())
            before = len(load.applied)
            await soon(backend.switch(target()))
            load.during += len(load.applied) - before
        await soon(load.milestones[-1].wait())
        load.stopped.set()
    return load


async def _assert_whole(backend: Backend, load: Load) -> None:
    """Check that every acknowledged write counts once, in the records and in the feed."""
    records = await backend.get(COUNTERS)
    values = {key: int(r.body or b"0") for key, r in zip(COUNTERS, records, strict=True) if r}
    assert dict(load.increments) == values
    assert sorted(["fixed", *load.applied]) == sorted(load.told)
    assert sorted(set(load.numbers)) == load.numbers
    assert load.told == [commit.batch_id for commit in await commits(backend)]
    assert load.scans > 0
    assert load.during > 0


async def test_nothing_is_lost_under_load_in_memory() -> None:
    """Four switches under six writers that expect versions, two scans and a follower."""
    clock = SystemClock()

    def fresh() -> Backend:
        return Slow(MemoryBackend(clock=clock), seed=len(COUNTERS))

    backend = SwitchLayer(fresh())
    load = await _run(backend, [fresh] * 4, step=60)
    await _assert_whole(backend, load)
    await backend.close()


@pytest.mark.seed("2.4")
async def test_nothing_is_lost_on_the_way_to_a_durable_store(tmp_path: Path) -> None:
    """From memory to SQLite and to a folder under load; another program finds everything there."""
    clock = SystemClock()
    backend = SwitchLayer(MemoryBackend(clock=clock, loop_budget=0))

    def into_sqlite() -> Backend:
        return SqliteBackend(tmp_path / "agent.db", clock=clock)

    def into_folder() -> Backend:
        return FileBackend(tmp_path / "store", clock=clock, sync="normal")

    load = await _run(backend, [into_sqlite, into_folder], step=25)
    await _assert_whole(backend, load)
    await backend.close()
    again = SwitchLayer(into_folder())
    await again.open()
    await _assert_whole(again, load)
    assert 120 + len(COUNTERS) <= await drain(again.scan(Query(space=None)))
    await again.close()
