"""A hundred who come at once are let in turn by turn, so that the loop has its own in between."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

import pytest

from ropewalk.door import Door
from ropewalk.testing.samples import soon

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 20.0


class Clock:
    """Seconds that pass when somebody says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Look at the clock."""
        return self.now


class Guests:
    """Note in which turn of the loop each caller went in; each takes so many seconds."""

    def __init__(self, door: Door, clock: Clock, *, takes: float) -> None:
        self.door = door
        self.clock = clock
        self.takes = takes
        self.turn = 0
        self.went: list[tuple[int, int]] = []

    async def call(self, name: int) -> None:
        """Go in, and take some time there."""
        if not self.door.is_open():
            await self.door.enter()
        self.went.append((self.turn, name))
        self.clock.now += self.takes

    async def crowd(self, names: range) -> list[asyncio.Task[None]]:
        """Come all at once; count turns until everybody was in."""
        tasks = [asyncio.create_task(self.call(name)) for name in names]
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            self.turn += 1
        return tasks

    @property
    def most(self) -> int:
        """The most that went in during one turn."""
        return max(Counter(turn for turn, _ in self.went).values())


async def _in_turns(*calls: Callable[[], bool]) -> list[bool]:
    """Call one after the other, each in a turn of its own."""
    found: list[bool] = []
    for call in calls:
        found.append(call())
        # What ends a turn runs in the next one.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return found


@pytest.mark.seed("4.2")
async def test_one_caller_in_a_turn_never_waits() -> None:
    """Whoever comes first in a turn goes in, however long ago the last one was."""
    clock = Clock()
    door = Door(1.0, clock=clock)

    def later() -> bool:
        clock.now += 100.0
        return door.is_open()

    assert [True] * 5 == await _in_turns(*[later] * 5)


@pytest.mark.seed("4.2", "6.2")
async def test_the_door_is_closed_when_the_time_of_a_turn_is_over() -> None:
    """Within a turn callers go in while it has time; the next one waits for the next turn."""
    clock = Clock()
    door = Door(1.0, clock=clock)
    assert door.is_open()
    clock.now = 0.999
    assert door.is_open()
    clock.now = 1.0
    assert not door.is_open()
    turned = asyncio.Event()
    asyncio.get_running_loop().call_soon(turned.set)
    await soon(door.enter())
    assert turned.is_set()


@pytest.mark.seed("4.2", "6.2")
async def test_whoever_gives_way_at_the_end_finds_the_door_open() -> None:
    """A turn is over when its time is used up, and the next begins as soon as one gives way."""
    clock = Clock()
    door = Door(1.0, clock=clock)
    assert not door.is_over()
    for _ in range(3):
        assert door.is_open()
        assert not door.is_over()
        clock.now += 1.0
        assert door.is_over()
        await asyncio.sleep(0)
        assert not door.is_over()


@pytest.mark.seed("4.2", "6.2")
async def test_a_crowd_goes_in_turn_by_turn_in_the_order_it_came() -> None:
    """A hundred callers that take a third of a turn each: about three in each, none before one."""
    clock = Clock()
    guests = Guests(Door(1.0, clock=clock), clock, takes=0.34)
    await soon(guests.crowd(range(100)))
    assert list(range(100)) == [name for _, name in guests.went]
    assert 3 == guests.most


@pytest.mark.seed("4.2", "6.2")
async def test_who_was_let_in_may_call_again_for_half_a_turn() -> None:
    """Callers that take a fifth of a turn make up to three calls while others wait, and no more."""
    clock = Clock()
    guests = Guests(Door(1.0, clock=clock), clock, takes=0.2)

    async def calls(name: int) -> None:
        for _ in range(12):
            await guests.call(name)

    await soon(asyncio.gather(*map(calls, range(5))))
    order = [name for _, name in guests.went]
    runs = [(name, len(list(same))) for name, same in groupby(order)]
    # The first had the first turn for itself, and the last is alone in the end.
    assert max(count for _, count in runs[1:-1]) == 3
    assert len(runs) < 30
    assert [12] * 5 == [order.count(name) for name in range(5)]


@pytest.mark.seed("4.2", "6.2")
async def test_what_others_do_before_those_who_were_called_is_not_their_time() -> None:
    """A loop that has much to do in each turn lets in as many as half of a turn has time for."""
    clock = Clock()
    guests = Guests(Door(1.0, clock=clock), clock, takes=0.2)

    async def busy() -> None:
        while True:
            clock.now += 5.0
            await asyncio.sleep(0)

    other = asyncio.create_task(busy())
    await soon(guests.crowd(range(100)))
    other.cancel()
    assert list(range(100)) == [name for _, name in guests.went]
    assert guests.turn < 70


@pytest.mark.seed("4.2", "6.2")
async def test_whoever_is_woken_meanwhile_comes_before_those_in_line() -> None:
    """Between a timer that fires and the task that it wakes one of a line goes in, and no more."""
    clock = Clock()
    guests = Guests(Door(1.0, clock=clock), clock, takes=1.0)
    crowd = asyncio.create_task(guests.crowd(range(40)))
    loop = asyncio.get_running_loop()
    went_between: list[int] = []
    while not crowd.done():
        woken, before = loop.create_future(), len(guests.went)
        loop.call_later(0, woken.set_result, None)
        await soon(woken)
        went_between.append(len(guests.went) - before)
    assert 40 == sum(went_between)
    # All of them asked in the first turn, and the first one had it.
    assert max(went_between[1:]) == 1


@pytest.mark.seed("4.2")
async def test_a_crowd_is_told_from_a_single_caller() -> None:
    """Whoever is in line, or was called and is on the way, makes a crowd; who went in does not."""
    clock = Clock()
    door = Door(1.0, clock=clock)
    assert door.is_open()
    assert not door.is_crowded()
    clock.now = 1.0
    waiting = asyncio.create_task(door.enter())
    await asyncio.sleep(0)
    assert door.is_crowded()
    await soon(waiting)
    assert not door.is_crowded()


@pytest.mark.seed("4.2")
@pytest.mark.parametrize("seconds", [0.0, 1.0])
async def test_somebody_goes_in_with_each_turn(seconds: float) -> None:
    """Where one caller takes more than a turn, or has none, the line moves by one with each."""
    clock = Clock()
    guests = Guests(Door(seconds, clock=clock), clock, takes=50.0)
    await soon(guests.crowd(range(20)))
    assert list(range(20)) == [name for _, name in guests.went]
    assert 1 == guests.most


@pytest.mark.seed("4.2")
async def test_without_time_every_call_gives_way() -> None:
    """A door of no seconds is never open, and lets one in with each turn."""
    door = Door(0.0)
    for _ in range(3):
        assert not door.is_open()
        turned = asyncio.Event()
        asyncio.get_running_loop().call_soon(turned.set)
        await soon(door.enter())
        assert turned.is_set()


@pytest.mark.seed("4.2")
async def test_whoever_calls_again_stands_behind_those_who_wait() -> None:
    """A hundred that call in loops, a tenth of a turn each, take turns, some ten in each turn."""
    clock = Clock()
    guests = Guests(Door(1.0, clock=clock), clock, takes=0.1)

    async def calls(name: int) -> None:
        for _ in range(40):
            await guests.call(name)

    tasks = [asyncio.create_task(calls(name)) for name in range(100)]
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        guests.turn += 1
    assert 11 >= guests.most
    # Half a turn is up to six calls, and then all the others have theirs.
    rounds = [{name for _, name in guests.went[at : at + 600]} for at in (0, 1_200, 2_400)]
    assert all(95 <= len(names) for names in rounds)


@pytest.mark.seed("4.5")
async def test_whoever_is_cancelled_leaves_the_line() -> None:
    """Of those in line, and of those who were just called, the cancelled do not go in."""
    for turns in range(6):
        clock = Clock()
        guests = Guests(Door(1.0, clock=clock), clock, takes=0.5)
        tasks = [asyncio.create_task(guests.call(name)) for name in range(12)]
        for _ in range(turns):
            await asyncio.sleep(0)
        cancelled = {name for name in range(0, 12, 2) if tasks[name].cancel()}
        _, pending = await asyncio.wait(tasks, timeout=PATIENCE)
        assert set() == pending
        assert cancelled == {name for name, task in enumerate(tasks) if task.cancelled()}
        assert sorted(set(range(12)) - cancelled) == [name for _, name in guests.went]


@pytest.mark.seed("4.5")
async def test_each_loop_has_its_own_line() -> None:
    """A loop in another thread neither waits for this one's line nor uses up its time."""
    clock = Clock()
    door = Door(1.0, clock=clock)
    assert door.is_open()
    clock.now = 5.0
    waiting = asyncio.create_task(door.enter())
    await asyncio.sleep(0)
    there = Guests(door, clock, takes=0.0)
    # This loop stands still until the other one is done.
    thread = threading.Thread(target=lambda: asyncio.run(there.call(1)))
    thread.start()
    thread.join(PATIENCE)
    assert [(0, 1)] == there.went
    assert not door.is_open()
    await soon(waiting)


def test_a_line_goes_with_its_loop() -> None:
    """Who waited on a loop that was closed holds nobody up on the thread's next loop."""
    clock = Clock()
    door = Door(1.0, clock=clock)
    left = door.enter()

    async def abandon() -> None:
        assert door.is_open()
        left.send(None)

    async def go_on() -> bool:
        return door.is_open()

    asyncio.run(abandon())
    assert asyncio.run(go_on())
    left.close()
