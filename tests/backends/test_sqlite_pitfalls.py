"""Reading and writing on a loop has pitfalls; each of these tests guards against one of them.

Others are guarded elsewhere: the bug of old releases that reset the WAL (3), in
test_sqlite_health.py; refusals within a group (6) and what "full" means (13), in
test_sqlite_writer.py; gates (9) in test_sqlite_lane.py; forks and many processes (10), in
test_sqlite_processes.py; and cancellation at every moment (7), by `TaskContract`.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import apsw
import pytest

from ropewalk.backends.sqlite import SqliteBackend, schema
from ropewalk.backends.sqlite.connection import Connection
from ropewalk.backends.sqlite.glance import Glance
from ropewalk.backends.sqlite.opening import open_reader, set_up
from ropewalk.backends.sqlite.patience import Patience
from ropewalk.backends.sqlite.pulse import Pulse
from ropewalk.backends.sqlite.seat import Seat
from ropewalk.backends.sqlite.writer import Write, Writer
from ropewalk.domain.change import Batch
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Unavailable
from ropewalk.domain.query import Query
from ropewalk.testing.samples import SPACE, everything, found, ids, key, put, read, soon, write

from .waits import ENDLESS, PATIENCE


def _other(path: Path) -> Connection:
    return Connection(str(path), Patience(1, threading.Event()))


@pytest.mark.seed("4.2", "8.3")
async def test_pitfall_5_what_was_acknowledged_is_seen(store: SqliteBackend) -> None:
    """A batch that another loop was told is kept is seen at once, also within this turn."""
    await write(store, put("a", b"0"))
    for n in range(1, 10):
        await found(store, "a")
        await found(store, "a")

        def work(n: int = n) -> None:
            asyncio.run(write(store, put("a", b"%d" % n)))

        # This loop stands still meanwhile: to it, it is one turn.
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(PATIENCE)
        assert b"%d" % n == (await found(store, "a")).body


@pytest.mark.seed("4.2")
async def test_pitfall_5_a_read_does_not_make_a_write_stale(
    path: Path, store: SqliteBackend
) -> None:
    """A batch is never refused because this turn has read before somebody else wrote."""
    await write(store, put("a"))
    second = SqliteBackend(path, clock=FrozenClock())
    await second.open()
    for n in range(10):
        await found(store, "a")
        await soon(write(second, put("b")))
        await found(store, "a")
        assert (n + 2,) == await write(store, put("a"))
    await second.close()


@pytest.mark.seed("4.2")
async def test_pitfall_1_no_read_is_left_open(path: Path, store: SqliteBackend) -> None:
    """After a turn nothing of it keeps the WAL: not a record read, nor a scan that was left."""
    await write(store, *[put(f"n{n:03}", b"x" * 100) for n in range(300)])
    await found(store, "n001")
    async for _ in store.scan(Query(space=SPACE)):
        break
    await store.tally(Query(space=SPACE))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with closing(_other(path)) as other:
        assert 301 == other.integer("select count(*) from record")
        other.checkpoint(truncate=True)
    assert 0 == path.with_name("store.db-wal").stat().st_size


@pytest.mark.seed("4.2")
async def test_pitfall_1_a_loop_that_stands_still_keeps_no_wal(
    path: Path, store: SqliteBackend
) -> None:
    """While a loop is blocked in the middle of a turn, others write, and the WAL stays small."""

    async def write_much() -> None:
        for n in range(40):
            await write(store, put(f"n{n}", bytes([n]) * 1_000_000))

    await found(store, "first")
    await found(store, "first")
    thread = threading.Thread(target=asyncio.run, args=(write_much(),))
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert path.with_name("store.db-wal").stat().st_size < 20_000_000


def test_pitfall_2_an_interrupted_connection_goes_on(path: Path) -> None:
    """A read that takes too long is broken off, and the next one on its connection is whole."""
    with closing(Connection(str(path), Patience(1, threading.Event()), create=True)) as connection:
        connection.run("create table t (x); insert into t values (7)")
        seat = Seat(connection, Pulse(), None)
        for _ in range(3):
            assert seat.take()
            with pytest.raises(apsw.InterruptError):
                seat.read(lambda one: one.integer(ENDLESS), until=0.001)
            assert not connection.in_transaction
            assert 7 == seat.read(lambda one: one.integer("select x from t"), until=0.001)
            seat.leave()
        seat.let_go()
        connection.run("insert into t values (8)")


def test_pitfall_5_a_snapshot_is_no_older_than_the_last_commit(path: Path) -> None:
    """A snapshot holds until anybody commits, and not a read longer."""
    pulse = Pulse()
    with closing(Connection(str(path), Patience(1, threading.Event()), create=True)) as writer:
        writer.pragma("journal_mode", "wal")
        writer.run("create table t (x); insert into t values (1)")
        glance = Glance(_other(path))
        seat = Seat(_other(path), pulse, glance)
        assert seat.take()
        seen: list[int] = []
        for step in range(6):
            seen.append(seat.read(lambda one: one.integer("select max(x) from t"), until=1e9))
            if step % 2:
                writer.run("insert into t select max(x) + 1 from t")
        assert [1, 1, 2, 2, 3, 3] == seen
        seat.leave()
        seat.close()
        glance.close()


async def test_pitfall_1_no_snapshot_outlives_a_checkpoint(path: Path) -> None:
    """Before the WAL is moved, the writer ends what a loop that stands still has begun to read."""
    patience = Patience(5, threading.Event())
    connection = Connection(str(path), patience, create=True)
    set_up(connection, str(path), sync="normal", patience=patience)
    schema.migrate(connection, str(path))
    beside = [open_reader(str(path), patience) for _ in range(2)]
    writer = Writer(connection, str(path), clock=FrozenClock(), pulse=Pulse(), beside=beside)
    for n in range(40):
        seat = writer.seats[1]
        assert seat.take()
        seat.read(lambda one: one.integer("select count(*) from record"), until=1e9)
        seat.leave()
        writer.serve([Write(Batch((put(f"n{n}", b"x" * 1_000_000),)))])
        writer.rest()
    assert path.with_name("store.db-wal").stat().st_size < 20_000_000
    writer.leave()


@pytest.mark.seed("4.1", "4.2")
async def test_pitfall_2_what_is_long_is_done_by_a_thread(path: Path) -> None:
    """A question that would hold up the loop is broken off there, and answered all the same."""
    store = SqliteBackend(path, clock=FrozenClock(), loop_budget=0.05)
    await store.open()
    for n in range(20):
        await write(store, *[put(f"{n}-{m}", labels={"n": m}) for m in range(500)])
    query = Query(space=SPACE)
    turned = 0

    async def turn() -> None:
        nonlocal turned
        while True:
            turned += 1
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    for _ in range(5):
        before = turned
        assert 20 * 500 * 499 / 2 == (await store.tally(query, ("n",)))[0].sums[0]
        assert before + 1 < turned
    turning.cancel()
    await store.close()


@pytest.mark.seed("4.2")
async def test_pitfall_4_checkpoints_are_for_the_thread(
    path: Path, said: list[tuple[str, int]]
) -> None:
    """No checkpoint is on the loop, nor the first commit after one, which waits for the disk."""
    store = SqliteBackend(path, clock=FrozenClock(), loop_budget=3_600_000)
    await store.open()
    said.clear()
    for n in range(600):
        await write(store, put(f"n{n}", bytes([n % 256]) * 50_000))
    mine = threading.get_ident()
    steps = [step for step in said if step[0] in ("commit", "checkpoint")]
    assert 2 <= sum(statement == "checkpoint" for statement, _ in steps)
    assert all(thread != mine for statement, thread in steps if statement == "checkpoint")
    assert steps[0][1] != mine
    for before, after in pairwise(steps):
        if before[0] == "checkpoint":
            assert ("commit", True) == (after[0], after[1] != mine)
    assert 400 < sum(step == ("commit", mine) for step in steps)
    await store.close()


@pytest.mark.seed("4.2", "5.2")
async def test_pitfall_5_a_locked_file_does_not_stop_the_loop(path: Path) -> None:
    """While another process writes, a batch waits in the thread, and the loop turns and reads."""
    # Far longer than a test may take: whoever waited on the loop would wait to the end.
    store = SqliteBackend(path, clock=FrozenClock(), busy_timeout=3_600, loop_budget=3_600_000)
    await store.open()
    await write(store, put("a", b"old"))
    with closing(_other(path)) as other:
        other.run("begin immediate")
        writing = asyncio.create_task(write(store, put("a", b"new")))
        for _ in range(100):
            assert b"old" == (await found(store, "a")).body
            await asyncio.sleep(0)
        assert not writing.done()
        other.run("commit")
    assert (2,) == await soon(writing)
    assert b"new" == (await found(store, "a")).body
    await store.close()


@pytest.mark.seed("4.4", "8.3")
async def test_pitfall_6_a_refused_batch_is_told_at_once(store: SqliteBackend) -> None:
    """A conflict on the loop reaches its caller, and nothing of the batch is there."""
    for _ in range(3):
        with pytest.raises(Conflict):
            await write(store, put("new"), put("first", expect=0))
        assert await read(store, "new") is None
    assert (2,) == await write(store, put("first", expect=1))


@pytest.mark.seed("4.5")
async def test_pitfall_7_who_is_cancelled_in_time_writes_nothing(path: Path) -> None:
    """Of batches that wait for the end of the turn, those whose callers are gone are dropped."""
    store = SqliteBackend(path, clock=FrozenClock(), loop_budget=1e-9)
    await store.open()
    await write(store, put("first"))
    tasks = [asyncio.create_task(write(store, put(f"n{n}"))) for n in range(10)]
    cancelled: list[bool] = []
    loop = asyncio.get_running_loop()
    # In the same turn, behind all of them.
    loop.call_soon(lambda: cancelled.extend([task.cancel() for task in tasks[::2]]))
    await asyncio.wait(tasks)
    assert [True] * 5 == cancelled
    kept = [f"n{n}" for n in range(1, 10, 2)]
    assert ["first", *kept] == await ids(store, Query(space=SPACE))
    await store.close()


@pytest.mark.seed("4.1", "6.2")
@pytest.mark.parametrize("tasks", [1, 100])
async def test_pitfall_8_the_loop_turns_though_nobody_lets_it(path: Path, tasks: int) -> None:
    """Tasks that only read and write, one call after the other, let the loop turn all the same.

    Each call takes more than a microsecond: so many of them are far beyond any budget.
    """
    store = SqliteBackend(path, clock=FrozenClock(), loop_budget=1.0)
    await store.open()
    await write(store, put("a"))
    most = 1_000 * tasks
    calls = longest = 0
    done = False

    def turn() -> None:
        nonlocal calls, longest
        longest, calls = max(longest, calls), 0
        if not done:
            asyncio.get_running_loop().call_soon(turn)

    async def hammer(number: int) -> None:
        nonlocal calls
        for n in range(2_000 // tasks):
            await (write(store, put(f"w{number}")) if n % 10 == 0 else found(store, "a"))
            calls += 1

    turn()
    await soon(asyncio.gather(*[hammer(number) for number in range(tasks)]))
    done = True
    assert 0 < longest < min(most, 1_500)
    await store.close()


@pytest.mark.seed("4.2")
async def test_pitfall_8_what_waits_is_done_in_order(path: Path) -> None:
    """Reads that the turn had no time for are answered in the order in which they came."""
    store = SqliteBackend(path, clock=FrozenClock(), loop_budget=0.1)
    await store.open()
    await write(store, *[put(f"n{n}") for n in range(200)])
    answered: list[int] = []

    async def ask(n: int) -> None:
        await found(store, f"n{n}")
        answered.append(n)

    # The first one of a turn may still be done at once.
    await soon(asyncio.gather(*[ask(n) for n in range(200)]))
    assert list(range(200)) == answered
    await store.close()


@pytest.mark.seed("4.2")
async def test_pitfall_9_what_waits_is_counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches that wait for a turn's end are behind the gate: more than fits waits before it."""
    store = SqliteBackend(path, clock=FrozenClock(), loop_budget=1e-9)
    monkeypatch.setattr("ropewalk.backends.sqlite.lane.MOST", 5)
    await store.open()
    batches = [write(store, put(f"n{n}")) for n in range(50)]
    assert [(1,)] * 50 == await soon(asyncio.gather(*batches))
    answers = await soon(asyncio.gather(*[found(store, f"n{n}") for n in range(50)]))
    assert [f"n{n}" for n in range(50)] == [record.key.id for record in answers]
    await store.close()


