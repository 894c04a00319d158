"""A store that lost most of its records makes its file small again, and forgets their names."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.backends.sqlite.connection import Connection
from ropewalk.backends.sqlite.lane import Errand, Lane
from ropewalk.backends.sqlite.patience import Patience
from ropewalk.backends.sqlite.tidying import Tidying
from ropewalk.domain.change import Batch, Change, Delete, Ensure, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.health import State
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key
from ropewalk.testing.samples import SPACE, everything, ids, key, put, write

MANY: Final = 600
DEADLINE: Final = 60.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name the file of a store."""
    return tmp_path / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteBackend]:
    """Open a store on a new file."""
    store = SqliteBackend(path, clock=FrozenClock())
    await store.open()
    yield store
    await store.close()


def _changes() -> list[Put | Ensure]:
    plain = [put(f"n{n:05}", b"%d" % n * 300, session_id=f"s{n}") for n in range(MANY)]
    lean = [
        Ensure(key=Key(SPACE, "node", f"f.{n * 7919:024x}"), stamp=1, body=b"%d" % n * 300)
        for n in range(MANY)
    ]
    return [*plain, *lean]


async def _shrunk(path: Path, size: int) -> bool:
    """Wait until a file is smaller than `size`: the writer's thread tells no event."""
    end = asyncio.get_running_loop().time() + DEADLINE
    while path.stat().st_size >= size:
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(0.01)
    return True


def _texts(path: Path) -> set[object]:
    with closing(Connection(str(path), Patience(5, threading.Event()))) as connection:
        return {text for (text,) in connection.rows("select text from name")}


