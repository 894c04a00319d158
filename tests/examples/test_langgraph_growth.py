"""The long conversation on two stores: its figures are those of the files, its ends the same."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

import ropewalk

ROOT: Final = Path(__file__).resolve().parents[2]
PROGRAM: Final = "examples.langgraph_growth"

MISCOUNTING: Final = """
import sys
from contextlib import asynccontextmanager
import ropewalk
from examples import langgraph_growth, race, sides
from ropewalk.frontends.langgraph import RopewalkSaver

class Miscounting(RopewalkSaver):
    async def aget_tuple(self, config):
        found = await super().aget_tuple(config)
        if found is not None:
            found.checkpoint["channel_values"]["tokens"] += 1
        return found

@asynccontextmanager
async def opening(path):
    async with ropewalk.open(sides.url_of(path)) as storage:
        yield Miscounting(storage), storage.checkpoints.count

race.ROPEWALK = sides.Side("Ropewalk", "ropewalk.db", opening)
sys.argv = ["langgraph_growth", "--turns", "2"]
sys.exit(langgraph_growth.main())
"""


def _environment(folder: Path, hash_seed: int = 0) -> dict[str, str]:
    return {**os.environ, "PYTHONHASHSEED": str(hash_seed), "TMPDIR": str(folder)}


def _run(folder: Path, *arguments: str, hash_seed: int = 0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=_environment(folder, hash_seed),
        capture_output=True,
        text=True,
        check=False,
    )


async def _messages(path: Path) -> object:
    """Return the messages at the end, as a program without LangGraph sees them."""
    async with ropewalk.open(f"sqlite:///{path}") as storage:
        newest = await storage.checkpoints.latest("desk")
        return None if newest is None else newest.state["messages"]


@pytest.mark.seed("3.4")
@pytest.mark.seed("6.4")
async def test_the_figures_are_those_of_the_files(tmp_path: Path) -> None:
    """Sizes, their ratio and the counts are what the files have, and both gave back one state.

    A second process, told to print a table, holds the same conversation.
    """
    kept, again = tmp_path / "kept", tmp_path / "again"
    run = _run(tmp_path, "-m", PROGRAM, "--turns", "8", "--json", "--keep", str(kept))
    assert 0 == run.returncode, run.stderr
    assert "turn 8 of 8" in run.stderr
    told = json.loads(run.stdout)
    assert [8, 1, 4, True] == [
        told[name] for name in ("turns", "interrupts", "fork_after_turn", "same_state")
    ]
    ours, theirs = kept / "ropewalk.db", kept / "langgraph.db"
    sizes = ours.stat().st_size, theirs.stat().st_size
    assert [theirs, ours] == sorted(kept.iterdir())
    assert sizes == (told["ropewalk"]["file_bytes"], told["langgraph"]["file_bytes"])
    assert round(sizes[1] / sizes[0], 2) == told["ratio"]
    assert 4 < told["ratio"]
    with closing(sqlite3.connect(theirs)) as database:
        (count,) = database.execute("SELECT count(*) FROM checkpoints").fetchone()
    assert count == told["langgraph"]["checkpoints"] == told["ropewalk"]["checkpoints"]
    async with ropewalk.open(f"sqlite:///{ours}") as storage:
        assert count == await storage.checkpoints.count("desk")

    table = _run(
        tmp_path, "-m", PROGRAM, "--turns", "8", "--keep", str(again), hash_seed=1
    ).stdout.splitlines()
    assert table[0].startswith(f"A LangGraph graph, 8 turns, {told['messages']} messages, ")
    assert ["Ropewalk", "AsyncSqliteSaver"] == table[2].split()
    assert ["checkpoints", str(count), str(count)] == table[4].split()
    assert "The state at both ends is the same in both files." == table[-1]
    messages = await _messages(ours)
    assert messages
    assert messages == await _messages(again / "ropewalk.db")


def test_another_state_is_noticed(tmp_path: Path) -> None:
    """A saver that gives back another number makes the run fail, and no file is left behind."""
    run = _run(tmp_path, "-c", MISCOUNTING)
    assert 1 == run.returncode, run.stderr
    assert run.stdout.endswith("The state at both ends is NOT the same in both files.\n")
    assert [] == list(tmp_path.iterdir())


def test_what_is_there_is_not_touched(tmp_path: Path) -> None:
    """A folder that has one of the files already, or turns out of range, are refused with 2."""
    (tmp_path / "langgraph.db").write_text("mine", "utf-8")
    taken = _run(tmp_path, "-m", PROGRAM, "--turns", "2", "--keep", str(tmp_path))
    assert (2, "") == (taken.returncode, taken.stdout)
    assert "langgraph.db is there already" in taken.stderr
    assert ["langgraph.db"] == [path.name for path in tmp_path.iterdir()]
    assert "mine" == (tmp_path / "langgraph.db").read_text("utf-8")
    few = _run(tmp_path, "-m", PROGRAM, "--turns", "1")
    assert 2 == few.returncode
    assert "from 2 to 10,000 turns, not 1" in few.stderr


def test_an_interrupted_run_cleans_up(tmp_path: Path) -> None:
    """Control-C ends the run with 130 and leaves no file."""
    with subprocess.Popen(
        [sys.executable, "-m", PROGRAM, "--turns", "100"],
        cwd=ROOT,
        env=_environment(tmp_path),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "100 turns in " in process.stderr.readline()
        while not any(tmp_path.glob("*/langgraph.db")):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, error = process.communicate()
    assert (130, "") == (process.returncode, out)
    assert error.endswith("interrupted\n")
    assert [] == list(tmp_path.iterdir())
