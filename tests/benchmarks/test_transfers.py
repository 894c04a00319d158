"""Workflows of several processes move money at once: none is lost, and nobody is left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

pytestmark = [pytest.mark.seed("5.1"), pytest.mark.seed("5.2")]

ROOT: Final = Path(__file__).resolve().parents[2]
LONG: Final = bool(os.environ.get("ROPEWALK_LONG"))
SIZE: Final = (
    {"counters": 16, "seconds": 20.0, "processes": 4, "workflows": 8}
    if LONG
    else {"counters": 4, "seconds": 1.0, "processes": 2, "workflows": 4}
)

CONTEST: Final = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from benchmarks import transfers
name, path, size = sys.argv[1:]
outcome = transfers.contest(getattr(transfers, name), Path(path), **json.loads(size))
print(json.dumps(asdict(outcome)))
"""


@pytest.mark.parametrize("name", ["UNITS", "PLAIN"])
def test_transfers_keep_the_sum(tmp_path: Path, name: str) -> None:
    """The sum is exact, everybody gets through, and no error of the database reaches a caller."""
    run = subprocess.run(
        [sys.executable, "-c", CONTEST, name, str(tmp_path / "store.db"), json.dumps(SIZE)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    outcome = json.loads(run.stdout)

    assert outcome["expected"] == outcome["total"]
    assert outcome["per_second"] > 0
    assert outcome["attempts"] >= 1
    if LONG and name == "UNITS":
        assert outcome["fairness"] > 0.3
