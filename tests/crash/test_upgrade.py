"""A process that upgrades a store is killed: the store is as before or wholly upgraded."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.change import Batch, Put
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.errors import Unavailable
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key
from ropewalk.testing.samples import everything

from ..forked import PIPE, Forked
from .sqlite_upgrader import STEP, schema_at

SCRIPT = Path(__file__).with_name("sqlite_upgrader.py")
ROUNDS = 60 if os.environ.get("ROPEWALK_LONG") else 4
RECORDS = 6_000
LONGEST = 0.15


@pytest.fixture
async def made(tmp_path: Path) -> Path:
    """Make a store whose upgrade takes some time."""
    path = tmp_path / "store.db"
    store = SqliteBackend(path, clock=SystemClock())
    await store.open()
    puts = [Put(key=Key("s", "k", f"{n}"), body=b"%d" % n * 50) for n in range(RECORDS)]
    await store.apply(Batch(tuple(puts)))
    await store.close()
    return path


def _killed(path: Path, backup: Path, seconds: float) -> bool:
    """Kill an upgrade so long after it has begun; return whether it had said that it was done."""
    process = Forked([SCRIPT, path, backup], stdout=PIPE)
    assert process.stdout is not None
    assert "begun\n" == process.stdout.readline()
    # The moment of the kill is what varies here; nothing waits for it.
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    said = process.stdout.read()
    process.stdout.close()
    return said == "done\n"


async def _versions(path: Path) -> set[int]:
    """Return the versions of all records of a store that the present program can open."""
    store = SqliteBackend(path, clock=SystemClock())
    await store.open()
    try:
        records = await everything(store, Query(space=None))
    finally:
        await store.close()
    assert RECORDS == len(records)
    return {record.version for record in records}


@pytest.mark.seed("7.5")
async def test_a_killed_upgrade_was_never_begun_or_is_complete(made: Path, tmp_path: Path) -> None:
    """Whenever it dies: no half of a step, and a copy that has its name is whole and of before."""
    chance, ends = random.Random(7), set[str]()
    for number in range(ROUNDS):
        path = tmp_path / f"{number}.db"
        backup = tmp_path / f"{number}.bak"
        shutil.copy(made, path)
        done = _killed(path, backup, chance.uniform(0, LONGEST))
        status = await schema_at(str(path)).status()
        assert () == await schema_at(str(path)).check()
        if status.pending:
            assert not done
            assert {1} == await _versions(path)
            again = await schema_at(str(path)).upgrade()
            assert again.backup is not None
            assert {1} == await _versions(Path(again.backup))
        else:
            assert {1} == await _versions(backup)
            assert str(backup) == status.steps[-1].backup
        ends.add("before" if status.pending else "after")
        with pytest.raises(Unavailable, match=f"schema {STEP.number}"):
            await _versions(path)
        if backup.exists():
            assert {1} == await _versions(backup)
    assert "before" in ends
