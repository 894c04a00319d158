"""Question 6: units of work that meet: workflows of four processes move money between counters.

Every workflow moves 1 from one counter to another, both drawn by lot, again and again until the
time is up, by `storage.transact`. Beside it, in the same run, as many processes do the same with
Python's `sqlite3`: `BEGIN IMMEDIATE`, two reads, two writes, `COMMIT`. The sum of all counters must
be what it was. Run a worker with `python -m benchmarks.transfers NAME PATH PROCESS WORKFLOWS
COUNTERS SECONDS`.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import IO, Final

import ropewalk

from .figures import median
from .scale import Scale
from .tables import Requirement, Section, number, table

_ROOT: Final = Path(__file__).resolve().parent.parent
UNITS: Final = "storage.transact"
PLAIN: Final = "sqlite3, BEGIN IMMEDIATE"
_START: Final = 100
_PROCESSES: Final = 4
_WORKFLOWS: Final = 8
_COUNTERS: Final = (64, 16, 4)
_HOW: Final = (
    "Four processes of eight workflows each, transfers between counters. *Fairness* is the slowest "
    "workflow's transfers over the fastest one's; *attempts* are runs of a unit for one that went "
    "through; *longest* is the longest wait for one transfer. `sqlite3` has four processes that do "
    "nothing but this, one transaction after the other, each waiting for the lock."
)


@dataclass(frozen=True, slots=True)
class Moved:
    """What one process did: transfers of each workflow, runs in all, longest wait in seconds."""

    counts: tuple[int, ...]
    runs: int
    longest: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What all processes did together, and the sum of the counters behind it."""

    per_second: float
    fairness: float
    attempts: float
    longest: float
    total: int
    expected: int


async def measure(scale: Scale, folder: Path) -> Section:
    """Measure every number of counters, both contestants in turns, and return the tables."""
    runs, seconds = (3, 8.0) if scale.runs > 3 else (1, 1.5)
    found: dict[tuple[int, str], list[Outcome]] = {}
    for run in range(runs):
        for counters in _COUNTERS:
            names = (UNITS, PLAIN) if run % 2 else (PLAIN, UNITS)
            for name in names:
                path = folder / f"{run}-{counters}-{names.index(name)}.db"
                outcome = await asyncio.to_thread(
                    contest, name, path, counters=counters, seconds=seconds
                )
                found.setdefault((counters, name), []).append(outcome)
    rows = [
        [
            f"{counters} counters, {name}",
            number(median(run.per_second for run in outcomes)),
            number(median(run.fairness for run in outcomes)),
            number(median(run.attempts for run in outcomes)),
            number(max(run.longest for run in outcomes)),
        ]
        for (counters, name), outcomes in sorted(found.items(), reverse=True)
    ]
    head = ("", "units/s", "fairness", "attempts", "longest, s")
    fairest = [run.fairness for (_, name), runs in found.items() if name == UNITS for run in runs]
    lost = [abs(run.total - run.expected) for runs in found.values() for run in runs]
    return Section(
        "transfers",
        "Units of work that meet",
        (_HOW, table(head, rows)),
        (
            Requirement("the sum is off by", float(max(lost)), most=0, unit=""),
            Requirement("fairness, the worst run of all", min(fairest), least=0.3, unit=""),
        ),
    )