async def test_a_file_shrinks_while_nobody_writes(store: SqliteBackend, path: Path) -> None:
    """When nine records of ten are gone, the file gives their room back by itself, unasked.

    What is left is as it was; a store that is being written to meanwhile goes on.
    """
    changes = _changes()
    await write(store, *changes)
    full = await everything(store, Query(space=SPACE))
    await store.close()
    size = path.stat().st_size
    await store.open()
    gone: list[Change] = [Delete(key=c.key) for n, c in enumerate(changes) if n % 10]
    await write(store, *gone)
    assert path.stat().st_size >= size
    assert await _shrunk(path, size // 2)
    await write(store, put("after"))
    kept = [record for record in full if record.key not in {change.key for change in gone}]
    assert kept == (await everything(store, Query(space=SPACE)))[:-1]
    assert (await store.ping()).state is State.HEALTHY


@pytest.mark.parametrize("share", [10, 100])
async def test_a_file_shrinks_when_it_is_closed(
    store: SqliteBackend, path: Path, share: int
) -> None:
    """Closing right after a great loss leaves no free page; pages that are mostly empty are merged.

    The file is sound, and opens with what was left.
    """
    changes = _changes()
    await write(store, *changes)
    await store.close()
    size = path.stat().st_size
    await store.open()
    kept = [change.key.id for n, change in enumerate(changes) if n % share == 0]
    await write(store, *[Delete(key=c.key) for n, c in enumerate(changes) if n % share])
    await store.close()
    with closing(Connection(str(path), Patience(5, threading.Event()))) as connection:
        assert connection.integer("pragma freelist_count") == 0
        assert connection.rows("pragma integrity_check") == [("ok",)]
    assert path.stat().st_size < size // 3
    await store.open()
    assert sorted(kept) == sorted(await ids(store, Query(space=SPACE)))


def _opened(path: Path) -> Connection:
    connection = Connection(str(path), Patience(60, threading.Event()), create=True)
    connection.pragma("auto_vacuum", "incremental")
    connection.pragma("journal_mode", "wal")
    connection.run("create table filler (n integer primary key, body blob not null)")
    connection.run(
        "with recursive c(n) as (select 1 union all select n + 1 from c where n < 1000) "
        "insert into filler select n, zeroblob(4000) from c"
    )
    return connection


def _empty(connection: Connection, share: str) -> None:
    connection.run(f"delete from filler where {share}")  # noqa: S608


def test_room_that_is_soon_used_again_is_kept(path: Path) -> None:
    """A few free pages stay; more than that go, in short steps, until there are none."""
    with closing(_opened(path)) as connection:
        tidying = Tidying(connection)
        free: Callable[[], int] = lambda: connection.integer("pragma freelist_count")  # noqa: E731
        assert not tidying.has_work(0)
        _empty(connection, "n <= 20")
        assert tidying.has_work(20)
        assert tidying.give_back(20) is None
        assert (True, False) == (free() > 0, tidying.has_work(20))
        _empty(connection, "n <= 700")
        before = free()
        assert tidying.give_back(700) == 0.0
        assert 0 < free() < before
        while tidying.give_back(700) is not None:
            assert tidying.has_work(700)
        assert (0, False) == (free(), tidying.has_work(700))


def test_another_writer_is_not_waited_for_long(path: Path) -> None:
    """While another connection writes, giving back is put off, and is no trouble."""
    with closing(_opened(path)) as connection:
        tidying = Tidying(connection)
        _empty(connection, "n <= 700")
        with closing(Connection(str(path), Patience(0, threading.Event()))) as other:
            other.run("begin immediate")
            wait = tidying.give_back(700)
            assert wait is not None
            assert wait > 0
            other.run("rollback")
        assert tidying.give_back(700) == 0.0


class Tidier:
    """Somebody in a lane who has three more things to do after each round."""

    def __init__(self) -> None:
        self.rests: list[int] = []
        self.left = 0
        self.done = threading.Event()

    def serve(self, errands: list[Errand[None]]) -> None:
        """Do what is asked, and have something left to do."""
        for errand in errands:
            errand.set_result(None)
        self.left = 3

    def rest(self) -> float | None:
        """Do one thing, and say whether there are more."""
        self.rests.append(self.left)
        if not self.left:
            self.done.set()
            return None
        self.left -= 1
        return 0.0

    def leave(self) -> None:
        """Have nothing to close."""


async def test_a_lane_rests_as_often_as_is_wanted() -> None:
    """Who has more to do while nobody comes is called again, and at last waits for errands."""
    tidier = Tidier()
    lane: Lane[Errand[None]] = Lane(lambda: tidier, name="tidier", most_at_once=1)
    await lane.start()
    await lane.send(Errand())
    assert await asyncio.to_thread(tidier.done.wait, DEADLINE)
    lane.close()
    await asyncio.to_thread(lane.join)
    assert [3, 2, 1, 0] == tidier.rests


async def test_names_go_with_their_last_record(store: SqliteBackend, path: Path) -> None:
    """A session's and a thread's id leave the file when the last record has left them."""
    one = Put(key=key("a"), session_id="my session", thread_id="my thread")
    two = Put(key=key("b"), session_id="my session")
    await write(store, one, two)
    assert {"my session", "my thread"} <= _texts(path)
    await write(store, Put(key=key("a"), session_id="my session"))
    assert {"my session"} == _texts(path) & {"my session", "my thread"}
    await write(store, Delete(key=key("a")), Delete(key=key("b")))
    assert set() == _texts(path) & {"my session", "my thread"}


async def test_a_name_that_comes_back_is_found(store: SqliteBackend) -> None:
    """An id that was forgotten and is used again finds the new records, for every reader."""
    for _ in range(3):
        for thread in ("t", "u"):
            await write(store, Put(key=key(thread), thread_id=thread))
            assert [thread] == await ids(store, Query(space=SPACE, thread_id=thread))
        await write(store, Delete(key=key("t")), Delete(key=key("u")))
        assert [] == await ids(store, Query(space=SPACE, thread_id="t"))


async def test_a_refused_batch_leaves_no_name(store: SqliteBackend, path: Path) -> None:
    """A number given in a batch that is undone is free for the next, which means something else."""
    await write(store, put("there"))
    batches = [
        Batch((Put(key=key("x"), thread_id="undone"), put("there", expect=7))),
        Batch((Put(key=key("y"), thread_id="done"),)),
    ]
    answers = await asyncio.gather(*map(store.apply, batches), return_exceptions=True)
    assert [True, False] == [isinstance(answer, Exception) for answer in answers]
    assert [] == await ids(store, Query(space=SPACE, thread_id="undone"))
    assert ["y"] == await ids(store, Query(space=SPACE, thread_id="done"))
    assert {"done"} == _texts(path) & {"done", "undone"}


async def test_two_stores_agree_on_names(store: SqliteBackend, path: Path) -> None:
    """What one store forgets and names anew, another on the same file writes and reads rightly."""
    other = SqliteBackend(path, clock=FrozenClock())
    await other.open()
    await write(store, Put(key=key("a"), thread_id="t"))
    await write(other, Put(key=key("b"), thread_id="t"))
    await write(other, Delete(key=key("a")), Delete(key=key("b")))
    await write(other, Put(key=key("c"), thread_id="u"))
    await write(store, Put(key=key("d"), thread_id="t"))
    for each in (store, other):
        assert ["c"] == await ids(each, Query(space=SPACE, thread_id="u"))
        assert ["d"] == await ids(each, Query(space=SPACE, thread_id="t"))
    await other.close()


async def test_the_file_is_lean(store: SqliteBackend, path: Path) -> None:
    """What a record, a node and a commit cost beside their bodies stays as small as promised."""
    await store.close()
    empty = path.stat().st_size
    assert empty <= 15 * 8_192
    await store.open()
    count, thread = 400, "01980000-0000-7000-8000-000000000001"
    ids_of_batches = iter(
        f"{n * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}" for n in range(count)
    )
    for n, batch_id in enumerate(ids_of_batches):
        digits = f"{n * 0xD1342543DE82EF95A0761D6478BD642F % 2**96:024x}"
        changes = (
            put("head"),
            Ensure(key=Key(SPACE, "node", f"{thread}.{digits}"), stamp=1, body=bytes(500)),
            Put(
                key=Key(SPACE, "checkpoint", f"01980000-0000-7000-8000-{n:012x}"),
                thread_id=thread,
                labels={"size": 712},
                body=bytes(230),
            ),
        )
        await store.apply(Batch(changes, id=batch_id))
    await store.close()
    with closing(Connection(str(path), Patience(5, threading.Event()))) as connection:
        sums = {
            name: connection.integer(
                f"select sum(pgsize - unused) from dbstat where name glob '{name}*'"  # noqa: S608
            )
            / count
            for name in ("record", "node", "commits")
        }
    assert sums["node"] < 500 + 60
    assert sums["record"] < 230 + 200
    assert sums["commits"] < 130
