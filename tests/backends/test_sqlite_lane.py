"""A lane carries errands to its thread and outcomes back: together, in order, and never twice."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import pytest

from ropewalk.backends.sqlite.connection import Connection
from ropewalk.backends.sqlite.gate import Gate
from ropewalk.backends.sqlite.lane import TOLD_AT_ONCE, Errand, Lane
from ropewalk.backends.sqlite.patience import Patience
from ropewalk.backends.sqlite.reader import Read, Reader, Reading
from ropewalk.domain.errors import Unavailable
from ropewalk.testing.samples import soon

PATIENCE = 30.0


class Sum(Errand[int]):
    """Two numbers that somebody wants added."""

    def __init__(self, left: int, right: int, *, size: int = 0) -> None:
        super().__init__(size=size)
        self.numbers = left, right


class Adder:
    """Add numbers, and stop before each round until the test lets it go on."""

    def __init__(self) -> None:
        self.rounds: list[list[tuple[int, int]]] = []
        self.busy = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.left = threading.Event()

    def serve(self, errands: list[Sum]) -> None:
        """Add what is asked for; 13 is more than it can bear, and 17 it forgets."""
        self.rounds.append([errand.numbers for errand in errands])
        self.busy.release()
        assert self.go_on.acquire(timeout=PATIENCE)
        for errand in errands:
            if errand.numbers[1] == 13:
                raise ArithmeticError
            if errand.numbers[1] != 17:
                errand.set_result(sum(errand.numbers))

    def rest(self) -> None:
        """Do nothing."""

    def leave(self) -> None:
        """Say that the work is over."""
        self.left.set()


@pytest.fixture
def adder() -> Adder:
    """Make somebody who works in a lane."""
    return Adder()


@pytest.fixture
async def lane(adder: Adder) -> AsyncIterator[Lane[Sum]]:
    """Open a lane with one thread, which takes up to four errands at once."""
    lane = Lane(lambda: adder, name="test", most_at_once=4)
    await lane.start()
    yield lane
    lane.close()
    adder.go_on.release(100)
    await asyncio.to_thread(lane.join)
    assert adder.left.is_set()
    assert not lane.alive()


async def _begun(adder: Adder) -> None:
    """Wait until the next round has begun."""
    assert await asyncio.to_thread(adder.busy.acquire, timeout=PATIENCE)


async def _ask(lane: Lane[Sum], left: int, right: int) -> int:
    errand = Sum(left, right)
    await lane.send(errand)
    return await errand.outcome()


async def _asked(lane: Lane[Sum], *pairs: tuple[int, int]) -> list[asyncio.Task[int]]:
    """Send errands, and return what waits for them."""
    tasks = [asyncio.create_task(_ask(lane, *pair)) for pair in pairs]
    await asyncio.sleep(0)
    return tasks


@pytest.mark.seed("4.2")
async def test_what_waits_is_taken_together(lane: Lane[Sum], adder: Adder) -> None:
    """While one round is under way, errands collect, and go into the next rounds in order."""
    first = await _asked(lane, (0, 0))
    await _begun(adder)
    rest = await _asked(lane, *[(n, 1) for n in range(1, 7)])
    adder.go_on.release(3)
    assert [0, 2, 3, 4, 5, 6, 7] == await soon(asyncio.gather(*first, *rest))
    assert [1, 4, 2] == [len(round) for round in adder.rounds]
    assert [(n, min(n, 1)) for n in range(7)] == [pair for round in adder.rounds for pair in round]


@pytest.mark.seed("6.2")
async def test_a_few_go_on_in_each_turn(adder: Adder) -> None:
    """Of many who have their answer, a few go on in each turn: timers need not wait for all."""
    lane = Lane(lambda: adder, name="test", most_at_once=100)
    await lane.start()
    first = await _asked(lane, (0, 0))
    await _begun(adder)
    turns: list[int] = []
    turn = 0

    async def ask(number: int) -> None:
        await _ask(lane, number, 1)
        turns.append(turn)

    asked = [asyncio.create_task(ask(number)) for number in range(30)]
    await asyncio.sleep(0)
    adder.go_on.release(2)
    while len(turns) < len(asked):
        await asyncio.sleep(0)
        turn += 1
    assert [(0, 0)] == adder.rounds[0]
    assert 30 == len(adder.rounds[1])
    assert TOLD_AT_ONCE == max(turns.count(turn) for turn in turns)
    await asyncio.gather(*first, *asked)
    lane.close()
    await asyncio.to_thread(lane.join)


@pytest.mark.seed("4.5")
async def test_an_abandoned_errand_is_dropped(lane: Lane[Sum], adder: Adder) -> None:
    """What nobody waits for any more when its turn comes is not done; the others are."""
    (first,) = await _asked(lane, (0, 0))
    await _begun(adder)
    second, third = await _asked(lane, (1, 1), (2, 2))
    second.cancel()
    await asyncio.wait([second])
    adder.go_on.release(2)
    assert (0, 4) == (await soon(first), await soon(third))
    assert [[(0, 0)], [(2, 2)]] == adder.rounds
    assert lane.gate.inside == 0


@pytest.mark.seed("4.5")
async def test_an_errand_under_way_is_finished(lane: Lane[Sum], adder: Adder) -> None:
    """Cancelling the caller of what is being done harms neither it nor its neighbours."""
    (first,) = await _asked(lane, (0, 0))
    await _begun(adder)
    second, third = await _asked(lane, (1, 1), (2, 2))
    adder.go_on.release()
    await soon(first)
    await _begun(adder)
    second.cancel()
    adder.go_on.release()
    assert await soon(third) == 4
    assert second.cancelled()
    assert [(1, 1), (2, 2)] == adder.rounds[1]


@pytest.mark.seed("4.4")
async def test_an_unforeseen_error_reaches_everybody(lane: Lane[Sum], adder: Adder) -> None:
    """What breaks a round is raised where its callers wait, and the next round goes on."""
    first = await _asked(lane, (0, 0))
    await _begun(adder)
    pair = await _asked(lane, (1, 1), (2, 13))
    adder.go_on.release(2)
    answers = await soon(asyncio.gather(*first, *pair, return_exceptions=True))
    assert [int, ArithmeticError, ArithmeticError] == [type(answer) for answer in answers]
    adder.go_on.release()
    assert await soon(_ask(lane, 3, 4)) == 7


async def test_a_forgotten_errand_does_not_hang(lane: Lane[Sum], adder: Adder) -> None:
    """An errand of which nobody noted an outcome is `Unavailable`, not waited for for ever."""
    tasks = await _asked(lane, (1, 17))
    adder.go_on.release()
    with pytest.raises(Unavailable) as caught:
        await soon(tasks[0])
    assert caught.value.code == "lost"


async def test_what_was_taken_in_is_finished_at_closing(lane: Lane[Sum], adder: Adder) -> None:
    """Closing refuses new errands with `Unavailable` and still does those it has."""
    tasks = await _asked(lane, (0, 0), (1, 1))
    lane.close()
    with pytest.raises(Unavailable):
        await lane.send(Sum(2, 2))
    adder.go_on.release(2)
    await asyncio.to_thread(lane.join)
    assert [0, 2] == await soon(asyncio.gather(*tasks))


async def test_a_lane_that_cannot_begin_says_why() -> None:
    """What keeps a thread from opening its connection is raised where the start waits."""

    def refuse() -> Adder:
        raise Unavailable("no connection today")

    lane = Lane(refuse, name="test", most_at_once=1)
    with pytest.raises(Unavailable, match="no connection"):
        await soon(lane.start())
    await asyncio.to_thread(lane.join)


@pytest.mark.seed("4.5")
async def test_an_endless_read_stops_with_its_caller() -> None:
    """A statement whose caller was cancelled is interrupted, and the thread takes the next."""
    began = threading.Event()

    def endless(connection: Connection) -> int:
        began.set()
        return connection.integer(
            "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n"
        )

    def hire() -> Reader:
        return Reader(Connection(":memory:", Patience(1, threading.Event())), "memory")

    lane: Lane[Reading] = Lane(hire, name="test", most_at_once=1)
    await lane.start()
    task = asyncio.create_task(_read(lane, endless))
    assert await asyncio.to_thread(began.wait, PATIENCE)
    task.cancel()
    assert await soon(_read(lane, lambda connection: connection.integer("select 7"))) == 7
    assert task.cancelled()
    lane.close()
    await asyncio.to_thread(lane.join)


async def _read(lane: Lane[Reading], work: Callable[[Connection], int]) -> int:
    errand = Read(work)
    await lane.send(errand)
    return await errand.outcome()


async def _entering(gate: Gate, *sizes: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(gate.enter(size)) for size in sizes]
    await asyncio.sleep(0)
    return tasks


@pytest.mark.seed("4.2", "5.2")
async def test_a_gate_counts_heads() -> None:
    """No more than so many are inside; whoever leaves makes room for the next in line."""
    gate = Gate(most=2, most_bytes=1_000)
    tasks = await _entering(gate, 1, 1, 1, 1)
    assert [True, True, False, False] == [task.done() for task in tasks]
    gate.leave(1)
    await soon(tasks[2])
    assert not tasks[3].done()
    gate.leave(1)
    await soon(tasks[3])
    assert gate.inside == 2


@pytest.mark.seed("4.2")
async def test_a_gate_counts_bytes_and_keeps_order() -> None:
    """What is big waits for room, what is small waits behind it, and the biggest comes alone."""
    gate = Gate(most=10, most_bytes=100)
    tasks = await _entering(gate, 60, 60, 10, 500)
    assert [True, False, False, False] == [task.done() for task in tasks]
    gate.leave(60)
    await soon(asyncio.gather(tasks[1], tasks[2]))
    gate.leave(60)
    await asyncio.sleep(0)
    assert not tasks[3].done()
    gate.leave(10)
    await soon(tasks[3])
    assert gate.inside == 1


@pytest.mark.seed("4.5")
async def test_whoever_is_cancelled_gives_up_his_place() -> None:
    """A cancelled caller takes no room, neither in the line nor behind the gate."""
    gate = Gate(most=10, most_bytes=100)
    first, big, small = await _entering(gate, 60, 100, 40)
    big.cancel()
    await soon(small)
    assert gate.inside == 2
    last, *_ = await _entering(gate, 50)
    gate.leave(60)
    last.cancel()  # admitted in this very moment, and not told yet
    await asyncio.wait([last])
    assert (True, True, True) == (first.done(), big.cancelled(), last.cancelled())
    assert gate.inside == 1


async def test_a_closed_gate_sends_everybody_away() -> None:
    """Those who wait when the gate closes are told so, each by an error of his own."""
    gate = Gate(most=1, most_bytes=100)
    first, *others = await _entering(gate, 1, 1, 1)
    gate.close(lambda: Unavailable("closed"))
    answers = await soon(asyncio.gather(*others, return_exceptions=True))
    assert [Unavailable, Unavailable] == [type(answer) for answer in answers]
    assert answers[0] is not answers[1]
    assert first.done()
