"""Two processes that write to one SQLite store are killed: what was acknowledged is all there."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.backends.sqlite.connection import Connection
from ropewalk.backends.sqlite.patience import Patience
from ropewalk.domain.change import Commit
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key, Record
from ropewalk.testing.samples import commits, everything

from ..forked import PIPE, Forked

SCRIPT = Path(__file__).with_name("sqlite_writer.py")
ROUNDS = 20 if os.environ.get("ROPEWALK_LONG") else 3
WRITERS = "AB"
KEYS_OF_A_BATCH = 5


class Victim:
    """A process that writes, with a thread that reads what it says was kept."""

    def __init__(self, path: Path, writer: str, first: int, enough: threading.Semaphore) -> None:
        self._process = Forked([SCRIPT, path, writer, str(first)], stdout=PIPE)
        self.acknowledged: list[str] = []
        self._enough = enough
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):
                self.acknowledged.append(line.strip())
                self._enough.release()

    def kill(self) -> None:
        """Kill it without a warning; what it said before counts, to the last whole line."""
        self._process.send_signal(signal.SIGKILL)
        status = self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        assert status == -signal.SIGKILL


def _killed_round(path: Path, round: int) -> set[str]:
    """Let two processes write, kill them at a random moment, return what they acknowledged."""
    chance = random.Random(f"round {round}")
    enough = threading.Semaphore(0)
    victims = [Victim(path, writer, round * 1_000_000, enough) for writer in WRITERS]
    try:
        for _ in range(chance.randint(20, 400)):
            assert enough.acquire(timeout=60)
    finally:
        chance.shuffle(victims)
        for victim in victims:
            victim.kill()
    return {name for victim in victims for name in victim.acknowledged}


async def _seen(path: Path) -> tuple[list[Record], list[Commit]]:
    """Open the store as the next process would; return all records and the whole feed."""
    store = SqliteBackend(path, clock=SystemClock())
    await store.open()
    try:
        return await everything(store, Query(space=None)), await commits(store)
    finally:
        await store.close()


def _check_the_feed(told: list[Commit], records: dict[Key, Record]) -> None:
    """Check that every commit is whole, and that replaying all of them gives what is there."""
    assert [commit.seq for commit in told] == sorted({commit.seq for commit in told})
    assert {KEYS_OF_A_BATCH} == {len(commit.changes) for commit in told}
    versions: Counter[Key] = Counter()
    for commit in told:
        for change in commit.changes:
            versions[change.key] += 1
            assert versions[change.key] == change.version
    assert versions == {key: record.version for key, record in records.items()}


def _check_the_records(told: list[Commit], records: dict[Key, Record]) -> None:
    """Check that records which are written together carry the number of their last commit."""
    last = {commit.actor: int(commit.batch_id.rpartition("-")[2]) for commit in told}
    for name, number in last.items():
        parts = [records[Key("crash", "part", f"{name}-{part}")] for part in "abc"]
        assert [number] * 3 == [part.labels["number"] for part in parts]
        assert [b"%d" % number * 50] * 3 == [part.body for part in parts]
    shared = records[Key("crash", "shared", "all")]
    assert shared.labels["number"] == int(told[-1].batch_id.rpartition("-")[2])


@pytest.mark.seed("8.3", "8.5", "5.1")
@pytest.mark.timeout(60 + 20 * ROUNDS)
async def test_killed_writers_lose_nothing(tmp_path: Path) -> None:
    """After each round: no acknowledged batch is lost, none is half there, the file is sound."""
    path = tmp_path / "store.db"
    acknowledged: set[str] = set()
    for round in range(1, ROUNDS + 1):
        acknowledged |= _killed_round(path, round)
        found, told = await _seen(path)
        records = {record.key: record for record in found}
        lost = acknowledged - {commit.batch_id for commit in told}
        missing = {n for n in acknowledged if Key("crash", "mark", n) not in records}
        assert (set(), set()) == (lost, missing)
        _check_the_feed(told, records)
        _check_the_records(told, records)
        with closing(Connection(str(path), Patience(5, threading.Event()))) as connection:
            assert [("ok",)] == connection.rows("pragma integrity_check")
    print(f"sqlite: {ROUNDS} rounds, {len(acknowledged)} acknowledged batches, 0 lost")  # noqa: T201
