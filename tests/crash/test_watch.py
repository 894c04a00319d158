"""A watcher that is killed again and again misses no commit, and works through none twice."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import ropewalk
from ropewalk.testing.samples import soon

from ..forked import PIPE, Forked, run_forked

HERE = Path(__file__).parent
MEMORY = Path("/dev/shm")  # noqa: S108 (a folder of its own is made there)
LONG = bool(os.environ.get("ROPEWALK_LONG"))
KILLS = 20 if LONG else 3
WRITERS = "AB"


@contextmanager
def _process(*arguments: str) -> Generator[Forked]:
    """Run a worker; it is killed where it does not end by itself."""
    worker = Forked([HERE / "watch_worker.py", *arguments], stdin=PIPE, stdout=PIPE)
    with worker:
        try:
            yield worker
        finally:
            worker.kill()


def _lines(worker: Forked, count: int) -> list[int]:
    assert worker.stdout is not None
    return [int(worker.stdout.readline()) for _ in range(count)]


def _killed(url: str, chance: random.Random) -> int:
    """Let a watcher work through some commits and kill it; return the last that it told."""
    with _process("watch", url) as watcher:
        told = _lines(watcher, chance.randint(1, 20))
        watcher.kill()
        watcher.wait()
    assert sorted(set(told)) == told
    return told[-1]


def _finished(url: str, last: int) -> None:
    """Let a watcher work until it has told the last commit."""
    with _process("watch", url) as watcher:
        while _lines(watcher, 1) != [last]:
            continue


async def _told(url: str) -> tuple[list[int], list[tuple[str, int]]]:
    """Return the numbers of all notes, and what the watcher has done about them, in order."""
    notes: list[int] = []
    seen: list[tuple[str, int]] = []
    async with ropewalk.open(url) as storage:
        async for commit in storage.feed():
            for change in commit.changes:
                if change.key.kind == "note":
                    notes.append(commit.seq)
                elif change.key.kind == "seen":
                    seen.append((change.key.id, change.version))
    return notes, seen


@pytest.mark.parametrize("scheme", ["sqlite", "file"])
@pytest.mark.seed("8.3", "8.5", "5.1")
@pytest.mark.timeout(60 + 20 * KILLS)
def test_every_number_comes_once_through_kills(tmp_path: Path, scheme: str) -> None:
    """While two processes write, the watcher is killed; in the end each commit is done once.

    In the order of the numbers, none left out, none twice: the effect and the cursor are one batch.
    """
    url = f"{scheme}:///{tmp_path / 'store'}"
    chance = random.Random(f"kills of {scheme}")
    with _process("write", url, "A") as first, _process("write", url, "B") as second:
        for writer in (first, second):
            _lines(writer, 1)
        ends = [_killed(url, chance) for _ in range(KILLS if scheme == "sqlite" or LONG else 1)]
        assert sorted(ends) == ends
        for writer in (first, second):
            assert writer.stdin is not None
            writer.stdin.close()
        for writer in (first, second):
            assert writer.stdout is not None
            writer.stdout.read()
            assert writer.wait(60) == 0
    notes, seen = asyncio.run(soon(_told(url)))
    # The last one that was killed may have come to the end: then there is nothing left to tell.
    if (f"{notes[-1]}", 1) not in seen:
        _finished(url, notes[-1])
    notes, seen = asyncio.run(soon(_told(url)))
    assert [(f"{seq}", 1) for seq in notes] == seen
    print(f"{scheme}: {len(ends)} kills, {len(notes)} commits, each once")  # noqa: T201


@pytest.mark.seed("8.3", "8.5")
def test_death_at_every_step_of_forgetting_leaves_a_feed() -> None:
    """Whichever call to the system is the last, all commits are told or those that were to stay.

    To whoever had the file store open as well as to the next, also after another boot.
    """
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        run = run_forked(["-m", "tests.crash.file_trim_steps", folder], cwd=HERE.parents[1])
    assert (0, "") == (run.returncode, run.stderr)
    print(run.stdout)  # noqa: T201
    deaths = [int(line.split()[-1]) for line in run.stdout.splitlines()]
    assert len(deaths) == 2
    assert min(deaths) >= 15
