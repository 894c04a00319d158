"""Collecting garbage beside eight writers, with collector and writers killed at random."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

import ropewalk
from ropewalk.domain.errors import NotFound, RopewalkError
from ropewalk.domain.verified import Verified

from ..forked import Forked
from .tree_work import ROOT, hash_of, message

pytestmark = pytest.mark.seed("3.4")

LONG: Final = bool(os.environ.get("ROPEWALK_LONG"))
SECONDS: Final = 60.0 if LONG else 1.8
KILLS: Final = 20 if LONG else 3
SAVES: Final = 500 if LONG else 40
"""What they do at least, however slow the machine; a quick one goes on until the time is up."""
BUSY: Final = (6, 150, 150) if LONG else (4, 40, 40)
"""How many lines each process may have written when it is killed."""
WORK: Final = Path(__file__).with_name("tree_work.py")
PATIENCE: Final = 60.0


@dataclass(slots=True)
class Told:
    """What all journals say together."""

    saved: dict[str, str] = field(default_factory=dict[str, str])
    going: set[str] = field(default_factory=set[str])
    corrupt: list[str] = field(default_factory=list[str])
    counts: Counter[str] = field(default_factory=Counter[str])
    removed: int = 0
    kills: int = 0

    def read(self, path: Path) -> None:
        """Read a journal, whose last line may be torn."""
        for line in path.read_text("utf-8").splitlines():
            try:
                entry: dict[str, Any] = json.loads(line)
            except ValueError:
                continue
            self.counts[entry["op"]] += 1
            if entry["op"] == "saved":
                self.saved[entry["id"]] = entry["hash"]
            elif entry["op"] == "going":
                self.going.update(entry["ids"])
            elif entry["op"] == "corrupt":
                self.corrupt.append(entry["message"])
            elif entry["op"] == "collected":
                self.removed += entry["removed"]


class Works:
    """Two processes of writers and a collector, each begun anew when it was killed."""

    def __init__(self, folder: Path, url: str, *, collector: str, rng: random.Random) -> None:
        """Work on the store at `url`, with journals and what processes complain of in `folder`."""
        self._folder = folder
        self._url = url
        self._rng = rng
        self._stop = folder / "stop"
        self._roles = [collector, "write", "write"]
        self._journals: list[Path] = []
        self._kills = 0
        self._running = [self._start(role) for role in self._roles]

    def _start(self, role: str) -> tuple[Forked, Path]:
        journal = self._folder / f"{len(self._journals)}.jsonl"
        journal.touch()
        self._journals.append(journal)
        seed = str(self._rng.getrandbits(32))
        with journal.with_suffix(".err").open("wb") as errors:
            process = Forked([WORK, role, self._url, journal, seed, self._stop], stderr=errors)
        return process, journal

    def run(self, *, seconds: float, kills: int, until_corrupt: bool = False) -> Told:
        """Let them work so long and kill so many, each when it has done something.

        With `until_corrupt` they work until an error shows that something was lost, and no more
        are killed than that many: to begin anew takes longer than to lose something.
        """
        begin = time.monotonic()
        try:
            while not self._is_enough(begin, seconds, kills, until_corrupt=until_corrupt):
                time.sleep(0.05)
                if until_corrupt and self._kills >= kills:
                    continue
                which = self._rng.randrange(len(self._roles))
                process, journal = self._running[which]
                if journal.read_text().count("\n") > self._rng.randint(1, BUSY[which]):
                    process.send_signal(signal.SIGKILL)
                    process.wait(PATIENCE)
                    self._kills += 1
                    self._running[which] = self._start(self._roles[which])
        finally:
            self._stop.touch()
            for process, _ in self._running:
                process.wait(PATIENCE)
        errors = [path.read_text() for path in self._folder.glob("*.err")]
        assert not any(errors), errors
        return self._told()

    def _is_enough(self, begin: float, seconds: float, kills: int, *, until_corrupt: bool) -> bool:
        took = time.monotonic() - begin
        if until_corrupt:
            return self._has("corrupt", 1) or took > PATIENCE
        worked = took > seconds and self._kills >= kills
        done = worked and self._has("saved", SAVES) and self._has("collected", 1)
        return done or took > seconds + PATIENCE

    def _has(self, op: str, count: int) -> bool:
        """Tell whether the journals have so many lines of a kind, without reading each line."""
        word = f'"op": "{op}"'
        return sum(journal.read_text("utf-8").count(word) for journal in self._journals) >= count

    def _told(self) -> Told:
        told = Told(kills=self._kills)
        for journal in self._journals:
            told.read(journal)
        return told


async def _begin(url: str) -> None:
    async with ropewalk.open(url) as storage:
        await storage.threads.create(id=ROOT)
        state = {"messages": [message(number) for number in range(30)], "n": 0}
        await storage.checkpoints.save(ROOT, state)


async def _audit(url: str, told: Told) -> tuple[list[str], Verified]:
    """Return what is wrong with the acknowledged states, and what a last collection left."""
    wrong: list[str] = []
    async with ropewalk.open(url) as storage:
        for id_, expected in told.saved.items():
            try:
                state = (await storage.checkpoints.load(id_)).state
            except NotFound:
                if id_ not in told.going:
                    wrong.append(f"{id_} is gone")
            except RopewalkError as error:
                wrong.append(f"{id_}: {error}")
            else:
                if hash_of(state) != expected:
                    wrong.append(f"{id_} is another state")
        before = await storage.checkpoints.verify()
        wrong += [str(damage) for damage in before.damages]
        if not wrong:
            await storage.checkpoints.collect()
        return wrong, await storage.checkpoints.verify()


def _works(tmp_path: Path, scheme: str, *, collector: str) -> tuple[Works, str]:
    url = f"{scheme}:///{tmp_path / 'store'}"
    asyncio.run(_begin(url))
    folder = tmp_path / "work"
    folder.mkdir()
    return Works(folder, url, collector=collector, rng=random.Random(3)), url


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("scheme", ["sqlite", "file"])
def test_no_acknowledged_state_is_lost(tmp_path: Path, scheme: str) -> None:
    """Nothing that a state needs is missing, and after a last collection nothing else is there."""
    works, url = _works(tmp_path, scheme, collector="collect")
    told = works.run(seconds=SECONDS, kills=KILLS)
    wrong, verified = asyncio.run(_audit(url, told))
    print(scheme, dict(told.counts), told.kills, told.removed, verified)  # noqa: T201

    assert [] == told.corrupt
    assert [] == wrong
    assert (True, 0) == (verified.is_whole, verified.orphans)
    assert told.counts["saved"] >= SAVES
    assert told.counts["collected"] > 0
    assert told.kills >= KILLS
    assert told.removed > 0 or not LONG


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_collector_that_ignores_stamps_is_found_out(tmp_path: Path) -> None:
    """The same work shows the fault where nodes are deleted however new they are."""
    works, url = _works(tmp_path, "sqlite", collector="wrong")
    told = works.run(seconds=SECONDS, kills=KILLS, until_corrupt=True)
    wrong, _ = asyncio.run(_audit(url, told))
    print(dict(told.counts), told.kills, told.corrupt[:1], wrong[:1])  # noqa: T201
    assert told.corrupt or wrong
