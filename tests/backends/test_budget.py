"""Callers share a loop's time: when it is used up they stand in line, and the loop has its turn."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial

import pytest

from ropewalk.backends.budget import Budget, milliseconds
from ropewalk.domain.errors import Invalid
from ropewalk.testing.samples import soon

from .waits import PATIENCE


class Clock:
    """Seconds that pass when somebody says so, and with each look at the clock."""

    def __init__(self, look: float = 0.0) -> None:
        self.now = 0.0
        self.look = look

    def __call__(self) -> float:
        """Look at the clock."""
        self.now += self.look
        return self.now


class Calls:
    """Note in which turn of the loop each caller went on, and how many turns there were."""

    def __init__(self, budget: Budget, *, takes: Callable[[], None] = lambda: None) -> None:
        self.budget = budget
        self.takes = takes
        self.turn = 0
        self.went: list[tuple[int, str]] = []

    async def call(self, name: str) -> None:
        """Go on when there is time, and take some."""
        if not self.budget.is_left():
            await self.budget.next_turn()
        self.went.append((self.turn, name))
        self.takes()

    async def calls(self, name: str, count: int) -> None:
        """Call so often, one after the other."""
        for _ in range(count):
            await self.call(name)

    async def watch(self, *tasks: asyncio.Task[None]) -> None:
        """Count turns until all tasks are done."""
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            self.turn += 1
        for task in tasks:
            await task

    def in_turn(self, turn: int) -> list[str]:
        """Return who went on in a turn, in order."""
        return [name for there, name in self.went if there == turn]

    @property
    def most(self) -> int:
        """The most that went on in one turn."""
        turns = [turn for turn, _ in self.went]
        return max(turns.count(turn) for turn in set(turns))


@pytest.mark.seed("4.2")
async def test_nobody_gives_way_while_there_is_time() -> None:
    """Calls within the budget are one stretch, whoever makes them; the next one waits a turn."""
    clock = Clock()
    calls = Calls(Budget(1.0, clock=clock))
    turned = asyncio.Event()
    asyncio.get_running_loop().call_soon(turned.set)
    await calls.calls("a", 5)
    clock.now = 0.999
    await calls.call("b")
    assert not turned.is_set()
    clock.now = 1.0
    await calls.call("c")
    assert turned.is_set()
    turned.clear()
    asyncio.get_running_loop().call_soon(turned.set)
    clock.now = 1.999
    await calls.calls("d", 5)
    assert not turned.is_set()


@pytest.mark.seed("4.2", "6.2")
async def test_a_turn_lasts_as_long_as_its_budget() -> None:
    """A hundred callers that take a tenth of the budget each: some ten go on in each turn."""
    clock = Clock()

    def tenth() -> None:
        clock.now += 0.1

    calls = Calls(Budget(1.0, clock=clock), takes=tenth)
    await calls.call("first")
    tasks = [asyncio.create_task(calls.calls(str(n), 20)) for n in range(100)]
    await soon(calls.watch(*tasks))
    assert 2_001 == len(calls.went)
    assert 11 >= calls.most
    assert 2_001 / 11 <= calls.turn


@pytest.mark.seed("4.2")
async def test_first_come_first_served() -> None:
    """Who stands in line goes on in order, also those for whom there was no time again."""
    clock = Clock()

    def third() -> None:
        clock.now += 0.34

    calls = Calls(Budget(1.0, clock=clock), takes=third)
    await calls.call("first")
    clock.now = 5.0
    names = [f"n{n:02}" for n in range(40)]
    tasks = [asyncio.create_task(calls.call(name)) for name in names]
    await soon(calls.watch(*tasks))
    assert ["first", *names] == [name for _, name in calls.went]
    assert 3 >= calls.most


@pytest.mark.seed("4.2")
async def test_somebody_goes_on_in_each_turn() -> None:
    """Whatever else takes the loop's time, and without any budget, the line moves."""
    for seconds in (0.0, 1.0):
        clock = Clock(look=100.0)
        calls = Calls(Budget(seconds, clock=clock))
        tasks = [asyncio.create_task(calls.calls(str(n), 5)) for n in range(10)]
        await soon(calls.watch(*tasks))
        assert 50 == len(calls.went)
        assert 1 == calls.most


@pytest.mark.seed("4.5")
async def test_whoever_is_cancelled_leaves_the_line() -> None:
    """Of those in line, and of those who were just called, the cancelled do nothing more."""
    for turns in range(6):
        clock = Clock()
        calls = Calls(Budget(1.0, clock=clock), takes=partial(_add, clock, 0.5))
        await calls.call("first")
        clock.now = 9.0
        tasks = [asyncio.create_task(calls.call(str(n))) for n in range(12)]
        for _ in range(turns):
            await asyncio.sleep(0)
        cancelled = {str(n) for n in range(0, 12, 2) if tasks[n].cancel()}
        before = {name for _, name in calls.went}
        done, pending = await asyncio.wait(tasks, timeout=PATIENCE)
        assert (12, set()) == (len(done), pending)
        after = {name for _, name in calls.went} - before
        assert {str(n) for n in range(12)} - cancelled - before == after
        assert [str(n) in cancelled for n in range(12)] == [task.cancelled() for task in tasks]


def _add(clock: Clock, seconds: float) -> None:
    clock.now += seconds


@pytest.mark.seed("4.5")
async def test_each_loop_has_its_own_time() -> None:
    """A loop in another thread neither waits for this one's line nor uses up its time."""
    clock = Clock()
    budget = Budget(1.0, clock=clock)
    here = Calls(budget)
    await here.call("here")
    clock.now = 1.5
    waiting = asyncio.create_task(here.call("late"))
    await asyncio.sleep(0)
    there = Calls(budget)
    # This loop stands still until the other one is done.
    thread = threading.Thread(target=lambda: asyncio.run(there.calls("there", 10)))
    thread.start()
    thread.join(PATIENCE)
    assert [(0, "there")] * 10 == there.went
    assert [(0, "here")] == here.went
    assert not budget.is_left()
    await soon(waiting)


def test_a_line_goes_with_its_loop() -> None:
    """Who waited on a loop that was closed holds nobody up on the thread's next loop."""
    clock = Clock()
    budget = Budget(1.0, clock=clock)
    left = Calls(budget).call("left")

    async def abandon() -> None:
        await Calls(budget).call("first")
        clock.now += 5.0
        left.send(None)

    async def go_on() -> list[tuple[int, str]]:
        calls = Calls(budget)
        await soon(calls.calls("next", 3))
        return calls.went

    asyncio.run(abandon())
    assert [(0, "next")] * 3 == asyncio.run(go_on())
    left.close()


@pytest.mark.parametrize("value", [-1, True, "x", None, "nan", float("inf"), "1 ms"])
def test_a_budget_is_a_number_of_milliseconds(value: object) -> None:
    """Anything else is refused by name."""
    with pytest.raises(Invalid, match="loop_budget"):
        milliseconds("loop_budget", value)
    assert [0.0, 2.5, 3.0] == [milliseconds("x", good) for good in (0, "2.5", 3)]
