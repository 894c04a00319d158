"""How soon another process learns of a commit, and what it costs to wait for one.

One process commits, in three rhythms; another one waits, by `storage.watch` or by asking a bare
`sqlite3` connection for the greatest number every millisecond. Both use one clock of the machine,
which Linux has for all processes alike: a delay runs from the answer to the writer until the
number is in the watcher's hands. Run it with `python -m benchmarks.watching`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import ropewalk
from ropewalk.domain.change import Batch, Put
from ropewalk.domain.record import Key

from .figures import median, percentile
from .page import RESULTS, write
from .tables import Section, number, table

_ROOT: Final = Path(__file__).resolve().parent.parent
WATCH: Final = "storage.watch"
POLL: Final = "bare poll, 1 ms"
_RHYTHMS: Final = {"every 2 ms": 0.002, "every 20 ms": 0.02, "every 300 ms": 0.3}
_POLL: Final = 0.001
_HOW: Final = (
    "Delay from the writer's answer until the watcher has the number, in milliseconds; a bare poll "
    "is `select max(seq) from commits` in Python's `sqlite3`, then a sleep of a millisecond. *CPU* "
    "is what the watcher's process needs for each second in which nothing is committed."
)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a watcher measured: when it had each number, and its seconds of CPU in one idle one."""

    seen: dict[int, int]
    idle: float


def measure(folder: Path, *, commits: int, runs: int) -> Section:
    """Measure every rhythm with every watcher, in turns, and return the tables."""
    delays: dict[tuple[str, str], list[list[float]]] = {}
    idle: dict[str, list[float]] = {}
    for run in range(runs):
        for rhythm, pause in _RHYTHMS.items():
            count = max(min(commits, int(commits * 0.02 / pause)), 10)
            for name in (WATCH, POLL) if run % 2 else (POLL, WATCH):
                path = folder / f"watched-{run}-{pause}-{len(delays)}.db"
                late, cpu = asyncio.run(_round(path, name, count=count, pause=pause))
                delays.setdefault((rhythm, name), []).append(late)
                idle.setdefault(name, []).append(cpu)
    rows = [
        [
            f"{rhythm}, {name}",
            *(number(median(percentile(late, share) for late in found)) for share in (0.5, 0.99)),
            number(max(max(late) for late in found)),
            number(median(idle[name]) * 1_000),
        ]
        for (rhythm, name), found in delays.items()
    ]
    head = ("a commit", "p50, ms", "p99, ms", "worst, ms", "CPU when idle, ms/s")
    return Section("watching", "Waiting for a commit of another process", (_HOW, table(head, rows)))


async def _round(path: Path, name: str, *, count: int, pause: float) -> tuple[list[float], float]:
    """Let one watcher follow `count` commits; return the delays (ms) and its idle CPU (s/s)."""
    made: dict[int, int] = {}
    async with ropewalk.open(f"sqlite:///{path}", layers=()) as storage:
        backend = storage.migrations.backend
        first = await backend.apply(Batch((Put(key=Key("bench", "tick", "first")),)))
        command = [sys.executable, "-m", "benchmarks.watching", "--watcher", name]
        watcher = subprocess.Popen(  # noqa: ASYNC220 (it runs beside this loop)
            [*command, "--path", str(path), "--commits", str(count), "--after", str(first.seq)],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        if watcher.stdout is None:
            raise RuntimeError(command)
        await asyncio.to_thread(watcher.stdout.readline)
        for tick in range(count):
            await asyncio.sleep(pause)
            applied = await backend.apply(Batch((Put(key=Key("bench", "tick", f"{tick}")),)))
            made[applied.seq] = time.monotonic_ns()
        told = await asyncio.to_thread(watcher.stdout.read)
        watcher.wait()
    heard = Heard(**json.loads(told))
    seen = {int(seq): at for seq, at in heard.seen.items()}
    # Who looks only now and then learns of several at once; what counts is when he had each.
    late = [(min(at for seq, at in seen.items() if seq >= n) - made[n]) / 1e6 for n in made]
    return late, heard.idle


async def _watch(path: Path, after: int, count: int) -> Heard:
    seen: dict[int, int] = {}
    async with (
        ropewalk.open(f"sqlite:///{path}", layers=()) as storage,
        storage.space("bench").watch(after=after) as commits,
    ):
        waiting = asyncio.ensure_future(anext(commits))
        await asyncio.sleep(0.5)
        used = _cpu()
        await asyncio.sleep(1)
        idle = _cpu() - used
        print("ready", flush=True)
        commit = await waiting
        seen[commit.seq] = time.monotonic_ns()
        while len(seen) < count:
            commit = await anext(commits)
            seen[commit.seq] = time.monotonic_ns()
    return Heard(seen, idle)


def _poll(path: Path, after: int, count: int) -> Heard:
    seen: dict[int, int] = {}
    connection = sqlite3.connect(path)

    def look() -> int:
        ((newest,),) = connection.execute("select max(seq) from commits").fetchall()
        return int(newest)

    used, end = _cpu(), time.monotonic() + 1
    while time.monotonic() < end:
        look()
        time.sleep(_POLL)
    idle = _cpu() - used
    print("ready", flush=True)
    last = after
    while last < after + count:
        newest = look()
        if newest > last:
            last = newest
            seen[last] = time.monotonic_ns()
        time.sleep(_POLL)
    connection.close()
    return Heard(seen, idle)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Measure, print, and write the table; or be a watcher."""
    parser = argparse.ArgumentParser(prog="benchmarks.watching", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few commits, nothing is written")
    parser.add_argument("--watcher", choices=(WATCH, POLL), help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--after", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--commits", type=int, default=500, help="commits in each round")
    given = parser.parse_args()
    if given.watcher is not None:
        heard = (
            asyncio.run(_watch(given.path, given.after, given.commits))
            if given.watcher == WATCH
            else _poll(given.path, given.after, given.commits)
        )
        print(json.dumps({"seen": heard.seen, "idle": heard.idle}))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        commits, runs = (60, 1) if given.quick else (given.commits, 5)
        section = measure(Path(folder), commits=commits, runs=runs)
    print(section.markdown())
    if not given.quick:
        write([section], RESULTS, note=f"Medians of {runs} interleaved runs.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
