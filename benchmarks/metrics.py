"""What counting costs an operation, and what a declared index costs and gains: `-m` runs it."""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.change import Applied, Batch, Put
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.declared import DeclaredIndex
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import NEWEST_FIRST, Condition, Order, Query
from ropewalk.domain.record import Key, Record
from ropewalk.layers.metrics import MetricsLayer

KEY: Final = Key("lab", "note", "a")
BATCH: Final = Batch((Put(key=KEY),))
NOTES: Final = Query(space="lab", kinds=("note",), limit=50)
SLICES: Final = 41
CALLS: Final = 5_000
RECORDS: Final = 100_000

_APPLIED: Final = Applied(1, 1, (1,), (0,))
_RECORD: Final = Record(key=KEY, version=1, created_at=1, updated_at=1)


class Nothing:
    """Answer at once: what is left is what a layer costs."""

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return as many records as were asked for."""
        del bodies
        return [_RECORD] * len(keys)

    async def apply(self, batch: Batch) -> Applied:
        """Do nothing."""
        del batch
        return _APPLIED

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Return as many records as are wanted."""
        for _ in range(query.limit or 0):
            yield _RECORD


async def _get(backend: Backend) -> None:
    await backend.get((KEY,))


async def _apply(backend: Backend) -> None:
    await backend.apply(BATCH)


async def _scan(backend: Backend) -> None:
    async for _ in backend.scan(NOTES):
        pass


async def price(work: Callable[[Backend], Awaitable[None]], calls: int) -> tuple[float, float]:
    """Return the microseconds of processor time that counting adds: median, and best to best."""
    bare = cast("Backend", Nothing())
    sides: tuple[Backend, Backend] = bare, MetricsLayer(bare)
    spent: tuple[list[float], list[float]] = [], []
    for _ in range(SLICES):
        for side in random.sample((0, 1), 2):
            begin = time.thread_time()
            for _ in range(calls):
                await work(sides[side])
            spent[side].append((time.thread_time() - begin) / calls * 1e6)
    return (
        statistics.median(spent[1]) - statistics.median(spent[0]),
        min(spent[1]) - min(spent[0]),
    )


async def indexes(folder: Path) -> None:
    """Measure questions by a label without and with its index, and what making it takes."""
    backend = SqliteBackend(folder / "store.db", clock=SystemClock())
    await backend.open()
    for start in range(0, RECORDS, 5_000):
        puts = [
            Put(
                key=Key("lab", "note", f"{n:08x}"),
                body=b"x" * 300,
                labels={"metadata.topic": f"t{n * 7919 % 5_000}", "metadata.n": n},
                created_at=n,
            )
            for n in range(start, start + 5_000)
        ]
        await backend.apply(Batch(tuple(puts)))
    topic = Condition("labels.metadata.topic", "eq", "t77")
    asked = {
        "equality, newest first": replace(NOTES, where=(topic,), order=NEWEST_FIRST),
        "range": NOTES.only(Condition("labels.metadata.n", "ge", RECORDS - 40)),
        "order": replace(NOTES, order=Order("labels.metadata.n", descending=True)),
    }
    before = {name: await _spent(backend, query) for name, query in asked.items()}
    begin = time.perf_counter()
    await backend.apply(Batch((DeclaredIndex("note", "metadata.topic").put("lab"),)))
    made = time.perf_counter() - begin
    await backend.apply(Batch((DeclaredIndex("note", "metadata.n").put("lab"),)))
    print(f"making an index over {RECORDS} records: {made * 1e3:.0f} ms, in which nobody writes")
    for name, query in asked.items():
        after = await _spent(backend, query)
        print(f"{name}: {before[name] * 1e3:.2f} ms without, {after * 1e3:.2f} ms with")
    await backend.close()


async def _spent(backend: Backend, query: Query) -> float:
    taken: list[float] = []
    for _ in range(9):
        begin = time.perf_counter()
        async for _ in backend.scan(query):
            pass
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


async def main() -> None:
    """Print both."""
    for name, work, calls in (("get", _get, CALLS), ("apply", _apply, CALLS), ("50", _scan, 200)):
        median, best = await price(work, calls)
        print(f"counting {name}: {median:.2f} us (median), {best:.2f} us (best to best)")
    with tempfile.TemporaryDirectory() as folder:
        await indexes(Path(folder))


if __name__ == "__main__":
    asyncio.run(main())
