"""The system fails at every call of the file store in turn: nothing is half or lost."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Generator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from ropewalk.backends.file import FileBackend, disk, folder
from ropewalk.domain.change import Batch, Delete
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Unavailable
from ropewalk.domain.health import State
from ropewalk.domain.query import Query
from ropewalk.testing.samples import SPACE, commits, everything, key, put
from ropewalk.testing.system_faults import SYSTEM_TROUBLES, FaultySystem, SystemTrouble

pytestmark = pytest.mark.seed("1.5", "4.4", "8.3", "8.5")

LONG: Final = bool(os.environ.get("ROPEWALK_LONG"))
MEMORY: Final = Path("/dev/shm")  # noqa: S108 (a folder of its own is made there)
LAB: Final = Query(space=SPACE)
SAID: Final = {"disk_full", "io", "read_only", "unfinished"}

EVERY_DAY: Final = (
    ("disk full half-way", False),
    ("read error", False),
    ("read-only from now on", True),
)
CASES: Final = [
    pytest.param(trouble, lasting, id=f"{trouble}-{'ever' if lasting else 'once'}")
    for trouble in SYSTEM_TROUBLES
    for lasting in (False, True)
    if LONG or (trouble.name, lasting) in EVERY_DAY
]

SELDOM: Final = 1 if LONG else 5
"""Of so many faults, one is followed by a look at the files as another process would have it."""


@pytest.fixture
def home() -> Generator[Path]:
    """Make a folder, in memory where there is one: a failing disk need not be slow as well."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> FaultySystem:
    """Put a system that can fail in the place of the real one."""
    system = FaultySystem()
    monkeypatch.setattr(disk, "os", system)
    return system


def _store(root: Path) -> FileBackend:
    return FileBackend(root, clock=FrozenClock(tick=0))


def _batch(number: int) -> Batch:
    """Return the batch of a round: two that belong together, one that comes, one that goes."""
    body = b"%d" % number * 3_000
    line = put(f"line {number}", labels={"n": number})
    gone = Delete(key=key(f"line {number - 3}"))
    return Batch((put("left", body), put("right", body), line, gone), id=f"round {number}")


def _expected(number: int) -> tuple[dict[str, bytes | None], list[str]]:
    """Return what is there after so many rounds, and what the end of the feed tells."""
    lines = {f"line {n}": b"" for n in range(max(number - 2, 1), number + 1)}
    pair = dict.fromkeys(("left", "right"), b"%d" % number * 3_000) if number else {}
    return {**pair, **lines}, [f"round {n}" for n in range(max(number - 2, 1), number + 1)]


async def _state(store: FileBackend) -> tuple[dict[str, bytes | None], list[str]]:
    found = {record.key.id: record.body for record in await everything(store, LAB)}
    # Each round is one commit, and has its number.
    last = max([int(name.split()[-1]) for name in found if name.startswith("line")], default=0)
    return found, [commit.batch_id for commit in await commits(store, max(last - 3, 0))]


async def _attempt(call: Awaitable[object]) -> bool:
    """Await a call; tell whether it was answered, and see that it said why if not."""
    (answer,) = await asyncio.gather(call, return_exceptions=True)
    if not isinstance(answer, BaseException):
        return True
    assert isinstance(answer, Unavailable)
    assert answer.code in SAID, answer.code
    assert isinstance(answer.__cause__, OSError)
    return False


async def _look(root: Path, *numbers: int) -> None:
    """Open what is there as the next process would, and compare it."""
    store = _store(root)
    await store.open()
    state = await _state(store)
    health = await store.ping()
    await store.close()
    assert state in [_expected(number) for number in numbers]
    assert (State.HEALTHY, ()) == (health.state, health.reasons)


@pytest.mark.parametrize(("trouble", "lasting"), CASES)
async def test_any_call_of_an_open_store_may_fail(
    home: Path,
    system: FaultySystem,
    monkeypatch: pytest.MonkeyPatch,
    trouble: SystemTrouble,
    *,
    lasting: bool,
) -> None:
    """Whichever call fails while one writes, reads and empties the journal, nothing is half.

    The same open store goes on as soon as the trouble is over, and so would another process with
    the files as they are then. The numbers of the calls are tried one after the other.
    """
    monkeypatch.setattr(folder, "LONG_JOURNAL", 4_000)
    store = _store(home / "store")
    await store.open()
    quiet = nth = 0
    # A round in between empties the journal, or else each failure to do so would make it longer.
    for nth, number in zip(count(1), count(1, 2), strict=False):
        system.arm(trouble, nth, lasting=lasting)
        acknowledged = await _attempt(store.apply(_batch(number)))
        for call in (everything(store, LAB), commits(store, number - 1), store.tally(LAB)):
            await _attempt(call)
        hits = system.heal()
        allowed = (number,) if acknowledged else (number - 1, number)
        if hits and nth % SELDOM == 0:
            copy = shutil.copytree(home / "store", home / "copy")
            await _look(copy, *allowed)
            shutil.rmtree(copy)
        before = await _state(store)
        assert before in [_expected(n) for n in allowed]
        answer = await store.apply(_batch(number))
        assert (before == _expected(number)) == answer.replayed
        await store.apply(_batch(number + 1))
        assert _expected(number + 1) == await _state(store)
        # Now and then the journal is emptied, which takes more calls than a batch.
        quiet = 0 if hits else quiet + 1
        if quiet > 3:
            break
    assert nth > 4
    assert (State.HEALTHY, ()) == ((health := await store.ping()).state, health.reasons)
    await store.close()
    await _look(home / "store", 2 * nth)


@pytest.mark.parametrize("trouble", SYSTEM_TROUBLES, ids=str)
async def test_any_call_of_a_closing_may_fail(
    home: Path, system: FaultySystem, trouble: SystemTrouble
) -> None:
    """Whichever call fails while the journal is emptied at the end, all is there later."""
    for number in count(1):
        root = home / str(number)
        store = _store(root)
        await store.open()
        await store.apply(_batch(1))
        system.arm(trouble, number, lasting=True)
        await _attempt(store.close())
        hits = system.heal()
        assert State.DOWN is (await store.ping()).state
        await _look(root, 1)
        shutil.rmtree(root)
        if not hits:
            break


async def test_calls_that_do_a_part_are_called_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the system reads and writes less than it was asked to, nobody notices."""
    monkeypatch.setattr(disk, "os", FaultySystem(short=True))
    store = _store(home / "store")
    await store.open()
    for number in range(1, 5):
        await store.apply(_batch(number))
        assert _expected(number) == await _state(store)
    await store.close()
    await _look(home / "store", 4)
    monkeypatch.undo()
    await _look(home / "store", 4)
