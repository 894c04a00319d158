"""Processes that want one lease: each gets it in turn, and nothing is written side by side."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

import ropewalk

SCRIPT = Path(__file__).with_name("lease_worker.py")
LONG = bool(os.environ.get("ROPEWALK_LONG"))
WORKERS = "abcd" if LONG else "ab"
ROUNDS = 100 if LONG else 15

pytestmark = [pytest.mark.seed("5.1", "5.2"), pytest.mark.timeout(60 + 2 * ROUNDS)]


@pytest.mark.parametrize("kind", ["sqlite", "file"])
async def test_processes_take_turns(kind: str, tmp_path: Path) -> None:
    """Every count is there, every grant had a token of its own, and nobody comes short."""
    url = f"{kind}:///{tmp_path / 'store'}"
    async with ropewalk.open(url) as storage:
        async with storage.lease("count", ttl=60):
            processes = [
                await asyncio.create_subprocess_exec(
                    sys.executable, str(SCRIPT), url, worker, str(ROUNDS), stdout=subprocess.PIPE
                )
                for worker in WORKERS
            ]
            for process in processes:
                assert process.stdout is not None
                await process.stdout.readline()
            while len((await storage.leases.get("count")).waiting) < len(WORKERS):
                assert {None} == {process.returncode for process in processes}
                await asyncio.sleep(0.01)
        ends = [await asyncio.wait_for(process.wait(), 60 + ROUNDS) for process in processes]
        assert [0] * len(WORKERS) == ends

        row = await storage.records.load("count")
        assert row is not None
        assert len(WORKERS) * ROUNDS == row["data"]["n"] == len(row["data"]["by"])
        async with storage.lease("count") as lease:
            assert len(WORKERS) * ROUNDS + 2 == lease.token
        assert "ticket" not in await storage.kinds()
    # All stood in line when it began: as long as everybody has rounds left, turns are taken.
    turns = row["data"]["by"][: len(WORKERS) * ROUNDS // 2]
    twice = sum(first == second for first, second in pairwise(turns))
    assert twice < len(turns) // 2
    print(f"{kind}: {len(row['data']['by'])} turns, {twice} of {len(turns)} twice in a row")  # noqa: T201
