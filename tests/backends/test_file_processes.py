"""Several processes on one folder keep the same promises as one."""

from __future__ import annotations

import asyncio
import fcntl
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ropewalk.backends.file import FileBackend
from ropewalk.backends.file.layout import LOCK
from ropewalk.domain.change import Batch, Delete, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Invalid, Unavailable
from ropewalk.domain.health import State
from ropewalk.domain.query import Condition, Query
from ropewalk.domain.record import Key
from ropewalk.testing.samples import (
    SPACE,
    commits,
    everything,
    found,
    ids,
    key,
    put,
    read,
    soon,
    versions,
    write,
)

from ..forked import PIPE, Forked

HERE = Path(__file__).parent
EVERYONE = Query(space=None)


@asynccontextmanager
async def opened(
    root: Path, *, lock_timeout: float = 30.0, clock: FrozenClock | None = None
) -> AsyncGenerator[FileBackend, None]:
    """Hold a store open; each has its own lock, and so is to the others what a process is."""
    backend = FileBackend(root, clock=clock or FrozenClock(tick=0), lock_timeout=lock_timeout)
    await backend.open()
    try:
        yield backend
    finally:
        await backend.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder that is not there yet."""
    return tmp_path / "store"


@pytest.fixture
async def pair(root: Path) -> AsyncIterator[tuple[FileBackend, FileBackend]]:
    """Return two open stores on one folder."""
    async with opened(root) as one, opened(root) as other:
        yield one, other


@contextmanager
def neighbour(root: Path, work: str, times: int) -> Generator[Forked, None, None]:
    """Let another process work, once it has opened the store; it must end well."""
    command: list[str | Path] = [HERE / "file_neighbour.py", root, work, str(times)]
    process = Forked(command, stdout=PIPE, stderr=PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        out, err = process.communicate(timeout=60)
        assert (0, "done\n", "") == (process.returncode, out, err)
    finally:
        process.kill()
        process.wait()


@pytest.mark.seed("5.1", "5.2")
async def test_no_increment_of_three_processes_is_lost(root: Path) -> None:
    """Three processes that add one by compare-and-set, forty times each, make a hundred-twenty."""
    async with opened(root) as backend:
        with neighbour(root, "count", 40), neighbour(root, "count", 40):
            for _ in range(40):
                await soon(_add_one(backend))
        (record,) = await backend.get([Key("shared", "count", "counter")])
        assert record is not None
        assert (b"120", 120) == (record.body, record.version)
        assert [n + 1 for n in range(120)] == [commit.seq for commit in await commits(backend)]


async def _add_one(backend: FileBackend) -> None:
    counter = Key("shared", "count", "counter")
    while True:
        (record,) = await backend.get([counter])
        total = 0 if record is None else int(record.body or b"")
        version = 0 if record is None else record.version
        change = Put(key=counter, body=b"%d" % (total + 1), expect=version)
        try:
            await backend.apply(Batch((change,)))
        except Conflict:
            continue
        return


@pytest.mark.seed("5.1", "8.3")
async def test_nobody_sees_half_of_a_batch(root: Path) -> None:
    """While one process rewrites two records together, others always read them equal."""
    with (
        neighbour(root, "turn_over", 200),
        neighbour(root, "compare", 150),
        neighbour(root, "compare", 150),
    ):
        async with opened(root) as backend:
            assert (await backend.ping()).state is State.HEALTHY


@pytest.mark.seed("5.1")
async def test_each_sees_at_once_what_the_other_did(pair: tuple[FileBackend, FileBackend]) -> None:
    """What one has acknowledged the other reads, finds, counts and tells, without waiting."""
    one, other = pair
    await write(one, put("a", b"1", labels={"n": 1}, session_id="s"), put("b"))
    assert (await found(other, "a")).body == b"1"
    assert await ids(other, Query(space=SPACE, session_id="s")) == ["a"]
    await write(other, put("a", b"2", labels={"n": 2}), Delete(key=key("b")))
    assert [2, 0] == await versions(one, "a", "b")
    assert await ids(one, Query(space=SPACE, session_id="s")) == []
    assert await ids(one, Query(space=None, where=(Condition("labels.n", "eq", 2),))) == ["a"]
    assert (await one.tally(EVERYONE, ("n",)))[0].sums == (2,)
    assert await commits(one) == await commits(other)
    assert [1, 2] == [commit.seq for commit in await commits(one)]


@pytest.mark.seed("5.1")
async def test_expired_records_removed_by_one_are_gone_for_all(root: Path) -> None:
    """Removing what had expired tells nobody in the feed, and yet every process forgets it."""
    clock = FrozenClock(tick=0)
    expired = replace(EVERYONE, expired=True)
    async with opened(root, clock=clock) as one, opened(root, clock=clock) as other:
        await write(one, replace(put("a"), expires_at=clock.now() + 5), put("b"))
        clock.advance(10)
        assert await ids(other, expired) == ["a", "b"]
        applied = await one.apply(Batch((Delete(key=key("a")),)))
        assert applied.seq == 0
        assert ["b"] == await ids(other, expired) == await ids(one, expired)
        assert [1] == [commit.seq for commit in await commits(other)]
        assert (await other.apply(Batch((put("c"),)))).seq > 1
    async with opened(root, clock=clock) as again:
        assert await ids(again, expired) == ["b", "c"]


@pytest.mark.seed("4.4", "5.1", "8.3")
async def test_a_batch_is_known_to_all(pair: tuple[FileBackend, FileBackend]) -> None:
    """A retry at another process answers as the first time; its id is taken there too."""
    one, other = pair
    batch = Batch((put("a", expect=0), put("b", expect=0)))
    first = await one.apply(batch)
    assert replace(first, replayed=True) == await other.apply(batch)
    with pytest.raises(Invalid):
        await other.apply(Batch((put("c"),), id=batch.id))
    assert [1, 1, 0] == await versions(one, "a", "b", "c")


@pytest.mark.seed("5.1")
async def test_a_scan_goes_on_while_others_write(pair: tuple[FileBackend, FileBackend]) -> None:
    """A suspended scan keeps nobody out, and gives once what is there all the time."""
    one, other = pair
    await write(one, *[put(f"n{n:04}") for n in range(1_000)])
    scan = one.scan(Query(space=SPACE))
    seen = [(await anext(scan)).key.id]
    await soon(write(other, *[put(f"n{n:04}") for n in range(0, 999, 3)], Delete(key=key("n0999"))))
    seen += [record.key.id async for record in scan]
    assert [f"n{n:04}" for n in range(999)] == seen


@pytest.mark.seed("4.4", "5.2")
async def test_waiting_for_the_lock_has_an_end(root: Path) -> None:
    """While another holds the lock, every verb is `Unavailable` in time, and then works again."""
    async with opened(root, lock_timeout=0.2) as backend:
        await write(backend, put("a"))
        with (root / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            begin = time.monotonic()
            calls = [write(backend, put("a")), read(backend, "a"), ids(backend, EVERYONE)]
            answers = await soon(asyncio.gather(*calls, return_exceptions=True))
            # They wait at the same time, not one behind the other.
            assert time.monotonic() - begin < 5
            assert ["locked"] * 3 == [getattr(answer, "code", answer) for answer in answers]
            health = await backend.ping()
            assert (State.DEGRADED, True) == (health.state, "lock" in health.reasons[0])
        assert [1] == await versions(backend, "a")


@pytest.mark.seed("5.2")
async def test_readers_do_not_wait_for_readers(root: Path) -> None:
    """Who only reads shares the lock: another reader in the middle of its read stops nobody."""
    async with opened(root, lock_timeout=0.2) as backend:
        await write(backend, put("a"))
        with (root / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            assert [1] == await versions(backend, "a")
            with pytest.raises(Unavailable, match="lock_timeout"):
                await write(backend, put("a"))


@pytest.mark.seed("4.5", "5.2")
async def test_a_cancelled_caller_leaves_no_lock(root: Path) -> None:
    """Cancelled while it waits for another process, a batch is there or not, and nobody hangs."""
    async with opened(root) as backend, opened(root, lock_timeout=10) as other:
        with (root / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            task = asyncio.ensure_future(write(backend, put("a"), put("b")))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await soon(write(other, put("c"))) == (1,)
        assert await soon(versions(backend, "a", "b")) in ([0, 0], [1, 1])


@pytest.mark.seed("5.1", "5.2")
def test_a_fork_needs_a_store_of_its_own(root: Path) -> None:
    """What a forked process inherits is refused there instead of hanging; opened anew it works."""
    run = subprocess.run(
        [sys.executable, str(HERE / "file_forked.py"), str(root)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (0, "done\n", "") == (run.returncode, run.stdout, run.stderr)


async def test_closing_one_leaves_the_others_alone(root: Path) -> None:
    """Closing empties the journal that others work with, and they go on; so does who opens then."""
    async with opened(root) as one:
        async with opened(root) as other:
            await write(other, put("a"))
        await write(one, put("a"))
        async with opened(root) as third:
            assert [2] == await versions(third, "a")
            await write(third, put("a"))
        assert [3] == await versions(one, "a")
        assert len(await everything(one, EVERYONE)) == 1


@pytest.mark.seed("5.1")
async def test_many_processes_may_make_one_store(root: Path) -> None:
    """Ten that open an empty folder at once have one store between them."""
    backends = [FileBackend(root, clock=FrozenClock()) for _ in range(10)]
    await soon(asyncio.gather(*[backend.open() for backend in backends]))
    for n, backend in enumerate(backends):
        await write(backend, put(f"n{n}"))
    assert [len(await everything(backend, EVERYONE)) for backend in backends] == [10] * 10
    await soon(asyncio.gather(*[backend.close() for backend in backends]))
