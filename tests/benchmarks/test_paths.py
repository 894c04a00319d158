"""Everybody who is measured keeps what is given, is given the same, and is told where absent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, cast

from ..forked import run_forked

ROOT: Final = Path(__file__).resolve().parents[2]

KEEP: Final = """
import asyncio, json, sys
from pathlib import Path
from benchmarks import keepers
from benchmarks.paths import documents

folder, given, told = Path(sys.argv[1]), documents(120), {}

def tell(name, loaded, absent, listed):
    told[name] = [
        loaded["data"] == given[7]["data"],
        loaded["created_at"] == given[7]["created_at"],
        absent is None,
        listed,
    ]

async def main():
    for name, keeper in keepers.keepers(folder, "normal").items():
        await keeper.open(given[:110])
        await keeper.save(given[119])
        listed = [50, given[0]["id"]]
        if name not in keepers.ONLY_KEYS:
            rows = await keeper.list("session-0", 50)
            listed = [len(rows), rows[0]["id"]]
        saved = await keeper.load(given[119]["id"])
        assert saved["data"] == given[119]["data"], name
        tell(name, await keeper.load(given[7]["id"]), await keeper.load("nobody"), listed)
        await keeper.close()
    for name, loop in keepers.loops(folder, "normal").items():
        loop.open(given[:110])
        loop.save(given[119])
        rows = loop.list("session-0", 50)
        assert loop.load(given[119]["id"])["data"] == given[119]["data"], name
        tell(name, loop.load(given[7]["id"]), loop.load("nobody"), [len(rows), rows[0]["id"]])
        loop.close()

asyncio.run(main())
print(json.dumps([told, keepers.missing(), keepers.missing((keepers.ROPEWALK, keepers.SAME))]))
"""

SLICES: Final = """
import asyncio, json
from benchmarks import slicing

calls = {"a": [], "b": [], "loop": []}

def call(name):
    async def called(task, n):
        calls[name].append((task, n))
        await asyncio.sleep(0)
    return called

lanes = [
    slicing.Tasks(("load", "a"), call("a"), 3),
    slicing.Tasks(("load", "b"), call("b")),
    slicing.Loop(("load", "loop"), calls["loop"].append),
]
found = asyncio.run(slicing.run(lanes, rounds=4, seconds=0.02))
known = {
    ("x", "mine"): slicing.Figures(rates=[30, 8, 100]),
    ("x", "other"): slicing.Figures(rates=[10, 4, 1]),
}
print(json.dumps({
    "rates": [len(found[lane.place].rates) for lane in lanes],
    "positive": all(
        each > 0 for figures in found.values() for each in (*figures.rates, *figures.cpu)
    ),
    "tasks": sorted({task for task, _ in calls["a"]}),
    "again": len(calls["loop"]) - len(set(calls["loop"])),
    "timed": [bool(found[lane.place].late) for lane in lanes],
    "times": slicing.times(known, ("x", "mine"), ("x", "other")),
    "absent": slicing.times(known, ("x", "mine"), ("x", "nobody")),
}))
"""


def _told(script: str, *arguments: str) -> object:
    run = run_forked(["-c", script, *arguments], cwd=ROOT)
    assert 0 == run.returncode, run.stderr
    return json.loads(run.stdout)


def test_everybody_gives_back_what_was_given(tmp_path: Path) -> None:
    """A record comes back whole, an unknown one not at all; who is not installed is named."""
    told, missing, never_missing = cast(
        "tuple[dict[str, object], list[str], list[str]]", _told(KEEP, str(tmp_path))
    )
    everybody = {
        "Ropewalk",
        "Ropewalk, loop_budget=0",
        "Ropewalk, memory",
        "aiosqlite + orjson",
        "aiosqlite, one statement",
        "SQLAlchemy, async",
        "diskcache",
        "py-key-value, disk",
        "py-key-value, memory",
        "sqlite3, plain loop",
        "apsw, plain loop",
    }
    assert everybody == {*told, *missing}
    assert [] == never_missing
    assert {name: [True, True, True, [50, "note-000000"]] for name in told} == told


def test_everybody_gets_as_many_slices() -> None:
    """Each lane works once in every round, each task by its number, and ratios are by round."""
    assert {
        "rates": [4, 4, 4],
        "positive": True,
        "tasks": [0, 1, 2],
        "again": 0,
        "timed": [True, True, False],
        "times": 3.0,
        "absent": None,
    } == _told(SLICES)
