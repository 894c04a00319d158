"""What stands beneath a confined handle lets nothing through that names another space."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Batch, Change, Check, Delete, Ensure, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Denied, Invalid
from ropewalk.domain.health import Health, State
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key, Record
from ropewalk.domain.seen import Counted, Seen
from ropewalk.domain.tally import Tally
from ropewalk.domain.verified import Damage
from ropewalk.layers.base import Layer
from ropewalk.services.sharing.fence import Fence
from ropewalk.services.storage import Storage

pytestmark = pytest.mark.seed("5.3")

MINE, THEIRS = Key("a", "note", "1"), Key("b", "note", "1")
FOREIGN = (Query(space="b"), Query(space=None), Query(space="b", kinds=("note",), bodies=False))
OWN = Put(key=MINE)


@pytest.fixture
async def base(clock: FrozenClock) -> AsyncIterator[Backend]:
    """A store with one record in each of two spaces, written by one commit and by two."""
    store = MemoryBackend(clock=clock)
    await store.open()
    await store.apply(Batch((Put(key=MINE), Put(key=THEIRS)), id="both"))
    await store.apply(Batch((Put(key=THEIRS, body=b"secret"),), id="theirs"))
    yield store
    await store.close()


@pytest.fixture
def fence(base: Backend) -> Fence:
    """The view of the first space."""
    return Fence(base, "a")


async def test_no_read_leaves_the_space(fence: Fence) -> None:
    """A key or a query of another space, or of every space, is refused without a word on it."""
    attempts = [fence.get([MINE, THEIRS]), fence.get([THEIRS], bodies=False)]
    attempts += [_scanned(fence, query) for query in FOREIGN]
    tallies = [fence.tally(query, (), ("space",)) for query in FOREIGN]
    for attempt in (*attempts, *tallies):
        with pytest.raises(Denied, match="confined to space 'a'") as refused:
            await attempt
        assert ("confined", {"space": "a"}) == (refused.value.code, refused.value.facts)


async def _scanned(fence: Fence, query: Query) -> list[Record | None]:
    return [record async for record in fence.scan(query)]


@pytest.mark.parametrize(
    "change",
    [Put(key=THEIRS), Delete(key=THEIRS), Ensure(key=THEIRS, stamp=9), Check(key=THEIRS, expect=2)],
)
async def test_no_write_leaves_the_space(fence: Fence, base: Backend, change: Change) -> None:
    """A batch with one foreign key does nothing at all, of its own keys neither."""
    before = await base.get([MINE, THEIRS])
    with pytest.raises(Denied):
        await fence.apply(Batch((OWN, change)))
    assert before == await base.get([MINE, THEIRS])


@pytest.mark.parametrize("query", FOREIGN)
async def test_no_expectation_leaves_the_space(fence: Fence, query: Query) -> None:
    """What is to be checked at a commit tells nothing of others by coming out differently."""
    for seen in (Seen(query, ()), Counted(query, (), (), (Tally((), 1, ()),))):
        with pytest.raises(Denied):
            await fence.apply(Batch((OWN,), seen=(seen,)))


async def test_the_feed_is_the_spaces_own(fence: Fence) -> None:
    """Of a commit in several spaces the own part is told, one elsewhere not at all."""
    told = [(commit.batch_id, [c.key for c in commit.changes]) async for commit in fence.feed()]
    assert [("both", [MINE])] == told


async def test_the_log_is_not_for_it(fence: Fence) -> None:
    """Forgetting commits would take them from others too."""
    assert 2 == await fence.changed(-1)
    with pytest.raises(Denied):
        await fence.trim(2)


class _Ailing(Layer):
    """A store whose health tells tales."""

    async def ping(self, *, thorough: bool = False) -> Health:
        """Name a record of another space."""
        told = (f"{THEIRS} is damaged",)
        facts: dict[str, str | int | float] = {"records": 7, "block_bytes": 4}
        records = (Damage(key=THEIRS, reason="flipped"), Damage(key=MINE, reason="flipped"))
        if not thorough:
            return Health(State.DEGRADED, told, facts)
        return Health(State.DEGRADED, told, facts, told, records)


async def test_health_is_told_without_tales(base: Backend) -> None:
    """State and measures of the back end come through, reasons and figures do not."""
    health = await Fence(_Ailing(base), "a").ping()

    assert State.DEGRADED == health.state
    assert {"block_bytes": 4} == dict(health.facts)
    assert "b" not in "".join(health.reasons).split("/")
    assert "damaged" not in "".join(health.reasons)
    thorough = await Fence(_Ailing(base), "a").ping(thorough=True)
    assert () == thorough.damages
    assert [MINE] == [damage.key for damage in thorough.records]


async def test_it_neither_opens_nor_closes(fence: Fence, base: Backend) -> None:
    """The store stays as it is: it belongs to its opener."""
    await fence.close()
    await fence.open()
    assert [None] == await fence.get([Key("a", "note", "2")])
    assert base.capabilities == fence.capabilities


@pytest.mark.seed("5.1")
async def test_a_confined_handle_stays_where_it_is(storage: Storage) -> None:
    """It gives no handle to another space, manages none, and moves or closes no store."""
    handle = storage.space("a")
    for name in ("b", "default"):
        with pytest.raises(Denied, match="confined to space 'a'"):
            handle.space(name)
    for work in (
        handle.spaces.list(),
        handle.spaces.counts(),
        handle.spaces.get("b"),
        handle.spaces.create("b"),
        handle.spaces.describe("b", "mine now"),
        handle.spaces.delete("b"),
        handle.spaces.delete("a"),
        handle.switch("memory://"),
    ):
        with pytest.raises(Denied):
            await work
    await handle.sessions.create(id="s")
    await handle.close()
    assert await handle.space("a").sessions.exists("s")
    assert "a" == (await handle.spaces.get("a")).name


async def test_a_handle_does_not_outlive_its_space(storage: Storage) -> None:
    """Whoever kept a handle to a deleted space writes no state that others could not read."""
    old = storage.space("a")
    await old.threads.create(id="t")
    await old.checkpoints.save("t", {"n": 1})
    await storage.spaces.delete("a")
    new = storage.space("a")
    await new.threads.create(id="t")

    with pytest.raises(Invalid, match="was deleted while this handle") as refused:
        await old.checkpoints.save("t", {"n": 2})
    await new.checkpoints.save("t", {"n": 3})
    with pytest.raises(Invalid, match="was deleted while this handle"):
        await old.checkpoints.save("t", {"n": 4})

    assert "stale_handle" == refused.value.code
    latest = await storage.space("a").checkpoints.latest("t")
    assert latest is not None
    assert {"n": 3} == latest.state
    assert [] == list((await new.checkpoints.verify()).damages)


async def test_many_begin_at_once(storage: Storage) -> None:
    """Of the first states of a space, saved all at once, each is kept: one makes the secret."""
    handles = [storage.space("a") for _ in range(2)]
    for n in range(6):
        await handles[0].threads.create(id=str(n))
    await asyncio.gather(
        *(handle.checkpoints.save(str(n), {"n": n}) for handle in handles for n in range(6))
    )
    assert [] == list((await storage.space("a").checkpoints.verify()).damages)
    assert {2} == {await storage.space("a").checkpoints.count(str(n)) for n in range(6)}
