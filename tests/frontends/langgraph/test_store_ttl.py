"""Memories end with their time: reading may prolong it, and sweeping makes room."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from langgraph.store.base import PutOp, SearchOp, TTLConfig

import ropewalk
from ropewalk.domain.clock import FrozenClock
from ropewalk.frontends.langgraph import RopewalkStore
from ropewalk.services.storage import Storage

from .calling import WAYS, Caller

pytestmark = pytest.mark.seed("6.4")

MINUTE = 60_000_000
PATIENCE = 30.0


@pytest.fixture
def clock() -> FrozenClock:
    """Return a clock that is moved by hand."""
    return FrozenClock()


@pytest.fixture
async def storage(url: str, clock: FrozenClock) -> AsyncIterator[Storage]:
    """Return an open store on that clock."""
    async with ropewalk.open(url, clock=clock) as storage:
        yield storage


@pytest.fixture
def store(storage: Storage) -> RopewalkStore:
    """Return a store whose memories last ten minutes if nothing else is said."""
    return RopewalkStore(storage, ttl=TTLConfig(default_ttl=10, refresh_on_read=True))


@pytest.fixture(params=WAYS)
def call(request: pytest.FixtureRequest, store: RopewalkStore) -> Caller:
    """Return a way to call the store."""
    return Caller(store, request.param)


async def test_memories_end_with_their_time(call: Caller, clock: FrozenClock) -> None:
    """The default, a time of its own and none at all hold for get, search and listings."""
    await call("put", ("a",), "default", {"n": 1})
    await call("put", ("b",), "short", {"n": 2}, ttl=1)
    await call("put", ("c",), "never", {"n": 3}, ttl=None)
    clock.advance(2 * MINUTE)
    assert None is await call("get", ("b",), "short")
    keys = [i.key for i in await call("search", (), refresh_ttl=False)]
    assert ["never", "default"] == keys
    assert [("a",), ("c",)] == await call("list_namespaces")
    clock.advance(9 * MINUTE)
    assert [("c",)] == await call("list_namespaces")
    assert None is await call("get", ("a",), "default")
    assert {"n": 3} == (await call("get", ("c",), "never")).value


async def test_reading_prolongs(call: Caller, clock: FrozenClock) -> None:
    """A get and a search begin the time anew; asked not to, they do not; nothing else changes."""
    await call("put", ("a",), "read", {"n": 1})
    await call("put", ("a",), "peeked", {"n": 2})
    before = await call("get", ("a",), "read", refresh_ttl=False)
    clock.advance(6 * MINUTE)
    assert before == await call("get", ("a",), "read")
    assert None is not await call("get", ("a",), "peeked", refresh_ttl=False)
    clock.advance(6 * MINUTE)
    assert before == await call("get", ("a",), "read", refresh_ttl=False)
    assert None is await call("get", ("a",), "peeked")
    assert ["read"] == [i.key for i in await call("search", ("a",))]
    clock.advance(6 * MINUTE)
    assert before == await call("get", ("a",), "read", refresh_ttl=False)


async def test_the_configuration_may_say_not_to_prolong(
    storage: Storage, clock: FrozenClock
) -> None:
    """Without `refresh_on_read` only who asks for it prolongs."""
    store = RopewalkStore(storage, ttl=TTLConfig(default_ttl=10, refresh_on_read=False))
    await store.aput(("a",), "k", {"n": 1})
    clock.advance(6 * MINUTE)
    assert None is not await store.aget(("a",), "k")
    clock.advance(6 * MINUTE)
    assert None is await store.aget(("a",), "k")
    await store.aput(("a",), "k", {"n": 1})
    clock.advance(6 * MINUTE)
    assert None is not await store.aget(("a",), "k", refresh_ttl=True)
    clock.advance(6 * MINUTE)
    assert None is not await store.aget(("a",), "k")


async def test_putting_begins_anew(store: RopewalkStore, clock: FrozenClock) -> None:
    """A put gives the memory a new time, or takes it away; what ended is made, not changed."""
    await store.aput(("a",), "k", {"n": 1}, ttl=1)
    old = await store.aget(("a",), "k", refresh_ttl=False)
    clock.advance(2 * MINUTE)
    await store.aput(("a",), "k", {"n": 2}, ttl=None)
    clock.advance(99 * MINUTE)
    new = await store.aget(("a",), "k")
    assert old is not None
    assert new is not None
    assert ({"n": 2}, True) == (new.value, old.created_at < new.created_at)


async def test_sweeping_makes_room(store: RopewalkStore, clock: FrozenClock) -> None:
    """A sweep removes what has ended, counts it, and leaves the rest; again there is nothing."""
    await store.abatch([PutOp(("a",), str(n), {"n": n}, ttl=1) for n in range(600)])
    await store.aput(("a",), "stays", {"n": -1})
    assert 0 == await store.asweep_ttl()
    clock.advance(2 * MINUTE)
    assert 600 == store.sweep_ttl()
    assert 0 == await store.sweep_ttl()
    assert ["stays"] == [item.key for item in store.search(())]


async def test_vectors_end_with_their_memory(storage: Storage, clock: FrozenClock) -> None:
    """What has ended is not found by likeness; the sweep takes its vectors, too."""
    store = RopewalkStore(
        storage, index={"dims": 1, "embed": lambda texts: [[1.0] for _ in texts], "fields": ["t"]}
    )
    await store.aput(("a",), "ends", {"t": "x"}, ttl=1)
    await store.aput(("a",), "stays", {"t": "x"}, ttl=5)
    clock.advance(2 * MINUTE)
    assert ["stays"] == [item.key for item in await store.asearch(("a",), query="x")]
    assert 1 == await store.asweep_ttl()
    assert 1 == await storage.records.count({"type": "vector"})
    clock.advance(4 * MINUTE)
    # The search prolonged it, together with its vectors.
    assert ["stays"] == [item.key for item in await store.asearch(("a",), query="x")]


async def test_reads_of_one_batch_prolong_once(store: RopewalkStore, clock: FrozenClock) -> None:
    """Many reads of one memory, and a put beside a read, get along."""
    await store.aput(("a",), "k", {"n": 1})
    clock.advance(6 * MINUTE)
    found = await store.abatch([SearchOp(("a",)), SearchOp(("a",), limit=5), SearchOp(())])
    assert [1, 1, 1] == [len(items) for items in found]  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    clock.advance(6 * MINUTE)
    assert None is not await store.aget(("a",), "k")


@pytest.fixture
async def real(url: str) -> AsyncIterator[Storage]:
    """Return an open store on the machine's clock."""
    async with ropewalk.open(url) as storage:
        yield storage


