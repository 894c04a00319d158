"""SQLite's files fail at every call in turn: nothing is half or lost, and the store goes on."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import threading
from collections.abc import Awaitable, Generator
from contextlib import closing
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import apsw
import pytest

from ropewalk.backends.sqlite import SqliteBackend, tidying
from ropewalk.domain.change import Applied, Batch, Check, Delete
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Unavailable
from ropewalk.domain.health import State
from ropewalk.domain.query import Query
from ropewalk.testing.samples import SPACE, commits, everything, key, put
from ropewalk.testing.sqlite_faults import TROUBLES, FaultyFiles, Trouble, faulty_files

pytestmark = pytest.mark.seed("1.5", "4.4", "8.3", "8.5")

LONG: Final = bool(os.environ.get("ROPEWALK_LONG"))
MEMORY: Final = Path("/dev/shm")  # noqa: S108 (a folder of its own is made there)
LASTING: Final = (False, True) if LONG else (False,)

CHOSEN: Final = [t for t in TROUBLES if LONG or t.call != "write" or t.name == "disk full half-way"]
"""Every day, writes fail in one way alone, and the worst: half of the data is there."""

SAID: Final = {"full", "io", "busy", "cannot_open"}
LAB: Final = Query(space=SPACE)

SELDOM: Final = 1 if LONG else 5
"""Of so many faults, one is followed by a look at the files as another process would have it."""


@pytest.fixture
def home() -> Generator[Path]:
    """Make a folder, in memory where there is one: a failing disk need not be slow as well."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture
def files() -> Generator[FaultyFiles]:
    """Let SQLite work on a disk that can fail."""
    with faulty_files() as files:
        yield files


