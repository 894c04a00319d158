"""Processes that want one lease: each gets it in turn, and nothing is written side by side."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

import ropewalk

from ..forked import PIPE, Forked

SCRIPT = Path(__file__).with_name("lease_worker.py")
LONG = bool(os.environ.get("ROPEWALK_LONG"))
WORKERS = "abcd" if LONG else "ab"
ROUNDS = 100 if LONG else 15

pytestmark = [pytest.mark.seed("5.1", "5.2"), pytest.mark.timeout(60 + 2 * ROUNDS)]


@contextmanager
def _worker(url: str, name: str) -> Generator[Forked]:
    """Start a process that takes its turns, and see to it that it does not outlive the block."""
    with Forked([SCRIPT, url, name, str(ROUNDS)], stdout=PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("kind", ["sqlite", "file"])
async def test_processes_take_turns(kind: str, tmp_path: Path) -> None:
    """Every count is there, every grant had a token of its own, and nobody comes short."""
    url = f"{kind}:///{tmp_path / 'store'}"
    async with ropewalk.open(url) as storage:
        with ExitStack() as running:
            async with storage.lease("count", ttl=60):
                processes = [running.enter_context(_worker(url, worker)) for worker in WORKERS]
                for process in processes:
                    assert process.stdout is not None
                    await asyncio.to_thread(process.stdout.readline)
                while len((await storage.leases.get("count")).waiting) < len(WORKERS):
                    assert {None} == {process.poll() for process in processes}
                    await asyncio.sleep(0.01)
            ends = [await asyncio.to_thread(process.wait, 60 + ROUNDS) for process in processes]
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
