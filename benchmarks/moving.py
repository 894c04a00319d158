"""Question 11: how fast a million records move in, and how little memory that takes.

A folder of the legacy program, with a checkpoint for every fifty records, is brought into a new
SQLite store by a migration with its journal. Beside it, a bare loop reads the same files, parses
every line and every state, and inserts them with Python's `sqlite3`. Each is a process of its own:
`python -m benchmarks.moving NAME FOLDER PATH BATCH`.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import ropewalk
from ropewalk import factory
from ropewalk.domain.migration import Plan

from . import statements
from .bequest import DATABASE, MONTHS, Bequest
from .scale import Scale
from .tables import Requirement, Section, megabytes, number, ratio, table

_ROOT: Final = Path(__file__).resolve().parent.parent
MOVED: Final = "a migration"
SCANNED: Final = "its first look alone"
BARE: Final = "bare loop, sqlite3"
_ZONE: Final = timezone(timedelta(hours=8))
_PER_CHECKPOINT: Final = 50
_BATCH: Final = 500
_MOST: Final = 300
"""Megabytes of memory that a migration may take at its full size."""
_HOW: Final = (
    "{records:,} records of history and {checkpoints:,} checkpoints, whose states grow to 100 "
    "messages. A migration looks first (all is read, counted and checked for damage), then reads "
    "it again and writes: entities, with the labels and sums that they are found by, trees of "
    "states, and for each item a note of what it was and became, by which it is compared, "
    "continued, brought up to date and taken back. The bare loop parses each line and each state, "
    "and inserts a row with the same three indexes, {batch} in a transaction; it keeps the states "
    "whole, and knows nothing of what it did. *Memory* is the most that the process had resident."
)


@dataclass(frozen=True, slots=True)
class Moved:
    """What one process did: items, seconds, bytes of memory at most, bytes of the store."""

    items: int
    seconds: float
    memory: int
    size: int


async def measure(scale: Scale, folder: Path) -> Section:
    """Write the folder, move it with every contestant, and return the table."""
    checkpoints = scale.moved // _PER_CHECKPOINT
    legacy = folder / "legacy"
    await asyncio.to_thread(Bequest(legacy, scale.moved, checkpoints).write)
    found: dict[str, Moved] = {}
    for name in _WORKERS:
        path = folder / f"{len(found)}.db"
        found[name] = await asyncio.to_thread(contest, name, legacy, path)
    rates = {name: moved.items / moved.seconds for name, moved in found.items()}
    rows = [
        [
            name,
            number(moved.seconds),
            number(rates[name]),
            megabytes(moved.memory),
            megabytes(moved.size),
        ]
        for name, moved in found.items()
    ]
    head = ("", "seconds", "items/s", "memory, MB", "store, MB")
    how = _HOW.format(records=scale.moved, checkpoints=checkpoints, batch=_BATCH)
    slower = ratio(rates[BARE], rates[MOVED])
    return Section(
        "moving",
        "Moving in",
        (how, table(head, rows), f"The bare loop is {number(slower)} times as fast."),
        (Requirement("memory", found[MOVED].memory / 1e6, most=_MOST, unit="MB"),),
        note="One run.",
    )


def contest(name: str, legacy: Path, path: Path) -> Moved:
    """Let a process of its own move a folder; raise where it failed."""
    command = [sys.executable, "-m", "benchmarks.moving", name, str(legacy), str(path)]
    done = subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return Moved(**json.loads(done.stdout))


def migrate(legacy: Path, path: Path) -> int:
    """Bring a folder into a new store; return how many items came."""

    async def move() -> int:
        source = factory.open_source("legacy", legacy, tz=_ZONE)
        async with ropewalk.open(f"sqlite:///{path}") as storage:
            plan = Plan(name="moving", format="legacy", place=str(legacy), batch=_BATCH)
            report = await storage.migrations.run(source, plan)
        if not report.is_complete:
            raise RuntimeError(report.losses)
        return sum(report.brought.values())

    return asyncio.run(move())


def look(legacy: Path, path: Path) -> int:
    """Count what is in a folder; leave an empty file in the place of a store."""

    async def scan() -> int:
        inventory = await factory.open_source("legacy", legacy, tz=_ZONE).scan()
        return sum(inventory.kinds.values())

    path.touch()
    return asyncio.run(scan())


def insert(legacy: Path, path: Path) -> int:
    """Parse a folder and insert what is in it; return how many rows that makes."""
    count = 0
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for pragma in statements.pragmas("normal"):
            db.execute(pragma)
        db.executescript(statements.TABLES)
        waiting: list[tuple[Any, ...]] = []
        for row in _parsed(legacy):
            waiting.append(statements.values(row))
            count += 1
            if len(waiting) == _BATCH:
                _write(db, waiting)
                waiting = []
        _write(db, waiting)
    return count


def _write(db: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    db.execute("BEGIN IMMEDIATE")
    db.executemany(statements.UPSERT, rows)
    db.execute("COMMIT")


def _parsed(legacy: Path) -> Iterator[dict[str, Any]]:
    for place in ("sessions/*.json", "storage/threads/*/*.json"):
        for path in sorted(legacy.glob(place)):
            yield _row(path.stem, None, {}, json.loads(path.read_bytes()), None)
    for path in sorted((legacy / MONTHS).iterdir()):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                labels = {"record_type": record["record_type"]}
                moment = record["timestamp"]
                yield _row(record["record_id"], record["session_id"], labels, record, moment)
    with closing(sqlite3.connect(legacy / DATABASE)) as db:
        text = "SELECT thread_id, checkpoint_id, metadata FROM checkpoints"
        for thread, id_, metadata in db.execute(text):
            yield _row(id_, thread, {}, json.loads(metadata)["state_data"], None)


def _row(
    id_: str, session: str | None, labels: dict[str, Any], data: object, moment: str | None
) -> dict[str, Any]:
    created = None if moment is None else datetime.fromisoformat(moment).replace(tzinfo=_ZONE)
    named = {"id": id_, "session_id": session, "metadata": labels, "data": data}
    return {**named, "created_at": created}


_WORKERS: Final = {BARE: insert, SCANNED: look, MOVED: migrate}


def _most_resident() -> int:
    """Return the most bytes that this process had resident since it began to run its program."""
    status = Path("/proc/self/status").read_text("ascii").splitlines()
    [most] = (line for line in status if line.startswith("VmHWM:"))
    return int(most.split()[1]) * 1024


def main() -> None:
    """Be the process that moves a folder."""
    name, legacy, path = sys.argv[1:]
    started = time.perf_counter()
    items = _WORKERS[name](Path(legacy), Path(path))
    seconds = time.perf_counter() - started
    size = sum(file.stat().st_size for file in Path(path).parent.glob(f"{Path(path).name}*"))
    print(json.dumps(asdict(Moved(items, seconds, _most_resident(), size))))


if __name__ == "__main__":
    main()
