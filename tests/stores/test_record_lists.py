"""Many records at once: lists, pages, streams, batches, and what keeps them apart."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime
from typing import Any

import pytest

from ropewalk.domain.change import Batch, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Corrupt, Invalid
from ropewalk.domain.limits import MAX_BATCH_CHANGES
from ropewalk.domain.ports import Backend, Capability, Sealer
from ropewalk.domain.query import NEWEST_FIRST, Order, Query
from ropewalk.domain.record import Key, Record
from ropewalk.layers.base import Layer
from ropewalk.stores.records import RecordStore

pytestmark = [pytest.mark.seed("1.1"), pytest.mark.seed("2.3"), pytest.mark.seed("4.2")]


async def fill(records: RecordStore, count: int) -> list[str]:
    """Save notes n00, n01 ... in one batch, so of one time: they are in the order of their ids."""
    return await records.save_many(
        {"id": f"n{n:02}", "type": "note", "data": {"n": n}, "metadata": {"third": n % 3}}
        for n in range(count)
    )


def ids(rows: Any) -> list[str]:  # noqa: ANN401 (rows of any kind of collection)
    """Return the ids of rows, in order."""
    return [row["id"] for row in rows]


async def test_a_list_is_oldest_first_and_bounded_by_its_limit(records: RecordStore) -> None:
    """Without a limit it is everything; filters count before the limit does."""
    everything = await fill(records, 12)
    assert everything == ids(await records.list())
    assert everything[:5] == ids(await records.list({}, 5))
    assert [] == await records.list({}, limit=0)
    assert ["n01", "n04"] == ids(await records.list({"metadata.third": 1}, limit=2))
    assert ["n10", "n11"] == ids(await records.list({"data.n": {"$gte": 10}}, limit=9))
    for limit in (-1, True, "3"):
        with pytest.raises(Invalid, match="limit"):
            await records.list({}, limit=limit)  # type: ignore[arg-type]


async def test_pages_join_to_the_list(records: RecordStore) -> None:
    """Cursors continue behind the last record, in both directions, with filters on the body."""
    everything = await fill(records, 11)
    for order, expected in ((Order(), everything), (NEWEST_FIRST, everything[::-1])):
        for filters in ({}, {"data.n": {"$ne": 4}}, {"metadata.third": {"$in": [0, 1]}}):
            wanted = set(ids(await records.list(filters)))
            found: list[str] = []
            cursor = None
            for _ in range(20):
                page = await records.page(filters, limit=3, cursor=cursor, order=order)
                found += ids(page)
                cursor = page.cursor
                if cursor is None:
                    break
            assert [id_ for id_ in expected if id_ in wanted] == found


async def test_a_page_has_bounds(records: RecordStore) -> None:
    """A page of nothing, a huge page and a cursor from elsewhere are refused."""
    for limit in (0, 1_001):
        with pytest.raises(Invalid, match="limit"):
            await records.page(limit=limit)
    with pytest.raises(Invalid, match="cursor"):
        await records.page(cursor="nonsense")


async def test_a_stream_goes_through_everything_once(records: RecordStore) -> None:
    """In batches of any size, and while others write between two of them."""
    everything = await fill(records, 10)
    for size in (1, 3, 10, 50):
        assert everything == ids([row async for row in records.stream(batch_size=size)])
    seen: list[str] = []
    async for row in records.stream({"type": "note"}, batch_size=2):
        seen.append(row["id"])
        await records.update(row["id"], {"data": {"seen": True}})
    assert everything == seen
    for size in (0, -1, MAX_BATCH_CHANGES + 1):
        with pytest.raises(Invalid, match="batch_size"):
            records.stream(batch_size=size)


class Counting(Layer):
    """Counts the records that were taken from the back end."""

    taken = 0

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Pass records on and count them."""
        async for record in self.below.scan(query):
            self.taken += 1
            yield record


async def test_a_stream_holds_one_batch(backend: Backend, sealer: Sealer) -> None:
    """However many records there are, only a batch of them is read ahead."""
    counting = Counting(backend)
    records = RecordStore(counting, sealer, FrozenClock(), space="here")
    await fill(records, 30)
    async for _ in records.stream(batch_size=5):
        assert 5 == counting.taken
        break


