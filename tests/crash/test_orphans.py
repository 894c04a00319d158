"""A process that drives a run is killed: one of two others goes on behind its last step."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import ropewalk
from ropewalk.domain.run import RunStatus

from ..forked import PIPE, Forked

SCRIPT = Path(__file__).with_name("run_driver.py")
ROUNDS = 5 if os.environ.get("ROPEWALK_LONG") else 1
RESCUERS = 2

pytestmark = [pytest.mark.seed("8.5", "5.1", "5.2"), pytest.mark.timeout(120 + 20 * ROUNDS)]


@contextmanager
def _process(*arguments: str) -> Generator[Forked]:
    """Start a process of the script, and see to it that it does not outlive the block."""
    with Forked([SCRIPT, *arguments], stdout=PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


async def _line(process: Forked) -> str:
    assert process.stdout is not None
    return (await asyncio.to_thread(process.stdout.readline)).strip()


async def _rest(process: Forked) -> list[str]:
    output, _ = await asyncio.to_thread(process.communicate, 60)
    assert 0 == process.returncode
    return output.splitlines()


async def _killed(driver: Forked) -> None:
    driver.kill()
    assert -signal.SIGKILL == await asyncio.to_thread(driver.wait, 60)


async def _rescued(url: str, run_id: str) -> list[str]:
    """Kill whoever drives a run while others look for orphans; return what these have told."""
    with ExitStack() as stack:
        driver = stack.enter_context(_process("begin", url, run_id))
        assert ["ready", "half"] == [await _line(driver), await _line(driver)]
        rescuers = [stack.enter_context(_process("rescue", url, run_id)) for _ in range(RESCUERS)]
        assert ["ready"] * RESCUERS == [await _line(rescuer) for rescuer in rescuers]
        await _killed(driver)
        return [line for rescuer in rescuers for line in await _rest(rescuer)]


@pytest.mark.parametrize("kind", ["sqlite", "file"])
async def test_a_killed_driver_is_replaced_once(kind: str, tmp_path: Path) -> None:
    """Its lease expires, its run is found by two, and each step is done exactly once."""
    url = f"{kind}:///{tmp_path / 'store'}"
    ends: list[str] = []
    async with ropewalk.open(url) as storage:
        await storage.threads.create(id="t")
        for round in range(ROUNDS):
            run_id = f"r{round}"
            told = await _rescued(url, run_id)
            assert ["resumed 2"] == [line for line in told if line.startswith("resumed")]
            ends += [line for line in told if line.startswith("refused")]
            run = await storage.runs.get(run_id)
            assert (RunStatus.DONE, 2, "rescue") == (run.status, run.attempts, run.owner)
            assert [("one", 1), ("two", 2), ("three", 2)] == [
                (step.key, step.attempt) for step in await storage.runs.steps(run_id)
            ]

        # Half of the second step, which the first driver had written, is nowhere.
        expected = ["one", "two", "three"] * ROUNDS
        assert expected == [m.content for m in await storage.history.messages("t")]
        latest = await storage.checkpoints.latest("t")
        assert latest is not None
        assert {"done": expected} == latest.state
        assert () == await storage.leases.list()
        assert () == await storage.runs.orphaned()
    print(f"{kind}: {ROUNDS} runs resumed once each; refused meanwhile: {ends}")  # noqa: T201
