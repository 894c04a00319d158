"""The benchmarks run, give every store the same steps, and notice a wrong state."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

DESCRIBE: Final = """
import hashlib, json, ormsgpack
from benchmarks.workloads import SEED, branching, edited, with_blob, with_scratchpad
from benchmarks.text import Writer
digest = hashlib.sha256()
for events in (
    edited(300), with_blob(60), with_scratchpad(30), branching(20, branches=2, length=3)
):
    for event in events:
        digest.update(ormsgpack.packb(event))
sizes = [len(ormsgpack.packb(message)) for message in Writer(SEED).messages(2_000)]
print(json.dumps([digest.hexdigest(), min(sizes), sum(sizes) / len(sizes), max(sizes)]))
"""

FORGET: Final = """
from benchmarks.race import check
check("a store", {"messages": [1]}, {"messages": [1, 2]})
"""


def _run(*arguments: str, hash_seed: int = 0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_question_is_measured_and_written(tmp_path: Path) -> None:
    """A short run of one question writes its table, and says where the figures come from."""
    results, stores = tmp_path / "results", tmp_path / "stores"
    stores.mkdir()
    options = ("--quick", "--runs", "1", "--only", "pruning", "--folder", str(stores))
    run = _run("-m", "benchmarks", *options, "--output", str(results))
    assert 0 == run.returncode, run.stderr
    assert ["pruning.md"] == [path.name for path in results.iterdir()]
    written = (results / "pruning.md").read_text("utf-8")
    rows = [line.split("|")[1].strip() for line in written.splitlines() if line.startswith("| ")]
    assert {"AsyncSqliteSaver, NORMAL", "save"} <= set(rows)
    assert "Medians of 1 interleaved runs." in written
    assert str(tmp_path) not in written
    assert [] == list(stores.iterdir())


def test_the_same_steps_in_every_run() -> None:
    """Two processes make the same workloads, of messages of 0.2 to 4 kB, 1.3 kB in the mean."""
    first, second = (_run("-c", DESCRIBE, hash_seed=seed) for seed in (1, 2))
    assert 0 == first.returncode, first.stderr
    assert first.stdout == second.stdout
    _, least, mean, most = json.loads(first.stdout)
    assert 200 <= least
    assert 1_250 <= mean <= 1_400
    assert most <= 4_200


def test_a_wrong_state_ends_the_run() -> None:
    """A store that gives back another state than it was given is not measured any further."""
    run = _run("-c", FORGET)
    assert 1 == run.returncode
    assert "a store gave back another state than it was given" in run.stderr
