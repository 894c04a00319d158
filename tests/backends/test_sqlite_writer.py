"""Group commit: many batches are one transaction, and each of them stands or falls alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ropewalk.backends.sqlite import SqliteBackend, engine, functions, schema
from ropewalk.backends.sqlite.connection import Connection, Value
from ropewalk.backends.sqlite.opening import Sync, set_up
from ropewalk.backends.sqlite.patience import Patience
from ropewalk.backends.sqlite.pulse import Pulse
from ropewalk.backends.sqlite.writer import Write, Writer
from ropewalk.domain.change import Applied, Batch, Change, Check, Delete, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Invalid, RopewalkError, Unavailable
from ropewalk.domain.query import Query
from ropewalk.testing.samples import SPACE, commits, found, ids, key, put, read, soon, write


class Noting(Connection):
    """A connection that notes what it is told to do."""

    def __init__(self, path: str, patience: Patience, *, create: bool = False) -> None:
        super().__init__(path, patience, create=create)
        self.said: list[str] = []

    def run(self, statement: str, values: Sequence[Value] = ()) -> None:
        """Note the statement and run it."""
        self.said.append(statement)
        super().run(statement, values)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name the file of a store."""
    return tmp_path / "store.db"


@pytest.fixture
def connection(path: Path) -> Iterator[Noting]:
    """Open the writer's connection to a new store."""
    patience = Patience(5, threading.Event())
    with closing(Noting(str(path), patience, create=True)) as connection:
        set_up(connection, str(path), sync="normal", patience=patience)
        schema.migrate(connection, str(path))
        functions.register(connection)
        yield connection


@pytest.fixture
def writer(connection: Noting, path: Path) -> Writer:
    """Make the writer of a new store, without a thread."""
    return Writer(connection, str(path), clock=FrozenClock(), pulse=Pulse())


async def _serve(writer: Writer, *batches: tuple[Change, ...]) -> list[Applied | BaseException]:
    """Let the writer do some batches together, and return what their callers get."""
    errands = [Write(Batch(changes)) for changes in batches]
    writer.serve(errands)
    for errand in errands:
        errand.settle()
    return await asyncio.gather(*[errand.outcome() for errand in errands], return_exceptions=True)


def _types(answers: Sequence[object]) -> list[type]:
    return [type(answer) for answer in answers]


@pytest.mark.seed("4.2", "8.3")
async def test_many_batches_are_one_transaction(writer: Writer, connection: Noting) -> None:
    """Fifty batches that are taken together are begun once and committed once."""
    connection.said.clear()
    answers = await _serve(writer, *[(put(f"n{n}"),) for n in range(50)])
    assert list(range(1, 51)) == [a.seq for a in answers if isinstance(a, Applied)]
    assert (1, 1) == (connection.said.count("begin immediate"), connection.said.count("commit"))


@pytest.mark.seed("4.2", "8.3")
async def test_what_is_refused_before_it_writes_tears_nothing(
    writer: Writer, connection: Noting
) -> None:
    """A batch that is refused for what it expects costs its neighbours no statement."""
    connection.said.clear()
    answers = await _serve(writer, (put("a"),), (put("c"), put("b", expect=3)), (put("d"),))
    assert [Applied, Conflict, Applied] == _types(answers)
    assert (1, 0) == (
        connection.said.count("begin immediate"),
        connection.said.count("savepoint batch"),
    )
    assert [("a",), ("d",)] == connection.rows("select id from record order by id")


@pytest.mark.seed("4.4", "8.3")
async def test_what_is_refused_half_written_is_taken_back_alone(
    writer: Writer, connection: Noting
) -> None:
    """Where a part was written of a refused batch, all are done again so that it can be undone."""
    strange = Batch((Put(key=key("new"), thread_id="unheard of"),))
    object.__setattr__(strange, "actor", "\ud800")
    connection.said.clear()
    errands = [Write(Batch((put("a"),))), Write(strange), Write(Batch((put("a", expect=1),)))]
    writer.serve(errands)
    assert (2, 1, 3) == (
        connection.said.count("begin immediate"),
        connection.said.count("commit"),
        connection.said.count("savepoint batch"),
    )
    assert ((1,), (2,)) == (errands[0].result().versions, errands[2].result().versions)
    with pytest.raises(Invalid):
        errands[1].result()
    assert [("a",)] == connection.rows("select id from record")
    assert [] == connection.rows("select text from name where text = ?", ("unheard of",))
    assert [(1,), (2,)] == connection.rows("select seq from commits order by seq")