@pytest.fixture
def told_at_closing(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Let threads end with errors of SQLite, and with no others.

    SQLite keeps quiet about what fails while a connection is closed. An error that is raised by
    Python code, as here, comes out of the closing all the same.
    """
    ended: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", ended.append)
    yield
    assert all(isinstance(args.exc_value, apsw.Error) for args in ended)


def _store(path: Path) -> SqliteBackend:
    clock = FrozenClock(tick=0)
    return SqliteBackend(path, clock=clock, sync="full", busy_timeout=0.02, verify=True)


def _batch(number: int) -> Batch:
    """Return the batch of a round: two that belong together, one that comes, one that goes."""
    body = b"%d" % number * 3_000
    line = put(f"line {number}", labels={"n": number})
    gone = Delete(key=key(f"line {number - 3}"))
    return Batch((put("left", body), put("right", body), line, gone), id=f"round {number}")


def _expected(number: int) -> tuple[dict[str, bytes | None], list[str]]:
    """Return what is there after so many rounds, and what the feed tells."""
    lines = {f"line {n}": b"" for n in range(max(number - 2, 1), number + 1)}
    pair = dict.fromkeys(("left", "right"), b"%d" % number * 3_000) if number else {}
    return {**pair, **lines}, [f"round {n}" for n in range(1, number + 1)]


async def _state(store: SqliteBackend) -> tuple[dict[str, bytes | None], list[str]]:
    found = {record.key.id: record.body for record in await everything(store, LAB)}
    return found, [commit.batch_id for commit in await commits(store)]


async def _attempt(call: Awaitable[object]) -> bool:
    """Await a call; tell whether it was answered, and see that it said what to do if not."""
    (answer,) = await asyncio.gather(call, return_exceptions=True)
    if not isinstance(answer, BaseException):
        return True
    assert isinstance(answer, Unavailable)
    assert answer.code in SAID
    assert isinstance(answer.__cause__, apsw.Error)
    assert "SQLite says" in answer.message
    return False


async def _look(path: Path, *numbers: int) -> int:
    """Open what is there as the next process would; return after which round it is."""
    with closing(sqlite3.connect(path)) as connection:
        assert [("ok",)] == connection.execute("pragma integrity_check").fetchall()
    store = _store(path)
    await store.open()
    state = await _state(store)
    health = await store.ping()
    await store.close()
    assert state in [_expected(number) for number in numbers]
    assert (State.HEALTHY, ()) == (health.state, health.reasons)
    return len(state[1])


def _copied(path: Path, home: Path) -> Path:
    """Copy the files of an open store, as they would be left if its process died now.

    In this order: what moves from one to the other meanwhile is then there twice, and not lost.
    """
    copy = Path(shutil.copy(path, home / "copy.db"))
    shutil.copy(f"{path}-wal", f"{copy}-wal")
    return copy


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "ever"])
@pytest.mark.parametrize("trouble", CHOSEN, ids=str)
async def test_any_call_of_an_open_store_may_fail(
    home: Path,
    files: FaultyFiles,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Trouble,
    *,
    lasting: bool,
) -> None:
    """Whichever call fails while one writes, reads and tidies up, the batch is there or is not.

    The same open store goes on as soon as the trouble is over, and so would another process with
    the files as they are then. The numbers of the calls are tried one after the other.
    """
    monkeypatch.setattr(tidying, "_CHECKPOINT_PAGES", 20)
    path = home / "store.db"
    store = _store(path)
    await store.open()
    quiet = number = 0
    for number in count(1):
        files.arm(trouble, number, lasting=lasting)
        acknowledged = await _attempt(store.apply(_batch(number)))
        for call in (everything(store, LAB), commits(store), store.tally(LAB)):
            await _attempt(call)
        hits = files.heal()
        allowed = (number,) if acknowledged else (number - 1, number)
        before = await _state(store)
        assert before in [_expected(n) for n in allowed]
        if hits and number % SELDOM == 0:
            # Where it failed when all was written, whoever opens the files next finds it there.
            await _look(_copied(path, home), len(before[1]), number)
        answer = await store.apply(_batch(number))
        assert (before == _expected(number)) == answer.replayed
        assert _expected(number) == await _state(store)
        # Now and then the log is moved into the file, which takes more calls than a batch.
        quiet = 0 if hits else quiet + 1
        if quiet > 3:
            break
    assert State.HEALTHY is (await store.ping()).state
    await store.close()
    await _look(path, number)


@pytest.mark.parametrize("loop_budget", [0, 0.002])
@pytest.mark.parametrize("trouble", [t for t in CHOSEN if t.call in ("write", "sync")], ids=str)
async def test_a_store_that_cannot_write_says_so(
    home: Path, files: FaultyFiles, trouble: Trouble, loop_budget: float
) -> None:
    """From the first batch that failed until one is written, the health is not what it should be.

    A batch that is refused, or writes nothing, proves nothing.
    """
    path = home / "store.db"
    store = SqliteBackend(path, clock=FrozenClock(), sync="full", loop_budget=loop_budget)
    await store.open()
    await store.apply(_batch(1))
    assert State.HEALTHY is (await store.ping()).state
    files.arm(trouble, 1, lasting=True)
    assert not await _attempt(store.apply(_batch(2)))
    files.heal()
    for idle in (Batch((Check(key=key("right"), expect=1),)), _batch(1)):
        await store.apply(idle)
    with pytest.raises(Conflict):
        await store.apply(Batch((put("right", expect=0),)))
    health = await store.ping()
    assert State.DEGRADED is health.state
    assert ["the last batch could not be written"] == [r[:35] for r in health.reasons]
    assert str(path) in health.reasons[0]
    await store.apply(_batch(2))
    health = await store.ping()
    assert (State.HEALTHY, ()) == (health.state, health.reasons)
    await store.close()


async def _left(home: Path) -> Path:
    """Make a store, and keep its files as they are when its process is killed after two rounds."""
    store = _store(home / "store.db")
    await store.open()
    for number in (1, 2):
        await store.apply(_batch(number))
    (home / "left").mkdir()
    copy = _copied(home / "store.db", home / "left")
    await store.close()
    return copy.parent


@pytest.mark.parametrize("lasting", LASTING, ids=lambda lasting: "ever" if lasting else "once")
@pytest.mark.parametrize("killed", [False, True], ids=["new", "killed"])
@pytest.mark.parametrize("trouble", CHOSEN, ids=str)
@pytest.mark.usefixtures("told_at_closing")
async def test_any_call_of_an_opening_may_fail(
    home: Path, files: FaultyFiles, trouble: Trouble, *, killed: bool, lasting: bool
) -> None:
    """A new store, or one with a log that a killed process left, opens or says why not.

    As soon as the trouble is over it opens, with everything.
    """
    left = await _left(home) if killed else None
    rounds = 2 if killed else 0
    for number in count(1):
        folder = home / str(number)
        if left is None:
            folder.mkdir()
        else:
            shutil.copytree(left, folder)
        store = _store(folder / "copy.db")
        files.arm(trouble, number, lasting=lasting)
        opened = await _attempt(store.open())
        assert opened or State.DOWN is (await store.ping()).state
        hits = files.heal()
        await store.open()
        assert _expected(rounds) == await _state(store)
        await store.close()
        if number % SELDOM == 0:
            await _look(folder / "copy.db", rounds)
        shutil.rmtree(folder)
        if not hits:
            break


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "ever"])
@pytest.mark.parametrize("trouble", CHOSEN, ids=str)
@pytest.mark.usefixtures("told_at_closing")
async def test_any_call_of_a_closing_may_fail(
    home: Path, files: FaultyFiles, trouble: Trouble, *, lasting: bool
) -> None:
    """Whichever call fails while the log is moved into the file at the end, all is there later."""
    for number in count(1):
        path = home / f"{number}.db"
        store = _store(path)
        await store.open()
        await store.apply(_batch(1))
        files.arm(trouble, number, lasting=lasting)
        await store.close()
        hits = files.heal()
        assert State.DOWN is (await store.ping()).state
        await _look(path, 1)
        if not hits:
            break


async def test_a_log_that_was_cut_off_is_read_as_far_as_it_goes(home: Path) -> None:
    """Wherever the end of the log got lost, the batches before are there, whole and in order.

    What is behind the cut cannot be known; and after the next commit it is never seen again.
    """
    store = _store(home / "store.db")
    await store.open()
    for number in range(1, 6):
        await store.apply(_batch(number))
    (home / "left").mkdir()
    left = _copied(home / "store.db", home / "left")
    await store.close()
    log = Path(f"{left}-wal").read_bytes()
    frame = 24 + 4_096
    cuts = sorted({32 + end + odd for end in range(0, len(log) - 31, frame) for odd in (-1, 0, 40)})
    seen: list[int] = []
    for cut in cuts if LONG else cuts[:: len(cuts) // 20]:
        path = Path(shutil.copy(left, home / "cut.db"))
        Path(f"{path}-wal").write_bytes(log[: max(cut, 0)])
        seen.append(await _look(path, *range(6)))
    assert sorted(seen) == seen
    assert {0, 1, 2, 3, 4} <= set(seen)


@pytest.mark.parametrize("trouble", CHOSEN[:2], ids=str)
async def test_a_moment_of_trouble_stops_one_batch_at_most(
    home: Path, files: FaultyFiles, trouble: Trouble
) -> None:
    """Of batches that are written together, none suffers for a failure that is over by then."""
    store = _store(home / "store.db")
    await store.open()
    for number in range(1, 100, 3):
        files.arm(trouble, number)
        batches = [Batch((put(f"{number}-{n}", b"x" * 2_000),)) for n in range(20)]
        answers = await asyncio.gather(*map(store.apply, batches), return_exceptions=True)
        files.heal()
        failed = [answer for answer in answers if not isinstance(answer, Applied)]
        # The first may go alone, before the others have come.
        assert [Unavailable] * len(failed[:1]) == [type(answer) for answer in failed]
        again = [(await store.apply(batch)).replayed for batch in batches]
        assert [isinstance(answer, Applied) for answer in answers] == again
    await store.close()