def contest(
    name: str,
    path: Path,
    *,
    counters: int,
    seconds: float,
    processes: int = _PROCESSES,
    workflows: int = _WORKFLOWS,
) -> Outcome:
    """Let processes move money for some seconds; raise where one of them failed."""
    _prepare(name, path, counters)
    command = [sys.executable, "-m", "benchmarks.transfers", name, str(path)]
    tail = [str(workflows if name == UNITS else 1), str(counters), str(seconds)]
    workers = [
        subprocess.Popen(
            [*command, str(process), *tail],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for process in range(processes)
    ]
    try:
        for worker in workers:
            _line(worker.stdout)
        for worker in workers:
            _tell(worker.stdin)
        told = [json.loads(_line(worker.stdout)) for worker in workers]
    finally:
        for worker in workers:
            worker.communicate()
    moved = [Moved(tuple(each["counts"]), each["runs"], each["longest"]) for each in told]
    counts = [count for each in moved for count in each.counts]
    return Outcome(
        per_second=sum(counts) / seconds,
        fairness=min(counts) / max(*counts, 1),
        attempts=sum(each.runs for each in moved) / max(sum(counts), 1),
        longest=max(each.longest for each in moved),
        total=_total(name, path),
        expected=_START * counters,
    )


def _line(pipe: IO[str] | None) -> str:
    line = pipe.readline() if pipe else ""
    if not line:
        message = "a process ended before its work was done"
        raise RuntimeError(message)
    return line


def _tell(pipe: IO[str] | None) -> None:
    if pipe:
        pipe.write("go\n")
        pipe.flush()


def _prepare(name: str, path: Path, counters: int) -> None:
    if name == PLAIN:
        with closing(_connect(path)) as connection:
            connection.execute("create table counter (id integer primary key, n integer)")
            rows = [(n, _START) for n in range(counters)]
            connection.executemany("insert into counter values (?, ?)", rows)
        return

    async def fill() -> None:
        async with ropewalk.open(f"sqlite:///{path}") as storage:
            await storage.records.save_many(
                {"id": f"{n}", "type": "counter", "data": {"n": _START}} for n in range(counters)
            )

    asyncio.run(fill())


def _total(name: str, path: Path) -> int:
    if name == PLAIN:
        with closing(_connect(path)) as connection:
            return int(connection.execute("select sum(n) from counter").fetchone()[0])

    async def ask() -> int:
        async with ropewalk.open(f"sqlite:///{path}") as storage:
            return sum(row["data"]["n"] for row in await storage.records.list({"type": "counter"}))

    return asyncio.run(ask())


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=60, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = normal")
    return connection


async def _units(
    path: Path, process: int, workflows: int, *, counters: int, seconds: float
) -> Moved:
    async with ropewalk.open(f"sqlite:///{path}") as storage:
        runs = 0

        async def transfer(source: str, target: str) -> None:
            async def work(unit: ropewalk.Unit) -> None:
                nonlocal runs
                runs += 1
                rows = await unit.records.load_many([source, target], type="counter")
                for row, change in zip(rows, (-1, 1), strict=True):
                    if row is not None:
                        data = {"n": row["data"]["n"] + change}
                        await unit.records.update(row["id"], {"data": data}, type="counter")

            await storage.transact(work)

        async def flow(number: int) -> tuple[int, float]:
            lot = Random(process * 100 + number)
            count, longest = 0, 0.0
            while (begun := time.monotonic()) < end:
                source, target = lot.sample(range(counters), 2)
                await transfer(f"{source}", f"{target}")
                longest = max(longest, time.monotonic() - begun)
                count += 1
            return count, longest

        _ready()
        end = time.monotonic() + seconds
        done = await asyncio.gather(*[flow(number) for number in range(workflows)])
    return Moved(tuple(count for count, _ in done), runs, max(longest for _, longest in done))


def _plainly(path: Path, process: int, *, counters: int, seconds: float) -> Moved:
    lot = Random(process)
    count, longest = 0, 0.0
    with closing(_connect(path)) as connection:
        _ready()
        end = time.monotonic() + seconds
        while (begun := time.monotonic()) < end:
            connection.execute("begin immediate")
            for id_, change in zip(lot.sample(range(counters), 2), (-1, 1), strict=True):
                found = connection.execute("select n from counter where id = ?", (id_,)).fetchone()
                row = (found[0] + change, id_)
                connection.execute("update counter set n = ? where id = ?", row)
            connection.execute("commit")
            longest = max(longest, time.monotonic() - begun)
            count += 1
    return Moved((count,), count, longest)


def _ready() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


def _main(arguments: Sequence[str]) -> None:
    name, path, process, workflows, counters, seconds = arguments
    if name == PLAIN:
        moved = _plainly(Path(path), int(process), counters=int(counters), seconds=float(seconds))
    else:
        moved = asyncio.run(
            _units(
                Path(path),
                int(process),
                int(workflows),
                counters=int(counters),
                seconds=float(seconds),
            )
        )
    print(json.dumps(asdict(moved)), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1:])
