"""Several processes, threads and event loops on one SQLite file: they share it, or are told no."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.change import Batch, Put
from ropewalk.domain.clock import FrozenClock, SystemClock
from ropewalk.domain.errors import Unavailable
from ropewalk.domain.health import State
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key
from ropewalk.testing.samples import SPACE, commits, found, ids, put, read, soon, write

from ..forked import PIPE, Forked

SCRIPT = Path(__file__).with_name("sqlite_neighbour.py")
PATIENCE = 60.0


class Neighbour:
    """Another process on the same file."""

    def __init__(self, process: Forked) -> None:
        self._process = process

    def hear(self) -> str:
        """Wait for its next word."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def tell(self) -> None:
        """Tell it to go on."""
        assert self._process.stdin is not None
        self._process.stdin.write("go on\n")
        self._process.stdin.flush()

    def end(self) -> tuple[int, str]:
        """Wait for its end; return its exit status and all that it still said."""
        said, _ = self._process.communicate(timeout=PATIENCE)
        return self._process.wait(), said


@contextmanager
def _neighbour(what: str, path: Path, number: int = 0) -> Generator[Neighbour]:
    with Forked([SCRIPT, what, path, str(number)], stdin=PIPE, stdout=PIPE) as process:
        try:
            yield Neighbour(process)
        finally:
            process.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name the file of a store."""
    return tmp_path / "store.db"


def _store(path: Path, *, busy_timeout: float = 30) -> SqliteBackend:
    return SqliteBackend(path, clock=SystemClock(), busy_timeout=busy_timeout)


@pytest.mark.seed("5.1", "5.2")
async def test_four_processes_create_one_store(path: Path) -> None:
    """Processes that open a new file at the same moment all succeed, on one and the same store."""
    with ExitStack() as stack:
        others = [stack.enter_context(_neighbour("create", path, n)) for n in range(4)]
        assert ["ready"] * 4 == [other.hear() for other in others]
        for other in others:
            other.tell()
        assert [(0, "")] * 4 == [other.end() for other in others]
    store = _store(path)
    await store.open()
    assert ["by-0", "by-1", "by-2", "by-3"] == sorted(await ids(store, Query(space=SPACE)))
    assert [1, 2, 3, 4] == [commit.seq for commit in await commits(store)]
    await store.close()


@pytest.mark.seed("5.1", "5.2", "8.3")
async def test_three_processes_lose_no_increment(path: Path) -> None:
    """Processes that add one by compare-and-set count right, and the feed has it in one line."""
    store = _store(path)
    await store.open()
    with ExitStack() as stack:
        others = [stack.enter_context(_neighbour("count", path, n)) for n in range(3)]
        assert ["ready"] * 3 == [other.hear() for other in others]
        for other in others:
            other.tell()
        assert [(0, "")] * 3 == [other.end() for other in others]
    record = await found(store, "counter")
    assert (b"120", 120) == (record.body, record.version)
    receipts = await ids(store, Query(space=SPACE, kinds=("receipt",)))
    assert {f"{n}-{m}" for n in range(3) for m in range(40)} == set(receipts)
    told = await commits(store)
    assert [1 + n for n in range(120)] == [commit.changes[0].version for commit in told]
    await store.close()


@pytest.mark.seed("4.4", "5.2")
async def test_a_lock_is_waited_for(path: Path) -> None:
    """While another process keeps the file locked reads go on, and writes wait until it lets go."""
    store = _store(path)
    await store.open()
    await write(store, put("a", b"old"))
    with _neighbour("lock", path) as other:
        assert other.hear() == "locked"
        writing = asyncio.create_task(write(store, put("a", b"new")))
        for _ in range(20):
            assert (await found(store, "a")).body == b"old"
        assert not writing.done()
        other.tell()
        assert await soon(writing) == (2,)
        assert other.end() == (0, "")
    assert (await found(store, "a")).body == b"new"
    await store.close()


@pytest.mark.seed("1.5", "4.4")
async def test_a_lock_that_stays_is_unavailable(path: Path) -> None:
    """After the deadline a write fails with a clear sentence, and works when the lock is gone."""
    store = _store(path, busy_timeout=0.2)
    await store.open()
    with _neighbour("lock", path) as other:
        assert other.hear() == "locked"
        batch = Batch((put("a"),))
        with pytest.raises(Unavailable) as caught:
            await soon(store.apply(batch))
        assert (True, "busy") == (caught.value.retryable, caught.value.code)
        assert "another process" in str(caught.value)
        other.tell()
        other.end()
    assert (await store.apply(batch)).versions == (1,)
    await store.close()


@pytest.mark.seed("5.1")
async def test_a_fork_is_kept_off_the_file(path: Path) -> None:
    """A forked child gets clear errors for the store and for any other on its file.

    It may close what it inherited, which touches nothing; the parent goes on, unharmed.
    """
    with _neighbour("fork", path) as other:
        status, said = await asyncio.to_thread(other.end)
    assert (0, "forked forked down closed\nhealthy\nchild ended with 0\n") == (status, said)
    store = _store(path)
    await store.open()
    assert (await store.get([Key("lab", "note", "counter")]))[0] is not None
    await store.close()


@pytest.mark.seed("5.1")
async def test_two_stores_in_one_process(path: Path) -> None:
    """Two stores on one file in one process see each other's commits at once."""
    one, two = _store(path), _store(path)
    await asyncio.gather(one.open(), two.open())
    for n in range(10):
        writer, reader = (one, two) if n % 2 else (two, one)
        await write(writer, put("a", b"%d" % n))
        assert (await found(reader, "a")).body == b"%d" % n
    await one.close()
    assert await write(two, put("a")) == (11,)
    await two.close()


@pytest.mark.seed("5.1")
def test_a_store_belongs_to_no_loop(path: Path) -> None:
    """It is opened on one event loop, used on that and on others, and closed on any of them."""
    store = SqliteBackend(path, clock=FrozenClock())
    with asyncio.Runner() as first:
        first.run(store.open())
        first.run(write(store, put("a")))
        with asyncio.Runner() as second:
            assert second.run(read(store, "a")) is not None
            assert State.HEALTHY is second.run(store.ping()).state
            second.run(write(store, put("b")))
            assert first.run(read(store, "b")) is not None
            second.run(store.close())
            with pytest.raises(Unavailable):
                first.run(read(store, "a"))
            second.run(store.open())
            assert first.run(read(store, "a")) is not None
        first.run(store.close())


def test_a_loop_that_is_gone_leaves_no_lock(path: Path) -> None:
    """A store whose loop ended without closing it is closed from the next, and nothing is lost."""
    store = SqliteBackend(path, clock=FrozenClock())

    async def begin() -> None:
        await store.open()
        task = asyncio.create_task(write(store, *[put(f"n{n}") for n in range(100)]))
        await asyncio.sleep(0)
        task.cancel()

    async def end() -> list[str]:
        await store.close()
        await store.open()
        await store.apply(Batch((Put(key=Key(SPACE, "note", "last")),)))
        there = await ids(store, Query(space=SPACE))
        await store.close()
        return there

    asyncio.run(begin())
    assert len(asyncio.run(end())) in (1, 101)