@pytest.mark.parametrize("awaited", [True, False])
async def test_a_sweeper_sweeps(
    real: Storage, caplog: pytest.LogCaptureFixture, *, awaited: bool
) -> None:
    """Started, it removes what ends, in its thread; stopped, it is done; both can be awaited."""
    store = RopewalkStore(real, ttl=TTLConfig(sweep_interval_minutes=1))
    await store.aput(("a",), "ends", {}, ttl=0)
    await store.aput(("a",), "stays", {}, ttl=60)
    caplog.set_level(logging.DEBUG, logger="ropewalk.langgraph")
    running = store.start_ttl_sweeper(0.0005)
    if awaited:
        assert running is await store.start_ttl_sweeper()  # type: ignore[misc] # pyright: ignore[reportGeneralTypeIssues]
    deadline = datetime.now(UTC) + timedelta(seconds=PATIENCE)
    while "swept away 1 expired" not in caplog.text:
        assert datetime.now(UTC) < deadline
        await asyncio.sleep(0.01)
    assert not running.done()
    stopped = store.stop_ttl_sweeper(PATIENCE)
    assert await stopped if awaited else stopped
    assert running.done()
    assert store.stop_ttl_sweeper()
    assert ["stays"] == [item.key for item in await store.asearch(("a",))]
    assert 0 == await store.asweep_ttl()


async def test_a_sweeper_outlives_trouble(real: Storage, caplog: pytest.LogCaptureFixture) -> None:
    """A sweep that fails is logged, and the next one comes; leaving the block stops it."""
    async with RopewalkStore(real, ttl=TTLConfig(default_ttl=1)) as store:
        await real.close()
        with caplog.at_level(logging.ERROR, logger="ropewalk.langgraph"):
            running = store.start_ttl_sweeper(0.0001)
            deadline = datetime.now(UTC) + timedelta(seconds=PATIENCE)
            while len(caplog.records) < 2:
                assert datetime.now(UTC) < deadline
                await asyncio.sleep(0.01)
        assert not running.done()
    assert running.done()
    assert "could not be swept" in caplog.text


def test_without_a_configuration_nothing_is_swept(storage: Storage) -> None:
    """A store without `ttl` has no sweeper to start, and an interval must be one."""
    assert RopewalkStore(storage).start_ttl_sweeper().done()
    with RopewalkStore(storage, ttl=TTLConfig(default_ttl=1)) as store:
        with pytest.raises(ropewalk.Invalid, match="interval"):
            store.start_ttl_sweeper(-1)
        assert store.stop_ttl_sweeper()
