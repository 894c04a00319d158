"""The profile names the rooms in which the time of a path goes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ..forked import run_forked

ROOT: Final = Path(__file__).resolve().parents[2]


def test_a_profile_names_rooms_and_functions() -> None:
    """Saving takes time in the SQLite back end and in apsw; shares are at most the whole."""
    options = ["save", "--tasks", "5", "--seconds", "0.2"]
    run = run_forked(["-m", "benchmarks.profiling", *options], cwd=ROOT)
    assert 0 == run.returncode, run.stderr
    by_room = run.stdout.split("\n\n")[1].splitlines()[2:]
    shares = {
        name.strip(): float(share) for _, name, share, _ in (line.split("|") for line in by_room)
    }
    assert any(name.startswith("backends/sqlite/") for name in shares)
    assert shares["built in: apsw"] > 0
    assert 50 < sum(shares.values()) <= 100.5
    assert sorted(shares.values(), reverse=True) == list(shares.values())
