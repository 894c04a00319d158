"""A process that dies in the middle of a switch leaves one whole store, and no half one in use."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.errors import Corrupt, Invalid
from ropewalk.domain.query import Query
from ropewalk.layers.switch import SwitchLayer
from ropewalk.testing.samples import commits, ids, put, write

from ..forked import run_forked

RECORDS = 40

PROGRAM = """
import asyncio, os, signal, sys
from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.clock import SystemClock
from ropewalk.layers.base import Layer
from ropewalk.layers.switch import SwitchLayer
from ropewalk.testing.samples import put, write


class Deadly(Layer):
    left = int(sys.argv[2])

    async def apply(self, batch):
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return await super().apply(batch)

async def main():
    os.chdir(sys.argv[1])
    layer = SwitchLayer(SqliteBackend("old.db", clock=SystemClock()))
    await layer.open()
    for n in range(40):
        await write(layer, put(f"n{n:02}", b"body"))
    await layer.switch(Deadly(SqliteBackend("new.db", clock=SystemClock())))
    await write(layer, put("late"))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def _die(folder: Path, writes: int) -> None:
    """Run a process that is killed when it has written to the new store so often."""
    run = run_forked(["-c", PROGRAM, folder, str(writes)])
    assert (-signal.SIGKILL, "") == (run.returncode, run.stderr)


def _layer(path: Path) -> SwitchLayer:
    return SwitchLayer(SqliteBackend(path, clock=SystemClock()))


@pytest.mark.seed("1.4", "8.3")
@pytest.mark.parametrize(
    ("writes", "left_behind"),
    [(0, "empty"), (1, "half"), (30, "half"), (42, "half"), (99, "whole")],
)
async def test_a_killed_switch_has_happened_or_not(
    tmp_path: Path, writes: int, left_behind: str
) -> None:
    """The old store has everything; the new one is empty, or refused, or has everything too."""
    _die(tmp_path, writes)
    everyone = [f"n{n:02}" for n in range(RECORDS)]
    old = _layer(tmp_path / "old.db")
    await old.open()
    assert everyone == await ids(old, Query(space=None))
    assert RECORDS == len(await commits(old))
    new = _layer(tmp_path / "new.db")
    if left_behind == "half":
        with pytest.raises(Corrupt, match="unfinished copy"):
            await new.open()
        with pytest.raises(Invalid, match="unfinished copy"):
            await old.switch(SqliteBackend(tmp_path / "new.db", clock=SystemClock()))
        await old.switch(SqliteBackend(tmp_path / "another.db", clock=SystemClock()))
        assert everyone == await ids(old, Query(space=None))
    else:
        await new.open()
        found = await ids(new, Query(space=None))
        assert ([] if left_behind == "empty" else [*everyone, "late"]) == found
        assert len(found) == len(await commits(new))
        assert (1,) == await write(new, put("on"))
        await new.close()
    await old.close()
