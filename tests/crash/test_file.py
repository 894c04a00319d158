"""`kill -9` in the middle of a batch of the file store: after it, all or nothing."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from ropewalk.backends.file import FileBackend
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.health import State
from ropewalk.domain.query import Query
from ropewalk.testing.samples import commits, everything

from ..forked import PIPE, Forked, run_forked

HERE = Path(__file__).parent
ROUNDS = 20 if os.environ.get("ROPEWALK_LONG") else 3
NAMES: tuple[str, ...] = ("ann", "bob")

# A disk in memory, where there is one: a process that dies takes nothing off a disk either.
MEMORY = Path("/dev/shm")  # noqa: S108 (a folder of its own is made there)

MOST = 60
"""Acknowledgements after which a writer is killed at the latest."""


@asynccontextmanager
async def _opened(root: Path) -> AsyncGenerator[FileBackend, None]:
    backend = FileBackend(root, clock=SystemClock())
    await backend.open()
    try:
        yield backend
    finally:
        await backend.close()


@pytest.mark.seed("2.2", "5.1", "8.3", "8.5")
async def test_two_killed_writers_lose_nothing(tmp_path: Path) -> None:
    """Two processes write at once and are killed, again and again: no batch is lost, none is half.

    One dies before the other, which so goes on over what the first left.
    """
    root = tmp_path / "store"
    random = Random(7)
    acknowledged = dict.fromkeys(NAMES, 0)
    for _ in range(ROUNDS):
        for name, number in _write_and_kill(root, random).items():
            acknowledged[name] = max(acknowledged[name], number)
        async with _opened(root) as backend:
            assert State.HEALTHY is (await backend.ping()).state
            await _check(backend, acknowledged)
    total = sum(acknowledged.values())
    print(f"file: {ROUNDS} rounds, {total} acknowledged, 0 lost, 0 half")  # noqa: T201
    assert total >= ROUNDS


@pytest.mark.seed("8.3", "8.5")
def test_death_at_every_step_leaves_all_or_nothing() -> None:
    """Whichever call to the system is the last one, the next process finds all or nothing.

    So it is for a batch, with and without emptying the journal, for a new store, an opening, a
    recovery, and a recovery after the machine was started anew; and the batch can be retried.
    """
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        run = run_forked([HERE / "file_steps.py", folder])
    assert (0, "") == (run.returncode, run.stderr)
    print(run.stdout)  # noqa: T201
    deaths = [int(line.split()[-2]) for line in run.stdout.splitlines()]
    assert len(deaths) == 6
    assert min(deaths) >= 5


def _write_and_kill(root: Path, random: Random) -> dict[str, int]:
    """Let both write, kill each after a random number of batches; return the last acknowledged."""
    writers = {name: Forked([HERE / "file_writer.py", root, name], stdout=PIPE) for name in NAMES}
    last = dict.fromkeys(NAMES, 0)
    try:
        for name, writer in writers.items():
            assert writer.stdout is not None
            for _ in range(random.randint(1, MOST)):
                last[name] = int(writer.stdout.readline())
            writer.kill()
            # What was acknowledged before the blow, and not yet read, counts as well.
            for line in writer.stdout:
                if line.endswith("\n"):
                    last[name] = int(line)
    finally:
        for writer in writers.values():
            writer.kill()
            writer.communicate()
    return last


async def _check(backend: FileBackend, acknowledged: dict[str, int]) -> None:
    records = {record.key.id: record for record in await everything(backend, Query(space="crash"))}
    told = await commits(backend)
    for name in NAMES:
        left, right = records.pop(f"{name}-left"), records.pop(f"{name}-right")
        assert (left.body, left.version) == (right.body, right.version)
        number = left.version
        assert f"{name}-{number}".encode() == left.body
        assert acknowledged[name] <= number
        line = [id for id in records if id.startswith(f"{name}-")]
        assert [f"{name}-{n:06}" for n in range(1, number + 1)] == sorted(line)
        for id in line:
            assert f"{name}-{records.pop(id).labels['n']}" == f"{name}-{int(id[-6:])}"
        ids = [commit.batch_id for commit in told if commit.actor == name]
        assert [f"{name}-{n}" for n in range(1, number + 1)] == ids
        acknowledged[name] = number
    left, right = records.pop("left"), records.pop("right")
    assert (left.body, left.version) == (right.body, right.version)
    assert len(told) == left.version
    assert told[-1].batch_id.encode() == left.body
    assert [5] * len(told) == [len(commit.changes) for commit in told]
    assert list(range(1, len(told) + 1)) == [commit.seq for commit in told]
    assert {} == records