@pytest.mark.seed("8.2")
async def test_a_damaged_record_does_not_hide_the_others(
    records: RecordStore, backend: Backend
) -> None:
    """A stream that is told what to do with damage gives all the rest; else it is an error."""
    await fill(records, 5)
    [damaged] = await backend.get([Key("here", "note", "n02")])
    assert damaged is not None
    assert damaged.body is not None
    body = bytes([damaged.body[0] ^ 255]) + damaged.body[1:]
    await backend.apply(Batch((Put(key=damaged.key, body=body, seal=damaged.seal),)))
    for attempt in (records.load("n02"), records.list(), records.load_many(["n02"])):
        with pytest.raises(Corrupt) as caught:
            await attempt
        assert damaged.key == caught.value.facts["key"]
    told: list[Corrupt] = []
    rows = [row async for row in records.stream(batch_size=2, on_corrupt=told.append)]
    assert ["n00", "n01", "n03", "n04"] == ids(rows)
    assert [damaged.key] == [error.facts["key"] for error in told]
    assert 5 == await records.count()


async def test_many_are_saved_in_one_batch(records: RecordStore, backend: Backend) -> None:
    """One commit for all of them; of one id the last stays; ids come back in order."""
    given: list[dict[str, Any]] = [
        {"id": "a", "type": "note", "data": {"n": 1}},
        {"type": "note"},
        {"id": "a", "type": "note", "data": {"n": 2}},
    ]
    saved = await records.save_many(given)
    assert ["a", "a"] == [saved[0], saved[2]]
    commits = [commit async for commit in backend.feed()]
    assert [2] == [len(commit.changes) for commit in commits]
    loaded = await records.load_many([saved[1], "gone", "a"])
    assert ([saved[1], None, "a"], {"n": 2}) == (
        [row and row["id"] for row in loaded],
        (loaded[2] or {})["data"],
    )
    assert [] == await records.save_many([])
    assert [] == await records.load_many([])


async def test_one_wrong_record_stops_the_whole_batch(records: RecordStore) -> None:
    """Nothing is written if one of many cannot be."""
    with pytest.raises(Invalid, match="typ"):
        await records.save_many([{"type": "note"}, {"typ": "note"}])
    with pytest.raises(Invalid, match=r"data\.x"):
        await records.save_many([{"type": "note"}, {"type": "note", "data": {"x": object()}}])
    assert 0 == await records.count()


async def test_more_than_a_batch_goes_in_several(sealer: Sealer) -> None:
    """What is more than 10,000 records is cut into batches, in order."""
    from ropewalk.backends.memory import MemoryBackend

    clock = FrozenClock()
    backend = MemoryBackend(clock=clock)
    await backend.open()
    records = RecordStore(backend, sealer, clock, space="here")
    await fill(records, MAX_BATCH_CHANGES + 1)
    sizes = [len(commit.changes) async for commit in backend.feed()]
    assert [MAX_BATCH_CHANGES, 1] == sizes
    assert MAX_BATCH_CHANGES + 1 == await records.count()


async def test_many_are_deleted(records: RecordStore) -> None:
    """With a type or without; the answer counts those that were there."""
    await fill(records, 6)
    assert 2 == await records.delete_many(["n00", "gone", "n01", "n01"])
    assert 1 == await records.delete_many(["n02", "n00"], type="note")
    assert ["n03", "n04", "n05"] == ids(await records.list())
    assert 0 == await records.delete_many([])


async def test_many_ids_are_looked_up(records: RecordStore) -> None:
    """More ids than fit into one question are asked for in several."""
    await records.save_many({"id": f"i{n}", "type": "a" if n % 2 else "b"} for n in range(520))
    names = [f"i{n}" for n in range(519, -1, -1)]
    assert names == [row and row["id"] for row in await records.load_many(names)]


@pytest.mark.seed("5.3")
async def test_a_space_sees_only_itself(
    records: RecordStore, backend: Backend, sealer: Sealer
) -> None:
    """The same ids live apart, in every verb."""
    other = RecordStore(backend, sealer, FrozenClock(), space="there")
    await records.save({"id": "x", "type": "note", "data": {"of": "here"}})
    assert (None, False, 0, []) == (
        await other.load("x"),
        await other.exists("x"),
        await other.count(),
        await other.list(),
    )
    assert not await other.update("x", {"data": {"of": "there"}})
    assert not await other.delete("x")
    assert 0 == await other.delete_many(["x"])
    assert [] == await other.query("SELECT id FROM note")
    assert [] == [row async for row in other.stream()]
    await other.save({"id": "x", "type": "note", "data": {"of": "there"}})
    await other.transaction([{"op": "update", "id": "x", "data": {"data": {"n": 1}}}])
    assert [{"of": "here"}] == [row["data"] for row in await records.list()]
    assert [{"of": "there", "n": 1}] == [row["data"] for row in await other.list()]


