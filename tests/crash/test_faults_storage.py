"""The disk fails beneath units of work and states: nothing is half, `verify` finds all whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest

import ropewalk
from ropewalk.backends.file import disk
from ropewalk.domain.errors import Unavailable
from ropewalk.services.storage import Storage
from ropewalk.testing.sqlite_faults import TROUBLES, faulty_files
from ropewalk.testing.system_faults import SYSTEM_TROUBLES, FaultySystem

pytestmark = pytest.mark.seed("4.4", "8.3", "8.5")

STEPS: Final = (
    {"sqlite": 1, "file": 5} if os.environ.get("ROPEWALK_LONG") else {"sqlite": 9, "file": 61}
)
"""Of so many calls one is made to fail; files take ten times as many."""

MEMORY: Final = Path("/dev/shm")  # noqa: S108 (a folder of its own is made there)
CHOSEN: Final = ("disk full half-way", "write error", "sync error", "read error")
SQLITE: Final = {trouble.name: trouble for trouble in TROUBLES}
SYSTEM: Final = {trouble.name: trouble for trouble in SYSTEM_TROUBLES}


class Faults:
    """Where a store is, and how its disk is made to fail, at every `step`th call, and to heal."""

    def __init__(self, url: str, arm: Callable[[str, int], None], heal: Callable[[], int]) -> None:
        self.url = url
        self.step = STEPS[url.partition(":")[0]]
        self.arm = arm
        self.heal = heal


@pytest.fixture(params=["sqlite", "file"])
def faults(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Generator[Faults]:
    """Make a place for a store on a disk that can fail."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as home:
        url = f"{request.param}:///{home}/store"
        if request.param == "file":
            system = FaultySystem()
            monkeypatch.setattr(disk, "os", system)
            yield Faults(url, lambda name, nth: system.arm(SYSTEM[name], nth), system.heal)
        else:
            with faulty_files() as files:
                yield Faults(
                    f"{url}?sync=full", lambda name, nth: files.arm(SQLITE[name], nth), files.heal
                )


def _state(number: int) -> dict[str, Any]:
    return {"n": number, "log": [f"{number}: {'long ' * 20}{line}" for line in range(60)]}


async def _unit(storage: Storage, name: str) -> None:
    async with storage.unit() as unit:
        await unit.sessions.create(id=name, title=name)
        await unit.threads.create(id=name, session_id=name)
        await unit.history.add_message(thread_id=name, role="user", content=name)
        await unit.records.save({"id": name, "type": "note"})


async def _parts(storage: Storage, name: str) -> set[bool]:
    """Tell of each part of a unit whether it is there."""
    session = await storage.sessions.exists(name)
    thread = await storage.threads.find(name) is not None
    record = await storage.records.exists(name, type="note")
    return {session, thread, record, thread and bool(await storage.history.messages(name))}


async def _attempt(storage: Storage, name: str, number: int) -> bool:
    """Do a unit and save two states; tell whether all of it was acknowledged."""
    try:
        await _unit(storage, name)
        await storage.checkpoints.save(name, _state(number))
        await storage.checkpoints.append(name, {"log": ["more"], "n": -number})
        await storage.checkpoints.latest(name)
    except Unavailable:
        return False
    return True


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", CHOSEN)
async def test_any_call_may_fail(faults: Faults, name: str) -> None:
    """A unit is there whole or not at all, states that were acknowledged can be read, all goes on.

    After the last trouble, and again after the store was opened anew, nothing that any state
    needs is missing or damaged.
    """
    storage = await ropewalk.open(faults.url, layers=[])
    saved: dict[str, int] = {}
    for number in count(1):
        id = f"t{number}"
        faults.arm(name, 1 + (number - 1) * faults.step)
        done = await _attempt(storage, id, number)
        hits = faults.heal()
        parts = await _parts(storage, id)
        assert 1 == len(parts)
        assert not done or parts == {True}
        if parts == {False}:
            await _unit(storage, id)
        if not done:
            await storage.checkpoints.save(id, _state(number))
            await storage.checkpoints.append(id, {"log": ["more"], "n": -number})
        saved[id] = number
        if not hits:
            break
    for _ in range(2):
        for id, number in saved.items():
            latest = await storage.checkpoints.latest(id)
            assert latest is not None
            assert {"n": -number, "log": [*_state(number)["log"], "more"]} == latest.state
        assert (await storage.checkpoints.verify()).is_whole
        await storage.close()
        storage = await ropewalk.open(faults.url, layers=[])
    await storage.close()
