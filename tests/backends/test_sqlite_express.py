"""What is short is done on the caller's own loop, and nobody can tell but by the clock."""

# The type stubs of apsw name a class that Python has from 3.12 on only.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import apsw
import pytest

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.change import Batch, Change, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.labels import Label
from ropewalk.domain.query import NEWEST_FIRST, OLDEST_FIRST, Condition, Order, Query
from ropewalk.testing.samples import SPACE, everything, found, ids, key, put, read, soon, write

from .waits import PATIENCE


@pytest.mark.seed("4.2", "6.2")
async def test_what_is_short_needs_no_thread(path: Path, said: list[tuple[str, int]]) -> None:
    """Reads and commits of one task are done by the loop's own thread, in one turn of it."""
    store = SqliteBackend(path, clock=FrozenClock(), loop_budget=3_600_000)
    await store.open()
    await write(store, put("a"))
    turned = asyncio.Event()
    asyncio.get_running_loop().call_soon(turned.set)
    said.clear()
    for n in range(20):
        await write(store, put("a", b"%d" % n))
        assert b"%d" % n == (await found(store, "a")).body
        assert ["a"] == await ids(store, Query(space=SPACE, order=NEWEST_FIRST))
        assert 1 == (await store.tally(Query(space=SPACE)))[0].count
    assert {threading.get_ident()} == {thread for _, thread in said}
    assert not turned.is_set()
    await store.close()


@pytest.mark.seed("4.2")
async def test_one_snapshot_a_turn_and_none_behind_a_commit(
    path: Path, said: list[tuple[str, int]]
) -> None:
    """The reads of a turn share a snapshot; a commit ends it, and so does the turn."""
    store = SqliteBackend(path, clock=FrozenClock(), loop_budget=3_600_000)
    await store.open()
    await write(store, put("a"))
    await asyncio.sleep(0)
    said.clear()
    for _ in range(10):
        await store.get([key("a"), key("b")])
    await write(store, put("a"))
    for _ in range(10):
        await store.get([key("a"), key("b")])
    begun = [statement for statement, _ in said if statement.startswith("begin")]
    assert ["begin", "begin immediate", "begin"] == begun
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    said.clear()
    await store.get([key("a"), key("b")])
    assert "begin" == said[0][0]
    await store.close()


@pytest.mark.seed("6.2")
async def test_one_record_is_one_statement(path: Path, said: list[tuple[str, int]]) -> None:
    """A record by its key, or by its id, needs no snapshot once the names it has are known."""
    store = SqliteBackend(path, clock=FrozenClock(), loop_budget=3_600_000)
    await store.open()
    await write(store, Put(key=key("a"), session_id="s", thread_id="t"))
    by_id = Query(space=SPACE, where=(Condition("id", "eq", "a"),), order=Order("id"))
    await found(store, "a")
    for ask in (partial(found, store, "a"), partial(everything, store, by_id)):
        await ask()
        said.clear()
        await ask()
        assert ["select"] == [statement.split()[0] for statement, _ in said]
    await store.close()


@pytest.mark.seed("5.1")
async def test_no_turn_is_too_short_for_a_commit_of_others(path: Path) -> None:
    """What another handle or process was told is kept is seen at once, in this turn of the loop."""
    one, other = (SqliteBackend(path, clock=FrozenClock(), loop_budget=3_600_000) for _ in "12")
    await one.open()
    await other.open()
    await write(one, put("a"))
    await write(other, put("a"))
    turned = asyncio.Event()
    asyncio.get_running_loop().call_soon(turned.set)
    for version in range(2, 20):
        assert version == (await found(one, "a")).version
        await write(other, put("a"))
    stranger = apsw.Connection(str(path))
    stranger.execute("delete from record")
    stranger.close()
    assert await read(one, "a") is None
    assert not turned.is_set()
    await other.close()
    await one.close()


async def test_pages_end_between_records_of_one_moment(path: Path) -> None:
    """Records of one moment come in the order of their ids, wherever pages end among them."""
    store = SqliteBackend(path, clock=FrozenClock(tick=0))
    await store.open()
    for n in reversed(range(150)):
        await write(store, put(f"n{n:03}", session_id="s"))
    for order, names in ((OLDEST_FIRST, range(150)), (NEWEST_FIRST, range(149, -1, -1))):
        query = Query(space=SPACE, session_id="s", order=order, limit=20)
        seen: list[str] = []
        while records := await everything(store, query):
            seen += [record.key.id for record in records]
            query = replace(query, after=query.cursor(records[-1]))
        assert [f"n{n:03}" for n in names] == seen
    await store.close()