async def test_what_has_expired_is_not_there(records: RecordStore, clock: FrozenClock) -> None:
    """From its `expires_at` on a record is absent for every verb, and its id is free."""
    moment = datetime.fromtimestamp(clock.now() // 1_000_000 + 60, tz=UTC)
    await records.save({"id": "x", "type": "note", "data": {"a": 1}, "expires_at": moment})
    assert await records.exists("x")
    clock.advance(61_000_000)
    assert (None, False, 0, []) == (
        await records.load("x"),
        await records.exists("x"),
        await records.count(),
        await records.query("SELECT id FROM note"),
    )
    assert not await records.update("x", {"data": {"b": 2}})
    assert not await records.delete("x")
    assert "x" == await records.save({"id": "x", "type": "note"}, expected_version=0)
    assert {} == (await records.load("x") or {})["data"]


@pytest.mark.seed("4.5")
async def test_a_cancelled_caller_leaves_no_half(records: RecordStore, backend: Backend) -> None:
    """Cancelled at any moment, a save of many is there as a whole or not at all."""
    for turns in range(12):
        name = f"round{turns}"
        work = [{"id": f"{name}-{n}", "type": name} for n in range(20)]
        task = asyncio.create_task(records.save_many(work))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        # A batch that was under way is finished before the next one.
        await records.save({"id": "after", "type": "after"})
        assert await records.count({"type": name}) in (0, 20)
    assert 13 > len([commit async for commit in backend.feed()]) - 12


@pytest.mark.seed("4.5")
async def test_an_abandoned_list_lets_the_back_end_go(records: RecordStore) -> None:
    """A stream left behind and a cancelled list do not stand in the way of anything."""
    await fill(records, 40)
    stream = records.stream(batch_size=2)
    assert "n00" == (await anext(stream))["id"]
    task = asyncio.create_task(records.list())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await records.delete("n39")
    assert 39 == await records.count()


class Plain(Layer):
    """A back end that counts nothing by itself."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """All but the power to tally."""
        return self.below.capabilities - {Capability.TALLY}

    async def tally(self, *_: Any, **__: Any) -> Any:  # noqa: ANN401 (never called)
        """Refuse, as a back end without the capability does."""
        raise Invalid("there is no tally here")


async def test_counting_works_without_a_tally(backend: Backend, sealer: Sealer) -> None:
    """A back end that cannot count is counted for, by headers."""
    records = RecordStore(Plain(backend), sealer, FrozenClock(), space="here")
    await fill(records, 7)
    assert (7, 3, 2) == (
        await records.count(),
        await records.count({"metadata.third": 0}),
        await records.count({"data.n": {"$in": [1, 2]}}),
    )


@pytest.mark.seed("4.4")
async def test_a_conflict_reaches_the_caller_as_it_is(records: RecordStore) -> None:
    """The error says which key, which version was expected, and which is there."""
    await records.save({"id": "x", "type": "note"})
    with pytest.raises(Conflict) as caught:
        await records.save({"id": "x", "type": "note"}, expected_version=5)
    facts = caught.value.facts
    assert (Key("here", "note", "x"), 5, 1) == (facts["key"], facts["expected"], facts["actual"])


def test_saving_and_listing_do_without_the_parser() -> None:
    """The parser of queries is imported by the first query, not before."""
    code = "import sys, ropewalk.stores.records; print({'apsw', 'sqlglot'} & {*sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "set()" == run.stdout.strip()


async def test_ids_and_types_are_checked(records: RecordStore) -> None:
    """An id or type that nothing can have is refused by name; one text is no list of ids."""
    wrong: Any = 5
    attempts: list[tuple[str, Awaitable[object]]] = [
        ("id must be text", records.load(wrong)),
        ("id must be text", records.exists(wrong)),
        ("id must be text", records.delete(wrong)),
        ("id must be text", records.load_many([wrong])),
        ("type must be text", records.load("a", type=wrong)),
        ("type must be text", records.update("a", {}, type=wrong)),
        ("type must be text", records.delete("a", type=wrong)),
        ("type must be text", records.delete_many(["a"], type=wrong)),
        ("several ids are a list", records.load_many("abc")),
        ("several ids are a list", records.delete_many("abc")),
    ]
    for says, attempt in attempts:
        with pytest.raises(Invalid, match=says):
            await attempt
    with pytest.raises(Invalid, match="operations must be a list"):
        await records.transaction({"op": "save"})  # type: ignore[arg-type]