@pytest.mark.parametrize("loop_budget", [0.0, 3_600_000.0])
async def test_a_batch_that_waits_keeps_its_labels(path: Path, loop_budget: float) -> None:
    """Labels are written as they were at the call, whatever becomes of the caller's dictionary."""
    store = SqliteBackend(path, clock=FrozenClock(), loop_budget=loop_budget)
    await store.open()
    given: list[dict[str, str | int]] = [{"n": n, "t": "before"} for n in range(40)]
    tasks = [
        asyncio.ensure_future(write(store, put(f"n{n}", labels=labels)))
        for n, labels in enumerate(given)
    ]
    await asyncio.sleep(0)
    for labels in given:
        labels["t"] = "later"
    await asyncio.gather(*tasks)
    for n in range(40):
        assert {"n": n, "t": "before"} == dict((await found(store, f"n{n}")).labels)
    await store.close()


@pytest.mark.seed("4.4", "8.3")
async def test_a_refused_batch_touches_no_other(writer: Writer, connection: Noting) -> None:
    """A conflict, a value too strange and a used id fail alone; their neighbours are kept."""
    await _serve(writer, (put("taken"),))
    used = Batch((put("x"),), id="used")
    strange = Batch((put("e"),))
    # A batch refuses such an actor by itself; the writer does not rely on it.
    object.__setattr__(strange, "actor", "\ud800")
    errands = [
        Write(Batch((put("a"), put("b")))),
        Write(Batch((put("c"), put("taken", expect=0)))),
        Write(used),
        Write(Batch((put("d"),), id="used")),
        Write(strange),
        Write(Batch((put("f"), put("taken", expect=1)))),
    ]
    writer.serve(errands)
    for errand in errands:
        errand.settle()
    answers = await asyncio.gather(*[e.outcome() for e in errands], return_exceptions=True)
    assert [Applied, Conflict, Applied, Invalid, Invalid, Applied] == _types(answers)
    rows = connection.rows("select id from record order by id")
    assert ["a", "b", "f", "taken", "x"] == [id for (id,) in rows]
    assert connection.rows("select seq from commits order by seq") == [(1,), (2,), (3,), (4,)]


@pytest.mark.seed("5.2")
async def test_batches_of_one_group_see_each_other(writer: Writer) -> None:
    """Within a group batches come one by one: the second meets what the first did."""
    answers = await _serve(
        writer,
        (put("a", expect=0),),
        (put("a", expect=1),),
        (put("a", expect=1),),
        (Delete(key=key("a"), expect=2),),
    )
    assert [Applied, Applied, Conflict, Applied] == _types(answers)


@pytest.mark.seed("4.4")
async def test_a_retry_says_what_it_checked(path: Path) -> None:
    """A retry is answered as the first time; its id with other keys checked is refused."""
    store = SqliteBackend(path, clock=FrozenClock())
    await store.open()
    await write(store, put("a"), put("b"))
    checks = Check(key=key("a"), expect=1), Check(key=key("gone"), expect=0)
    batch = Batch((checks[0], put("b", expect=1), checks[1], put("c")))
    first = await store.apply(batch)
    assert ((1, 2, 0, 1), (1, 1, 0, 0)) == (first.versions, first.previous)
    await write(store, put("a"), put("gone"), put("c"))
    assert replace(first, replayed=True) == await store.apply(batch)
    for changes in (
        batch.changes[1:],
        (Check(key=key("other"), expect=1), *batch.changes[1:]),
        (*batch.changes, Check(key=key("other"), expect=0)),
        (checks[0], put("b", expect=1), checks[1], Check(key=key("c"), expect=0)),
    ):
        with pytest.raises(Invalid) as caught:
            await store.apply(Batch(changes, id=batch.id))
        assert caught.value.code == "batch_id_reused"
    told = [commit.changes for commit in await commits(store)]
    assert [["a", "b"], ["b", "c"], ["a", "gone", "c"]] == [
        [changed.key.id for changed in changes] for changes in told
    ]
    await store.close()


