"""A switch that fails leaves the store in place, untouched, and the target empty."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Delete, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Corrupt, Invalid, RopewalkError, Unavailable
from ropewalk.domain.health import State
from ropewalk.domain.query import Query
from ropewalk.layers.base import Layer
from ropewalk.layers.epoch import EPOCH_KEY
from ropewalk.layers.switch import SwitchLayer
from ropewalk.testing.faults import Fault, Flaky, Slow
from ropewalk.testing.samples import commits, everything, ids, key, put, soon, versions, write

from .restless import until_writers_wait
from .silent import SilentBackend

pytestmark = pytest.mark.seed("1.4", "4.4")

EVERYTHING = Query(space=None, expired=True)


class Lasting(Layer):
    """A store that is not closed with the layers round it, so that a test can look into it."""

    closed = 0

    async def close(self) -> None:
        """Count the closings, and do nothing else."""
        self.closed += 1


@pytest.fixture
async def filled(layer: SwitchLayer) -> SwitchLayer:
    """A layer over a store with some records and some commits."""
    for n in range(20):
        await write(layer, put(f"n{n:02}", b"%d" % n), Delete(key=key("absent")))
    return layer


async def _assert_untouched(
    layer: SwitchLayer, memory: MemoryBackend, failing: Callable[[], Awaitable[None]]
) -> None:
    """Check that a failing switch changes nothing, and that the layer goes on as before."""
    before = await everything(memory, EVERYTHING), await commits(memory)
    await failing()
    assert layer.below is memory
    assert before == (await everything(memory, EVERYTHING), await commits(memory))
    assert (1,) == await soon(write(layer, put("on")))
    assert State.HEALTHY is (await layer.ping()).state


@pytest.mark.parametrize("step", [*range(6), 20, 21, 22, 23])
async def test_a_target_that_fails_is_left_empty(
    filled: SwitchLayer, memory: MemoryBackend, clock: FrozenClock, step: int
) -> None:
    """Whatever call of the target fails, before or after it took effect, nothing has happened."""
    store = MemoryBackend(clock=clock)
    await store.open()
    lasting = Lasting(store)
    fault = Fault.AFTER if step % 2 else Fault.BEFORE
    target = Flaky(lasting, plan=[*[Fault.NONE] * step, fault])

    async def fail() -> None:
        with pytest.raises(Unavailable, match="reach"):
            await filled.switch(target)

    await _assert_untouched(filled, memory, fail)
    assert [] == await everything(store, EVERYTHING)
    assert 1 == lasting.closed
    # The same store serves at the next attempt, ids of batches that it has seen included.
    before = await everything(filled, EVERYTHING), await commits(filled)
    await filled.switch(store)
    assert before == (await everything(filled, EVERYTHING), await commits(filled))


async def test_a_target_that_cannot_be_emptied_is_marked(
    filled: SwitchLayer, memory: MemoryBackend, clock: FrozenClock
) -> None:
    """Where cleaning up fails too, the error says so, and the half copy cannot be opened."""
    store = MemoryBackend(clock=clock)
    await store.open()
    target = Flaky(Lasting(store), plan=[*[Fault.NONE] * 22, *[Fault.BEFORE] * 9])

    async def fail() -> None:
        with pytest.raises(Unavailable) as caught:
            await filled.switch(target)
        assert any("unfinished copy" in note for note in caught.value.__notes__)

    await _assert_untouched(filled, memory, fail)
    assert EPOCH_KEY in [record.key for record in await everything(store, EVERYTHING)]
    with pytest.raises(Corrupt, match="unfinished copy") as caught:
        await SwitchLayer(Lasting(store)).open()
    assert "unfinished_copy" == caught.value.code
    with pytest.raises(Invalid, match="unfinished copy"):
        await filled.switch(Lasting(store))


async def test_a_damaged_mark_is_corrupt(memory: MemoryBackend) -> None:
    """What says how commits are numbered is never guessed."""
    for body in (b"", b"{", b"[]", b'{"format": 2}', b'{"format": 1, "floor": "1", "base": 2}'):
        await write(memory, Put(key=EPOCH_KEY, body=body))
        with pytest.raises(Corrupt) as caught:
            await SwitchLayer(Lasting(memory)).open()
        assert EPOCH_KEY == caught.value.facts["key"]


async def test_a_target_must_be_empty(
    filled: SwitchLayer, memory: MemoryBackend, clock: FrozenClock
) -> None:
    """A store with records of its own is refused by name, and keeps them."""
    store = MemoryBackend(clock=clock)
    await store.open()
    await write(store, put("mine"))
    lasting = Lasting(store)

    async def fail() -> None:
        with pytest.raises(Invalid, match="lab/note/mine") as caught:
            await filled.switch(lasting)
        assert "not_empty" == caught.value.code

    await _assert_untouched(filled, memory, fail)
    assert ["mine"] == await ids(store, EVERYTHING)
    assert 1 == lasting.closed


async def test_a_target_that_can_do_less_is_refused(
    filled: SwitchLayer, memory: MemoryBackend, clock: FrozenClock
) -> None:
    """A program that reads the feed must not lose it."""

    async def fail() -> None:
        for copy in (True, False):
            with pytest.raises(Invalid, match="feed") as caught:
                await filled.switch(SilentBackend(clock=clock), copy=copy)
            assert "unsupported" == caught.value.code

    await _assert_untouched(filled, memory, fail)


async def test_the_store_in_use_is_no_target(filled: SwitchLayer, memory: MemoryBackend) -> None:
    """Switching to the very same store is refused, and does not close it."""

    async def fail() -> None:
        with pytest.raises(Invalid, match="in use already"):
            await filled.switch(memory)

    await _assert_untouched(filled, memory, fail)


@pytest.mark.seed("4.5")
async def test_a_cancelled_switch_has_happened_or_not(clock: FrozenClock) -> None:
    """Cancelled at any moment, there is one whole store in use, and an empty or a closed one."""
    seen: set[tuple[bool, bool]] = set()
    for turns in range(200):
        memory, store = MemoryBackend(clock=clock), MemoryBackend(clock=clock)
        await store.open()
        layer = SwitchLayer(Lasting(memory))
        await layer.open()
        for n in range(20):
            await write(layer, put(f"n{n:02}", b"%d" % n), Delete(key=key("absent")))
        before = await everything(memory, EVERYTHING), await commits(memory)
        target = Lasting(store)
        task = asyncio.ensure_future(layer.switch(target))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        (answer,) = await soon(asyncio.gather(task, return_exceptions=True))
        cancelled, moved = isinstance(answer, asyncio.CancelledError), layer.below is target
        assert moved == (await everything(store, EVERYTHING) != [])
        assert before == (await everything(layer, EVERYTHING), await commits(layer))
        assert before == (await everything(memory, EVERYTHING), await commits(memory))
        assert (1,) == await soon(write(layer, put("on")))
        seen.add((cancelled, moved))
        if not cancelled:
            break
    # Cancelled while it copied; too late. Between the two is the next test.
    assert seen >= {(True, False), (False, True)}


@pytest.mark.seed("4.5")
async def test_a_switch_cancelled_while_the_old_store_closes_has_happened(
    memory: MemoryBackend, clock: FrozenClock
) -> None:
    """Whoever is cancelled that late finds the new store in place, and the old one closed."""
    closing, go = asyncio.Event(), asyncio.Event()

    class Lingering(Lasting):
        async def close(self) -> None:
            closing.set()
            await go.wait()
            await super().close()

    old = Lingering(memory)
    layer = SwitchLayer(old)
    await layer.open()
    await write(layer, put("kept"))
    target = MemoryBackend(clock=clock)
    task = asyncio.ensure_future(layer.switch(target))
    await soon(closing.wait())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert layer.below is target
    assert ["kept"] == await ids(layer, EVERYTHING)
    assert (1,) == await soon(write(layer, put("on")))
    go.set()
    await soon(layer.close())
    assert 1 == old.closed


async def test_a_write_that_hangs_stops_the_switch_only(
    memory: MemoryBackend, clock: FrozenClock
) -> None:
    """After its patience a switch gives up; writers that waited go on, in the old store."""
    reached, go = asyncio.Event(), asyncio.Event()

    async def pause() -> None:
        if (await versions(memory, "hangs"))[0] and not reached.is_set():
            reached.set()
            await go.wait()

    layer = SwitchLayer(Slow(memory, pause=pause), patience=0.05)
    await layer.open()
    hanging = asyncio.ensure_future(write(layer, put("hangs")))
    await soon(reached.wait())
    moving = asyncio.ensure_future(layer.switch(MemoryBackend(clock=clock)))
    await until_writers_wait(layer)
    waiting = asyncio.ensure_future(write(layer, put("waits")))
    with pytest.raises(Unavailable, match="did not end within") as caught:
        await soon(moving)
    assert "busy" == caught.value.code
    assert (1,) == await soon(waiting)
    go.set()
    assert (1,) == await soon(hanging)
    assert ["hangs", "waits"] == sorted(await ids(memory, EVERYTHING))


async def test_trouble_with_closing_the_old_store_is_told_at_the_end(
    clock: FrozenClock, target: MemoryBackend
) -> None:
    """The switch has happened, so it does not fail; `close` says what was wrong."""

    class Stubborn(Layer):
        """A store that cannot be closed."""

        async def close(self) -> None:
            """Fail."""
            message = "the old store does not close"
            raise Unavailable(message)

    memory = MemoryBackend(clock=clock)
    layer = SwitchLayer(Stubborn(memory))
    await layer.open()
    await write(layer, put("a"))
    await layer.switch(target)
    assert ["a"] == await ids(layer, EVERYTHING)
    with pytest.raises(Unavailable, match="the old store does not close"):
        await layer.close()
    assert State.DOWN is (await target.ping()).state


async def test_a_second_switch_waits_for_the_first(filled: SwitchLayer, clock: FrozenClock) -> None:
    """Two at once are one after the other; the last target has everything."""
    before = await everything(filled, EVERYTHING)
    first, second = MemoryBackend(clock=clock), MemoryBackend(clock=clock)
    await soon(asyncio.gather(filled.switch(first), filled.switch(second)))
    assert filled.below is second
    assert State.DOWN is (await first.ping()).state
    assert before == await everything(filled, EVERYTHING)


async def test_closing_waits_for_a_switch(filled: SwitchLayer, target: MemoryBackend) -> None:
    """A switch under way ends before the store closes, in the new place."""
    moving = asyncio.ensure_future(filled.switch(target))
    await asyncio.sleep(0)
    await soon(filled.close())
    assert moving.done()
    assert filled.below is target
    assert State.DOWN is (await target.ping()).state
    with pytest.raises(RopewalkError):
        await write(filled, put("late"))


async def test_two_moves_into_one_target_do_not_mix(
    filled: SwitchLayer, clock: FrozenClock
) -> None:
    """Of two stores that move to the same place at once, one is refused and stays."""
    other = SwitchLayer(MemoryBackend(clock=clock))
    await other.open()
    await write(other, put("other"))
    store = MemoryBackend(clock=clock)
    await store.open()
    answers = await asyncio.gather(
        filled.switch(Lasting(store)), other.switch(Lasting(store)), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert 1 == len(refused)
    assert isinstance(refused[0], RopewalkError)
    winner: SwitchLayer = filled if refused[0] is answers[1] else other
    loser = other if winner is filled else filled
    assert isinstance(winner.below, Lasting)
    assert isinstance(loser.below, MemoryBackend)
    expected = ["other"] if winner is other else [f"n{n:02}" for n in range(20)]
    assert expected == await ids(winner, Query(space=None))
