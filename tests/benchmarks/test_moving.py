"""What the figures of moving in are made of: every contestant takes the same, and all of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest

from ..forked import run_forked

ROOT: Final = Path(__file__).resolve().parents[2]

MOVES: Final = """
import json, sys
from pathlib import Path
from benchmarks import bequest, moving
folder = Path(sys.argv[1])
for name in ("first", "second"):
    bequest.Bequest(folder / name, 60, 6).write()
works = (moving.insert, moving.look, moving.migrate)
print(json.dumps([work(folder / "first", folder / work.__name__) for work in works]))
"""


@pytest.mark.seed("7.1")
def test_everybody_moves_the_same(tmp_path: Path) -> None:
    """Sixty records, six checkpoints, a session and a thread: as many in each of the stores."""
    done = run_forked(["-c", MOVES, tmp_path], cwd=ROOT)

    assert 0 == done.returncode, done.stderr
    assert [68, 68, 68] == json.loads(done.stdout)
    first, second = (
        {file.name: file.read_bytes() for file in (tmp_path / name).rglob("*.json*")}
        for name in ("first", "second")
    )
    assert first == second
    assert 3 == len(first)