@pytest.mark.seed("4.4", "8.3")
async def test_a_full_disk_refuses_what_does_not_fit(writer: Writer, connection: Noting) -> None:
    """Where there is no room, the batch that does not fit is refused whole, the others are kept.

    The room is SQLite's own limit of pages: it reports it exactly as a full disk.
    """
    pages = connection.integer("select page_count from pragma_page_count")
    connection.pragma("max_page_count", pages + 20)
    giant = tuple(put(f"giant-{n}", b"x" * 50_000) for n in range(10))
    answers = await _serve(writer, (put("a"),), giant, (put("b"),))
    assert [Applied, Unavailable, Applied] == _types(answers)
    assert isinstance(answers[1], RopewalkError)
    assert answers[1].code == "full"
    assert "make room" in str(answers[1])
    assert [("a",), ("b",)] == connection.rows("select id from record order by id")
    assert connection.rows("pragma integrity_check") == [("ok",)]
    connection.pragma("max_page_count", 1_000_000)
    (again,) = await _serve(writer, giant)
    assert isinstance(again, Applied)


@pytest.mark.seed("8.5")
async def test_the_store_goes_on_when_there_is_room_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store without room still reads; the same batch goes through once there is room."""
    connections: list[Connection] = []

    def cramped(connection: Connection, path: str, *, sync: Sync, patience: Patience) -> None:
        set_up(connection, path, sync=sync, patience=patience)
        connection.pragma("max_page_count", 40)
        connections.append(connection)

    monkeypatch.setattr(engine, "set_up", cramped)
    store = SqliteBackend(path, clock=FrozenClock())
    await store.open()
    await write(store, put("before", b"kept"))
    batch = Batch((put("before", b"new"), put("big", b"x" * 1_000_000)))
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            await soon(store.apply(batch))
        assert caught.value.code == "full"
    assert (await found(store, "before")).body == b"kept"
    assert len(await commits(store)) == 1
    connections[0].pragma("max_page_count", 100_000)
    applied = await store.apply(batch)
    assert ((2, 1), False) == (applied.versions, applied.replayed)
    await store.close()


async def test_the_log_is_moved_into_the_file_as_one_writes(path: Path) -> None:
    """The WAL is checkpointed on the way and begins anew: it does not grow with what is written."""
    store = SqliteBackend(path, clock=FrozenClock())
    await store.open()
    for n in range(40):
        await write(store, put(f"n{n}", bytes([n]) * 1_000_000))
    wal = path.with_name("store.db-wal").stat().st_size
    assert path.stat().st_size > 30_000_000
    assert wal < 20_000_000
    await store.close()
    assert [path] == list(path.parent.iterdir())


@pytest.mark.parametrize(("sync", "level"), [("normal", 1), ("full", 2)])
async def test_how_safe_a_commit_is(path: Path, sync: Sync, level: int) -> None:
    """The option `sync` is what SQLite does: 1 for the process, 2 for the power as well."""
    patience = Patience(1, threading.Event())
    with closing(Connection(str(path), patience, create=True)) as connection:
        set_up(connection, str(path), sync=sync, patience=patience)
        assert level == connection.pragma("synchronous")


@pytest.mark.seed("4.4")
async def test_a_file_that_is_gone_keeps_nothing(path: Path) -> None:
    """Nothing is acknowledged into a file that was moved away; brought back, it goes on."""
    store = SqliteBackend(path, clock=FrozenClock())
    await store.open()
    await write(store, put("a"))
    away = path.rename(path.with_name("elsewhere.db"))
    with pytest.raises(Unavailable) as caught:
        await soon(write(store, put("b")))
    assert caught.value.code == "file_gone"
    path.touch()
    with pytest.raises(Unavailable):
        await soon(write(store, put("b")))
    away.rename(path)
    assert await write(store, put("b")) == (1,)
    await store.close()


@pytest.mark.seed("4.5")
async def test_a_cancelled_opening_leaves_nothing(path: Path) -> None:
    """Whoever stops waiting for a locked file to open is free at once, and so is the file."""
    with closing(Connection(str(path), Patience(1, threading.Event()), create=True)) as other:
        other.run("begin exclusive")
        threads = threading.active_count()
        store = SqliteBackend(path, clock=FrozenClock(), busy_timeout=600)
        opening = asyncio.create_task(store.open())
        while threading.active_count() == threads:  # noqa: ASYNC110 (a thread tells no event)
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening], timeout=60)
        assert opening.cancelled()
        with pytest.raises(Unavailable):
            await read(store, "a")
        other.run("commit")
    await soon(store.open())
    assert await write(store, put("a")) == (1,)
    await store.close()


@pytest.mark.seed("4.5", "8.3")
async def test_a_cancelled_closing_still_closes(path: Path) -> None:
    """Whoever stops waiting for a close leaves nothing half closed: what was accepted is kept."""
    store = SqliteBackend(path, clock=FrozenClock())
    await store.open()
    writing = [asyncio.create_task(write(store, put(f"n{n:02}"))) for n in range(20)]
    await asyncio.sleep(0)
    closing_it = asyncio.create_task(store.close())
    await asyncio.sleep(0)
    closing_it.cancel()
    await asyncio.wait([closing_it, *writing], timeout=60)
    assert closing_it.cancelled()
    assert [path] == list(path.parent.iterdir())
    with pytest.raises(Unavailable):
        await read(store, "n00")
    kept = [f"n{n:02}" for n, task in enumerate(writing) if task.exception() is None]
    await store.open()
    assert kept == await ids(store, Query(space=SPACE))
    await store.close()


def test_a_store_needs_memory_shared_between_processes() -> None:
    """Where SQLite cannot do without a rollback journal, the store is `Unavailable`, and why."""
    patience = Patience(1, threading.Event())
    with closing(Connection(":memory:", patience)) as connection:
        with pytest.raises(Unavailable) as caught:
            set_up(connection, "the file", sync="normal", patience=patience)
        assert caught.value.code == "no_wal"
        assert "local disk" in str(caught.value)


async def test_pages_end_early_where_bodies_are_big(path: Path) -> None:
    """Records of many megabytes are scanned all the same, a few at a time."""
    store = SqliteBackend(path, clock=FrozenClock())
    await store.open()
    for n in range(6):
        await write(store, put(f"n{n}", bytes([n]) * 5_000_000, labels={"n": -n}))
    query = Query(space=SPACE)
    bodies = [r.body[0] async for r in store.scan(query) if r.body and len(r.body) == 5_000_000]
    assert list(range(6)) == bodies
    await store.close()


@pytest.mark.parametrize("kinds", [3, 64, 65, 90])
async def test_a_space_of_many_kinds_is_one_list(path: Path, kinds: int) -> None:
    """All records of a space come in the order of time, however many kinds they are of."""
    store = SqliteBackend(path, clock=FrozenClock(tick=0))
    await store.open()
    changes = [
        Put(key=key(f"{n % 7}-{n}", kind=f"k{n % kinds}", space=space), created_at=n * 31 % 97)
        for n in range(300)
        for space in (SPACE, "other")
    ]
    await write(store, *changes)
    mine = [change for change in changes if change.key.space == SPACE]
    mine.sort(key=lambda change: (change.created_at, change.key.id, change.key.kind))
    query = Query(space=SPACE)
    assert [change.key.id for change in mine] == await ids(store, query)
    some = tuple(f"k{n}" for n in range(0, kinds, 2))
    expected = [change.key.id for change in mine if change.key.kind in some]
    assert expected == await ids(store, Query(space=SPACE, kinds=some))
    await store.close()
