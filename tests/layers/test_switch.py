"""A switch carries everything over, and whoever reads meanwhile goes on where he was."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Batch, Change, Delete, Ensure, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Denied
from ropewalk.domain.health import State
from ropewalk.domain.query import NEWEST_FIRST, Order, Query
from ropewalk.domain.record import Key
from ropewalk.domain.tally import Tally
from ropewalk.layers.epoch import RESERVED
from ropewalk.layers.switch import SwitchLayer
from ropewalk.testing.faults import Slow
from ropewalk.testing.samples import (
    commits,
    drain,
    everything,
    found,
    ids,
    key,
    put,
    soon,
    versions,
    write,
)

from .restless import until_writers_wait

pytestmark = pytest.mark.seed("1.4")

EVERYTHING = Query(space=None, expired=True)


async def _fill(layer: SwitchLayer, clock: FrozenClock) -> None:
    """Write records of every form, several times, and delete some."""
    now = clock.now()
    full = Put(
        key=Key("other", "kind", "ünï\0"),
        body=b"\0body",
        seal="raw",
        labels={"n": 1, "f": 0.5, "t": True, "s": ""},
        session_id="s",
        thread_id="t",
        created_at=-7,
        updated_at=12,
        expires_at=now + 10_000_000,
    )
    await write(layer, full, Ensure(key=key("node"), stamp=9, body=b"n"))
    await write(layer, put("gone"), put("a", b"1"), Put(key=key("brief"), expires_at=now + 10))
    for n in range(5):
        await write(layer, put("a", b"%d" % n, labels={"n": n}))
    await write(layer, Delete(key=key("gone")), put("again"))
    await write(layer, Delete(key=key("again")))
    await write(layer, put("again", b"reborn"))
    clock.advance(100)


async def test_everything_is_carried_over(
    layer: SwitchLayer, memory: MemoryBackend, target: MemoryBackend, clock: FrozenClock
) -> None:
    """Bodies, labels, parents, times, versions and what has expired are as they were."""
    await _fill(layer, clock)
    before = await everything(layer, EVERYTHING)
    feed = await commits(layer)
    moved = await layer.switch(target)
    assert layer.below is target
    assert before == await everything(layer, EVERYTHING)
    assert feed == await commits(layer)
    assert [9, 6, 1] == [(await found(layer, id)).version for id in ("node", "a", "again")]
    assert (5, len(feed)) == (moved.records, moved.commits)
    assert State.DOWN is (await memory.ping()).state
    assert State.HEALTHY is (await layer.ping()).state


async def test_an_expectation_from_before_holds_after(
    layer: SwitchLayer, target: MemoryBackend
) -> None:
    """Whoever read a version before the switch may write with it after, once."""
    await write(layer, put("a"))
    await write(layer, put("a"))
    await layer.switch(target)
    assert (3,) == await write(layer, put("a", expect=2))
    with pytest.raises(Conflict):
        await write(layer, put("a", expect=2))


@pytest.mark.parametrize("order", [Order("id"), NEWEST_FIRST, Order("updated_at")])
async def test_a_suspended_scan_goes_on_in_the_new_store(
    layer: SwitchLayer, memory: MemoryBackend, target: MemoryBackend, order: Order
) -> None:
    """It ends with every record once, though the old store was closed in the middle."""
    for n in range(40):
        await write(layer, put(f"n{n:02}", b"%d" % n))
    query = Query(space="lab", order=order)
    expected = await everything(layer, query)
    scan = layer.scan(query)
    first = [await anext(scan) for _ in range(15)]
    await layer.switch(target)
    assert State.DOWN is (await memory.ping()).state
    # What moves ahead of the scan was seen already.
    await write(layer, put("n00", b"late"), put("n39", b"late"))
    rest = [record async for record in scan]
    assert [r.key for r in expected] == [r.key for r in (*first, *rest)]


async def test_a_limit_counts_across_a_switch(layer: SwitchLayer, target: MemoryBackend) -> None:
    """A scan of ten records gives ten, however many of them came from the old store."""
    await write(layer, *[put(f"n{n:02}") for n in range(30)])
    scan = layer.scan(Query(space="lab", limit=10, bodies=False))
    first = [await anext(scan) for _ in range(4)]
    await layer.switch(target)
    rest = [record async for record in scan]
    assert [f"n{n:02}" for n in range(10)] == [r.key.id for r in (*first, *rest)]
    assert [None] * 10 == [r.body for r in (*first, *rest)]


async def test_a_scan_abandoned_across_a_switch_leaves_nothing(
    layer: SwitchLayer, target: MemoryBackend
) -> None:
    """A scan that nobody continues keeps neither store."""
    await write(layer, *[put(f"n{n:02}") for n in range(30)])
    async for _ in layer.scan(Query(space="lab")):
        await layer.switch(target)
        break
    await soon(layer.close())


async def test_a_feed_goes_on_behind_the_number_it_was_at(
    layer: SwitchLayer, target: MemoryBackend
) -> None:
    """No commit is told twice and none is left out, suspended or begun anew at any number."""
    batches = [Batch((put(f"n{n}"),), actor=f"a{n}") for n in range(20)]
    for batch in batches[:10]:
        await layer.apply(batch)
    feed = layer.feed()
    told = [await anext(feed) for _ in range(4)]
    await layer.switch(target)
    answers = [await layer.apply(batch) for batch in batches[10:]]
    told += [commit async for commit in feed]
    assert [b.id for b in batches] == [commit.batch_id for commit in told]
    assert [b.actor for b in batches] == [commit.actor for commit in told]
    numbers = [commit.seq for commit in told]
    assert sorted(set(numbers)) == numbers
    assert [a.seq for a in answers] == numbers[10:]
    for index in (0, 3, 8, 9, 10, 18, 19):
        assert told[index + 1 :] == await commits(layer, numbers[index])


async def test_numbers_go_on_after_a_restart(
    layer: SwitchLayer, target: MemoryBackend, clock: FrozenClock
) -> None:
    """Whoever opens the new store later reads the same feed with the same numbers."""
    await _fill(layer, clock)
    await layer.switch(target)
    await write(layer, put("late"))
    told = await commits(layer)
    restarted = SwitchLayer(target)
    await restarted.open()
    assert told == await commits(restarted)
    applied = await restarted.apply(Batch((put("later"),)))
    assert applied.seq > told[-1].seq
    assert [applied.seq] == [commit.seq for commit in await commits(restarted, told[-1].seq)]


async def test_a_store_may_move_again(layer: SwitchLayer, clock: FrozenClock) -> None:
    """Records, numbers and answers of the first store are still there in the fourth."""
    first = Batch((put("a", expect=0), Delete(key=key("absent"))))
    answer = await layer.apply(first)
    for n in range(3):
        await layer.switch(MemoryBackend(clock=clock))
        await write(layer, put(f"n{n}"))
    told = await commits(layer)
    assert 4 == len(told)
    assert told[0].batch_id == first.id
    assert sorted({c.seq for c in told}) == [c.seq for c in told]
    assert ["a", "n0", "n1", "n2"] == await ids(layer, Query(space=None))
    assert replace(answer, replayed=True) == await layer.apply(first)


async def test_what_moving_needs_is_hidden(layer: SwitchLayer, target: MemoryBackend) -> None:
    """The reserved space shows in no scan, no tally and no feed over all spaces."""
    await write(layer, put("a"), put("b"))
    await layer.switch(target)
    assert ["a", "b"] == await ids(layer, Query(space=None))
    assert [Tally(("lab",), 2, ())] == await layer.tally(Query(space=None), (), ("space",))
    assert [2] == [len(commit.changes) for commit in await commits(layer)]
    assert (await everything(target, Query(space=RESERVED))) != []


async def test_the_reserved_space_is_refused(layer: SwitchLayer) -> None:
    """Nobody writes into the space that moving needs, also before anything moved."""
    mine: Change = Put(key=Key(RESERVED, "commit", "x"))
    with pytest.raises(Denied, match=RESERVED) as caught:
        await write(layer, put("a"), mine)
    assert "reserved" == caught.value.code
    assert [] == await everything(layer, EVERYTHING)


async def test_an_exchange_without_a_copy(
    layer: SwitchLayer, memory: MemoryBackend, clock: FrozenClock
) -> None:
    """Without `copy` the other store is taken as it is; an open feed says that it ended."""
    await write(layer, put("a"), put("c"))
    await write(layer, put("a"))
    other = MemoryBackend(clock=clock)
    await other.open()
    await write(other, put("b"), put("d"))
    scan, feed = layer.scan(Query(space="lab")), layer.feed()
    assert "a" == (await anext(scan)).key.id
    await anext(feed)
    moved = await layer.switch(other, copy=False)
    assert (0, 0) == (moved.records, moved.commits)
    assert ["b", "d"] == [record.key.id async for record in scan]
    with pytest.raises(Conflict, match="begin its feed anew") as caught:
        await drain(feed)
    assert "feed_replaced" == caught.value.code
    assert State.DOWN is (await memory.ping()).state


async def test_reading_goes_on_while_writers_wait(
    memory: MemoryBackend, target: MemoryBackend
) -> None:
    """In the last step of a switch reads are answered at once; a write goes to the new store."""
    reached, go = asyncio.Event(), asyncio.Event()

    async def pause() -> None:
        if (await versions(memory, "slow"))[0] and not reached.is_set():
            reached.set()
            await go.wait()

    layer = SwitchLayer(Slow(memory, pause=pause))
    await layer.open()
    await write(layer, put("a"))
    running = asyncio.ensure_future(write(layer, put("slow")))
    await soon(reached.wait())
    moving = asyncio.ensure_future(layer.switch(target))
    await until_writers_wait(layer)
    waiting = asyncio.ensure_future(write(layer, put("late")))
    assert ["a", "slow"] == sorted(await soon(ids(layer, Query(space="lab"))))
    assert [2] == [tally.count for tally in await soon(layer.tally(Query(space="lab")))]
    assert [False, False] == [moving.done(), waiting.done()]
    go.set()
    await soon(asyncio.gather(running, moving, waiting))
    assert ["a", "late", "slow"] == sorted(await ids(target, Query(space="lab")))
    await layer.close()
