"""A run that is killed again and again ends as one that nobody disturbed."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.migration import JOURNAL, RunStatus, content_digest
from ropewalk.domain.query import Query
from ropewalk.services.storage import Storage

from ...forked import PIPE, Forked
from .shelf import PLAN, full_shelf

SCRIPT: Final = Path(__file__).with_name("victim.py")
LONG: Final = bool(os.environ.get("ROPEWALK_LONG"))

MESSAGES, CHECKPOINTS, BATCH = (49_000, 998, 200) if LONG else (500, 10, 20)
KILLS: Final = 30 if LONG else 4
BATCHES: Final = (MESSAGES + 10 * CHECKPOINTS) // BATCH

_OF_A_SECRET: Final = {"node", "family", "head", "secret", "dictionary", "checkpoint"}
"""Kinds in which there is something that was drawn by chance: states are compared as they load."""


def _killed(path: Path, batches: int) -> bool:
    """Let a process run so many batches, and kill it; return whether it came to its end."""
    arguments = [str(path), str(MESSAGES), str(CHECKPOINTS), str(BATCH)]
    process = Forked([SCRIPT, *arguments], stdout=PIPE)
    assert process.stdout is not None
    with process.stdout:
        for _ in range(batches):
            if not process.stdout.readline():
                assert 0 == process.wait()
                return True
        process.send_signal(signal.SIGKILL)
        process.stdout.read()
    assert -signal.SIGKILL == process.wait()
    return False


def _storage(path: Path) -> Storage:
    clock = SystemClock()
    return Storage(SqliteBackend(path, clock=clock), make_pipeline(), clock)


async def _contents(storage: Storage) -> Counter[str]:
    """Count what the records hold, with their versions and without when they were written."""
    found = Counter[str]()
    async for record in storage.migrations.backend.scan(Query(space=None)):
        if record.key.kind not in JOURNAL | _OF_A_SECRET:
            found[content_digest(record, version=True)] += 1
    return found


@pytest.mark.seed("7.4", "5.1", "8.3")
@pytest.mark.timeout(900 if LONG else 120)
async def test_a_run_that_is_killed_goes_on_to_the_same_end(tmp_path: Path) -> None:
    """Killed at random batches, each process goes on where the one before was; all is there."""
    chance = random.Random("killed")
    killed, calm = tmp_path / "killed.db", tmp_path / "calm.db"
    shelf, plan = full_shelf(MESSAGES, CHECKPOINTS), replace(PLAN, batch=BATCH)
    step = BATCHES // (KILLS + 2)
    done = 0
    for _ in range(KILLS):
        # What was done already is told as well, without being written again.
        done += chance.randint(1, 2 * step - 1)
        assert not _killed(killed, min(done, BATCHES - 2))

    async with _storage(killed) as one, _storage(calm) as other:
        [broken] = await one.migrations.runs()
        assert RunStatus.RUNNING == broken.status
        report = await one.migrations.run(shelf, plan)
        expected = await other.migrations.run(shelf, plan)
        verified = await one.migrations.verify(shelf, plan)

        assert (broken.run, expected.brought) == (report.run, report.brought)
        assert (RunStatus.DONE, True) == (report.status, verified.is_sound)
        assert await _contents(other) == await _contents(one)
        assert expected.brought == verified.compared
    print(f"killed {KILLS} times in {len(shelf)} items")  # noqa: T201