@pytest.mark.seed("8.3")
async def test_pitfall_11_closing_finishes_what_waits(path: Path) -> None:
    """What was accepted before a close in the same turn is done, whoever closes."""
    for elsewhere in (False, True):
        store = SqliteBackend(path, clock=FrozenClock(), loop_budget=1e-9)
        await store.open()
        await asyncio.gather(*[write(store, put(f"warm-{n}")) for n in range(5)])
        begun = [asyncio.create_task(write(store, put(f"n{n}-{elsewhere}"))) for n in range(20)]
        begun += [asyncio.create_task(_versions(store, "warm-1")) for _ in range(20)]
        await asyncio.sleep(0)
        if elsewhere:
            # This loop stands still until the other one has closed the store.
            thread = threading.Thread(target=asyncio.run, args=(store.close(),))
            thread.start()
            thread.join(PATIENCE)
            assert not thread.is_alive()
        else:
            await store.close()
        answers = await soon(asyncio.gather(*begun))
        assert [(1,)] * 20 == answers[:20]
        assert 20 == len([answer for answer in answers[20:] if len(answer) == 1])
        with pytest.raises(Unavailable):
            await write(store, put("late"))
        with pytest.raises(Unavailable):
            await read(store, "warm-1")


async def _versions(store: SqliteBackend, *names: str) -> tuple[int, ...]:
    records = await store.get([key(name) for name in names])
    return tuple([record.version for record in records if record is not None])


async def test_pitfall_12_few_texts_make_few_statements(
    path: Path, said: list[tuple[str, int]]
) -> None:
    """However many records a page has, its statements are few, and stay compiled."""
    store = SqliteBackend(path, clock=FrozenClock(), loop_budget=3_600_000)
    await store.open()
    await write(store, *[put(f"n{n:02}", session_id=f"s{n % 7}") for n in range(64)])
    said.clear()
    for n in range(1, 33):
        await store.get([key(f"n{m:02}") for m in range(n)])
        for session in range(7):
            await everything(store, Query(space=SPACE, session_id=f"s{session}", limit=n))
    assert len({statement for statement, _ in said}) < 20
    await store.close()
