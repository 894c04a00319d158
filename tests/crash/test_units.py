"""Processes that write units of work are killed: each unit is there whole, or was never there."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections import Counter
from pathlib import Path
from random import Random
from typing import Final

import pytest

import ropewalk
from ropewalk.domain.health import State

from ..forked import PIPE, Forked
from .unit_writer import ACCOUNTS, SESSION, START, THREAD, prepare

SCRIPT: Final = Path(__file__).with_name("unit_writer.py")
ROUNDS: Final = 10 if os.environ.get("ROPEWALK_LONG") else 1
MOST: Final = 60 if os.environ.get("ROPEWALK_LONG") else 8
"""Units after which each process may be killed."""
WRITERS: Final = "AB"


class _Victim:
    """A process that writes, with a thread that reads what it says was kept."""

    def __init__(self, url: str, writer: str, first: int) -> None:
        self._process = Forked([SCRIPT, url, writer, str(first)], stdout=PIPE)
        self.acknowledged: list[str] = []
        self._units = threading.Semaphore(0)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):
                self.acknowledged.append(line.strip())
                if line.startswith("unit"):
                    self._units.release()

    def wait(self, units: int) -> None:
        """Return when so many units were acknowledged."""
        for _ in range(units):
            assert self._units.acquire(timeout=60)

    def kill(self) -> None:
        """Kill it without a warning; what it said before counts, to the last whole line."""
        self._process.send_signal(signal.SIGKILL)
        status = self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        assert -signal.SIGKILL == status


def _killed_round(url: str, number: int) -> set[str]:
    """Let the processes write, kill them at a random moment, return what they acknowledged."""
    random = Random(number)
    victims = [_Victim(url, writer, number * 1_000_000) for writer in WRITERS]
    try:
        for victim in victims:
            victim.wait(random.randint(2, MOST))
    finally:
        random.shuffle(victims)
        for victim in victims:
            victim.kill()
    return {name for victim in victims for name in victim.acknowledged}


async def _check(url: str, acknowledged: set[str]) -> int:
    """Open the store as the next process would, compare everything; return how many units."""
    async with ropewalk.open(url) as storage:
        rows = await storage.records.list()
        messages = Counter(str(m.content) for m in await storage.history.messages(THREAD))
        session = await storage.sessions.get(SESSION)
        assert State.HEALTHY is (await storage.ping()).state
    data = {row["id"]: row["data"] for row in rows}
    assert len(ACCOUNTS) * START == sum(data[id]["n"] for id in ACCOUNTS)
    receipts = {row["id"] for row in rows if row["type"] == "receipt"}
    assert dict.fromkeys(receipts, 1) == messages
    assert len(receipts) == session.metadata["units"]
    sides = Counter(row["id"].rpartition("-")[0] for row in rows if row["type"] == "pair")
    assert {2} == set(sides.values())
    last: dict[str, int] = {}
    for name in sides:
        _, writer, number = name.split("-")
        last[writer] = max(last.get(writer, 0), int(number))
    assert {f"last-{writer}": {"number": number} for writer, number in last.items()} == {
        row["id"]: row["data"] for row in rows if row["type"] == "last"
    }
    assert set() == acknowledged - receipts - set(sides)
    return len(receipts)


@pytest.mark.seed("4.4", "5.1", "8.3", "8.5")
@pytest.mark.timeout(60 + 30 * ROUNDS)
@pytest.mark.parametrize("scheme", ["sqlite", "file"])
def test_no_unit_is_half(tmp_path: Path, scheme: str) -> None:
    """Records, messages and sessions of a unit are there together, and no amount is made or lost.

    So are the records of a transaction. What was acknowledged is all there after each killing.
    """
    url = f"{scheme}:///{tmp_path / 'store'}"
    asyncio.run(prepare(url))
    acknowledged: set[str] = set()
    units = 0
    for number in range(1, ROUNDS + 1):
        acknowledged |= _killed_round(url, number)
        units = asyncio.run(_check(url, acknowledged))
    print(f"{scheme}: {ROUNDS} rounds, {len(acknowledged)} acknowledged, {units} units")  # noqa: T201
    assert units >= 4 * ROUNDS
