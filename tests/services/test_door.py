"""A hundred who come at once are let in turn by turn, so that the loop has its own in between."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from ropewalk.services.door import Door
from ropewalk.testing.samples import soon

if TYPE_CHECKING:
    from collections.abc import Callable

    from ropewalk import Storage

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
async def test_a_crowd_goes_in_turn_by_turn_in_the_order_it_came() -> None:
    """A hundred callers that take a third of a turn each: about three in each, none before one."""
    clock = Clock()
    guests = Guests(Door(1.0, clock=clock), clock, takes=0.34)
    await soon(guests.crowd(range(100)))
    assert list(range(100)) == [name for _, name in guests.went]
    assert 3 == guests.most


@pytest.mark.seed("4.2")
async def test_somebody_goes_in_with_each_turn() -> None:
    """Where one caller takes more than a turn, the line moves by one with each."""
    clock = Clock()
    guests = Guests(Door(1.0, clock=clock), clock, takes=50.0)
    await soon(guests.crowd(range(20)))
    assert list(range(20)) == [name for _, name in guests.went]
    assert 1 == guests.most


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


@pytest.mark.seed("3.4", "6.2")
async def test_what_waits_at_the_door_was_taken_as_it_was_at_the_call(storage: Storage) -> None:
    """A hundred tasks save, and append: what their callers change meanwhile changes nothing."""
    count = 50
    for number in range(count):
        await storage.threads.create(id=f"t{number}")
        await storage.checkpoints.save(f"t{number}", {"list": [number]})
    states: list[dict[str, Any]] = [
        {"list": [number], "text": "x" * 20_000} for number in range(count)
    ]
    deltas = [{"list": [number]} for number in range(count)]
    saves = [
        asyncio.create_task(storage.checkpoints.save(f"t{number}", state))
        for number, state in enumerate(states)
    ]
    await asyncio.sleep(0)
    for state in states:
        state["list"] = ["changed"]
    saved = [header.id for header in await asyncio.gather(*saves)]
    appends = [
        asyncio.create_task(storage.checkpoints.append(f"t{number}", delta))
        for number, delta in enumerate(deltas)
    ]
    await asyncio.sleep(0)
    for delta in deltas:
        delta["list"][0] = -1
    await asyncio.gather(*appends)
    loaded = [
        checkpoint.state for checkpoint in await storage.checkpoints.load_many(saved) if checkpoint
    ]
    assert [[number] for number in range(count)] == [state["list"] for state in loaded]
    newest = [await storage.checkpoints.latest(f"t{number}") for number in range(count)]
    assert [[number, number] for number in range(count)] == [
        checkpoint.state["list"] for checkpoint in newest if checkpoint
    ]
