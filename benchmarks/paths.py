"""Question 6: what a record costs on its whole way, beside a program that has only SQLite."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol, TypeAlias

import ropewalk
from ropewalk import Storage

from .aio import Aio
from .figures import median, percentile
from .scale import Scale
from .tables import Requirement, Section, number, ratio, table
from .text import Writer
from .workloads import SEED

Row: TypeAlias = dict[str, Any]

ROPEWALK: Final = "Ropewalk"
THREADS: Final = "Ropewalk, loop_budget=0"
SAME: Final = "aiosqlite + orjson"
LEAST: Final = "aiosqlite, one statement"

_TASKS: Final = (1, 10, 100)
_DOCUMENTS: Final = 1_000
_OF_A_SESSION: Final = 100
_LISTED: Final = 50
_SLICE: Final = 0.25
_STEPS: Final = 30

_HOW: Final = (
    "Records of 0.5 to 2 kB, as dictionaries in and out; calls a second, medians of slices of a "
    f"quarter of a second in changing order. *{SAME}* does what Ropewalk does, a transaction with "
    f"a log of commits; *{LEAST}* does the least that keeps a record. *Late* is how much later "
    "than it should a timer of one millisecond fires meanwhile, p99 in milliseconds."
)
_LEAST: Final[Mapping[tuple[str, str, int], float]] = {
    ("normal", "load", 1): 5,
    ("normal", "load", 10): 4,
    ("normal", "load", 100): 3,
    ("normal", "save", 1): 1.5,
    ("normal", "save", 10): 2,
    ("normal", "save", 100): 3,
    ("normal", "list", 1): 1.2,
    ("full", "save", 100): 5,
}


class Keeper(Protocol):
    """A store of dictionaries."""

    async def open(self, documents: Sequence[Row]) -> None:
        """Open a new store and fill it."""
        ...

    async def close(self) -> None:
        """Close it."""
        ...

    async def load(self, id: str) -> Row | None:
        """Read one record."""
        ...

    async def list(self, session: str, limit: int) -> list[Row]:
        """Read the first records of a session."""
        ...

    async def save(self, document: Row) -> None:
        """Write one record."""
        ...


class Records:
    """Ropewalk's plain records, opened as everybody opens them."""

    def __init__(self, path: Path, *, sync: str, loop_budget: float | None = None) -> None:
        """Begin closed."""
        budget = "" if loop_budget is None else f"&loop_budget={loop_budget}"
        self._url = f"sqlite:///{path}?sync={sync}{budget}"
        self._closing = AsyncExitStack()

    async def open(self, documents: Sequence[Row]) -> None:
        """Open a new store and fill it."""
        self.storage: Storage = await self._closing.enter_async_context(ropewalk.open(self._url))
        await self.storage.records.save_many(documents)

    async def close(self) -> None:
        """Close it."""
        await self._closing.aclose()

    async def load(self, id: str) -> Row | None:
        """Read one record."""
        return await self.storage.records.load(id, type="note")

    async def list(self, session: str, limit: int) -> list[Row]:
        """Read the first records of a session."""
        wanted = {"type": "note", "session_id": session}
        return await self.storage.records.list(wanted, limit=limit)

    async def save(self, document: Row) -> None:
        """Write one record."""
        await self.storage.records.save(document)


@dataclass(slots=True)
class _Figures:
    rates: list[float] = field(default_factory=list[float])
    late: list[float] = field(default_factory=list[float])


_Call: TypeAlias = Callable[[Keeper, int], Awaitable[None]]
_Found: TypeAlias = dict[tuple[str, str, int, str], _Figures]


def documents(count: int) -> list[Row]:
    """Make records that differ in length, of sessions of a hundred, one for each second."""
    random, writer, first = Random(SEED), Writer(SEED), datetime(2026, 1, 1, tzinfo=UTC)
    return [
        {
            "id": f"note-{n:06}",
            "type": "note",
            "session_id": f"session-{n // _OF_A_SESSION}",
            "created_at": first + timedelta(seconds=n),
            "data": {
                "n": n,
                "text": writer.words(random.randint(400, 1_700)),
                "tags": ["a", "b"],
                "nested": {"ratio": n / 7, "done": False},
            },
            "metadata": {"status": "open", "rank": n % 10},
        }
        for n in range(count)
    ]


async def measure(scale: Scale, folder: Path) -> Section:
    """Give every store the same calls, in turns, and return the tables."""
    given = documents(_DOCUMENTS)
    found: _Found = defaultdict(_Figures)
    for sync, verbs in (("normal", ("load", "list", "save")), ("full", ("save",))):
        keepers: dict[str, Keeper] = {
            ROPEWALK: Records(folder / f"{sync}-loop.db", sync=sync),
            THREADS: Records(folder / f"{sync}-threads.db", sync=sync, loop_budget=0),
            SAME: Aio(folder / f"{sync}-same.db", sync=sync, log=True),
            LEAST: Aio(folder / f"{sync}-least.db", sync=sync, log=False),
        }
        for keeper in keepers.values():
            await keeper.open(given)
        calls = {verb: call for verb, call in _calls(given).items() if verb in verbs}
        for round in range(scale.rounds):
            await _slices(keepers, calls, found, sync=sync, order=Random(round))
        for keeper in keepers.values():
            await keeper.close()
    append = await _appending(folder)
    return Section("paths", "Records, the whole way", _tables(found, append), _required(found))