@pytest.mark.seed("6.2")
async def test_what_was_asked_before_is_asked_anew(path: Path) -> None:
    """The same question is answered for the present time, and one that only looks the same anew."""
    clock = FrozenClock()
    store = SqliteBackend(path, clock=clock)
    await store.open()
    values: dict[str, Label] = {"n": 1, "b": True, "t": "1", "f": 1.5}
    for name, value in values.items():
        await write(store, put(name, session_id="s", labels={"l": value}))
    late = clock.now() + 1_000
    await write(store, Put(key=key("late"), session_id="s", expires_at=late))
    of_session = Query(space=SPACE, session_id="s", limit=10)
    for _ in range(2):
        assert {*values, "late"} == {*await ids(store, of_session)}
        for name, value in values.items():
            where = (Condition("labels.l", "eq", value),)
            assert [name] == await ids(store, replace(of_session, where=where))
        assert ["late"] == await ids(
            store, replace(of_session, where=(Condition("labels.l", "eq", None),))
        )
    clock.advance(2_000)
    assert {*values} == {*await ids(store, of_session)}
    await store.close()


async def test_the_wal_is_moved_though_nobody_writes_on(
    path: Path, said: list[tuple[str, int]]
) -> None:
    """When the last batch has filled the WAL, the thread is told to move it."""
    store = SqliteBackend(path, clock=FrozenClock(), loop_budget=3_600_000)
    await store.open()
    wal = path.with_name("store.db-wal")
    number = 0
    while wal.stat().st_size < 2_000 * (4_096 + 24):
        await write(store, put(f"n{number}", b"x" * 50_000))
        number += 1
    assert ("commit", threading.get_ident()) == [step for step in said if step[0] == "commit"][-1]

    async def moved() -> None:
        while not any(statement == "checkpoint" for statement, _ in said):  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    await soon(moved())
    await store.close()


@pytest.mark.seed("4.5", "5.1")
async def test_who_comes_from_a_second_loop_uses_the_threads(store: SqliteBackend) -> None:
    """In the middle of this loop's turn, others read and write, and this one goes on."""
    await found(store, "first")

    answers: list[list[str]] = []

    async def work(n: int) -> None:
        await write(store, put(f"n{n}"))
        answers.append(await ids(store, Query(space=SPACE)))

    for n in range(5):
        # This loop stands still meanwhile.
        thread = threading.Thread(target=asyncio.run, args=(work(n),))
        thread.start()
        thread.join(PATIENCE)
        assert ["first", *[f"n{m}" for m in range(n + 1)]] == answers[-1]
        assert answers[-1] == await ids(store, Query(space=SPACE))


async def test_a_big_batch_is_for_the_thread(path: Path, said: list[tuple[str, int]]) -> None:
    """A batch of many changes or bytes is not written by the loop."""
    store = SqliteBackend(path, clock=FrozenClock(), loop_budget=3_600_000)
    await store.open()
    await write(store, put("a"))
    batches: list[tuple[Change, ...]] = [
        tuple(put(f"n{n}") for n in range(100)),
        (put("big", b"x" * 100_000),),
    ]
    for changes in batches:
        said.clear()
        await store.apply(Batch(changes))
        assert threading.get_ident() not in {thread for _, thread in said}
    await store.close()


@pytest.mark.parametrize(("sync", "mine"), [("normal", True), ("full", False)])
async def test_what_must_reach_the_disk_is_for_the_thread(
    path: Path, said: list[tuple[str, int]], sync: str, *, mine: bool
) -> None:
    """With "full" every commit waits for the disk, and never on the loop."""
    store = SqliteBackend.from_url(
        f"sqlite:///{path}?sync={sync}&loop_budget=3600000", clock=FrozenClock()
    )
    await store.open()
    await write(store, put("a"))
    said.clear()
    await store.apply(Batch((Put(key=key("b")),)))
    committed = [thread for statement, thread in said if statement == "commit"]
    assert [mine] == [thread == threading.get_ident() for thread in committed]
    await store.close()


async def test_without_a_budget_everything_is_for_threads(
    path: Path, said: list[tuple[str, int]]
) -> None:
    """A budget of 0 keeps SQLite off the loop altogether."""
    store = SqliteBackend(path, clock=FrozenClock(), loop_budget=0)
    await store.open()
    for n in range(5):
        await write(store, put(f"n{n}"))
        await found(store, f"n{n}")
        await everything(store, Query(space=SPACE))
        await store.tally(Query(space=SPACE))
    assert said
    assert threading.get_ident() not in {thread for _, thread in said}
    await store.close()