def _calls(given: Sequence[Row]) -> dict[str, _Call]:
    async def load(keeper: Keeper, n: int) -> None:
        document = given[n * 7 % len(given)]
        row = await keeper.load(document["id"])
        if row is None or row["data"] != document["data"]:
            raise ValueError(document["id"])

    async def list_(keeper: Keeper, n: int) -> None:
        session = given[n * 7 % len(given)]["session_id"]
        if len(await keeper.list(session, _LISTED)) != _LISTED:
            raise ValueError(session)

    async def save(keeper: Keeper, n: int) -> None:
        await keeper.save({**given[n % len(given)], "id": f"new-{n}", "session_id": "new"})

    return {"load": load, "list": list_, "save": save}


async def _slices(
    keepers: Mapping[str, Keeper],
    calls: Mapping[str, _Call],
    found: _Found,
    *,
    sync: str,
    order: Random,
) -> None:
    """Measure a slice of everything once, in an order of its own."""
    todo = [(verb, tasks, name) for verb in calls for tasks in _TASKS for name in keepers]
    order.shuffle(todo)
    for verb, tasks, name in todo:
        gc.collect()
        figures = found[sync, verb, tasks, name]
        rate, late = await _slice(keepers[name], calls[verb], tasks, order.randrange(1 << 60))
        figures.rates.append(rate)
        figures.late += late


async def _slice(keeper: Keeper, call: _Call, tasks: int, first: int) -> tuple[float, list[float]]:
    """Return calls a second, and how late a timer was meanwhile, in milliseconds."""
    count, started = 0, time.perf_counter()
    end = started + _SLICE
    late: list[float] = []

    async def work() -> None:
        nonlocal count
        while time.perf_counter() < end:
            count += 1
            await call(keeper, first + count)

    async def watch() -> None:
        while (before := time.perf_counter()) < end:
            await asyncio.sleep(0.001)
            late.append((time.perf_counter() - before - 0.001) * 1_000)

    await asyncio.gather(watch(), *[work() for _ in range(tasks)])
    return count / (time.perf_counter() - started), late


async def _appending(folder: Path) -> dict[str, float]:
    """Return the median of `checkpoints.append`, in microseconds, with and without the loop."""
    stores = {
        ROPEWALK: Records(folder / "append-loop.db", sync="normal"),
        THREADS: Records(folder / "append-threads.db", sync="normal", loop_budget=0),
    }
    times: dict[str, list[float]] = defaultdict(list)
    writer = Writer(SEED)
    for store in stores.values():
        await store.open([])
        await store.storage.threads.create(id="main")
        await store.storage.checkpoints.save("main", {"messages": []})
    for _ in range(_STEPS * 10):
        message = writer.message()
        for name, store in stores.items():
            before = time.perf_counter_ns()
            await store.storage.checkpoints.append("main", {"messages": [message]})
            times[name].append((time.perf_counter_ns() - before) / 1_000)
    for store in stores.values():
        await store.close()
    return {name: median(taken) for name, taken in times.items()}


def _tables(found: _Found, append: Mapping[str, float]) -> tuple[str, ...]:
    names = (ROPEWALK, THREADS, SAME, LEAST)
    rows: list[list[str]] = []
    for sync, verb, tasks in dict.fromkeys(place[:3] for place in found):
        rates = {name: median(found[sync, verb, tasks, name].rates) for name in names}
        late = percentile(found[sync, verb, tasks, ROPEWALK].late, 0.99)
        rows.append(
            [
                f"{verb}, {tasks} tasks, {sync}",
                *[number(rates[name]) for name in names],
                number(_times(found, sync, verb, tasks)),
                number(late),
            ]
        )
    rows.sort()
    head = ("", *names, f"× {SAME}", "late")
    appended = table(
        ("µs, median", *append), [["`checkpoints.append`", *map(number, append.values())]]
    )
    return (_HOW, table(head, rows), appended)


def _times(found: _Found, sync: str, verb: str, tasks: int) -> float | None:
    """Return the median over the rounds of how many times faster it was in that round."""
    pairs = zip(
        found[sync, verb, tasks, ROPEWALK].rates, found[sync, verb, tasks, SAME].rates, strict=True
    )
    return median([ratio(mine, theirs) or 0.0 for mine, theirs in pairs])


def _required(found: _Found) -> tuple[Requirement, ...]:
    faster = [
        Requirement(f"{verb}, {tasks} tasks, {sync}", _times(found, sync, verb, tasks), least=least)
        for (sync, verb, tasks), least in _LEAST.items()
    ]
    late = max(
        percentile(figures.late, 0.99) for (*_, name), figures in found.items() if name == ROPEWALK
    )
    return (*faster, Requirement("late, the worst row", late, most=10, unit="ms"))
