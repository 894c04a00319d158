"""A loop has a turn to itself, and what was slow of late stays off it for a while."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from ropewalk.backends.sqlite.pace import Pace
from ropewalk.backends.sqlite.turn import Turn
from ropewalk.testing.samples import soon


class Ends:
    """Count how often a turn ended and was lost; it goes on for so many turns."""

    def __init__(self, more: int = 0) -> None:
        self.more = more
        self.ended = 0
        self.lost = 0
        self.over = asyncio.Event()

    def at_end(self) -> bool:
        """Note an end, and say whether there is more to do."""
        self.ended += 1
        self.more -= 1
        if self.more < 0:
            self.over.set()
        return self.more >= 0

    def at_loss(self) -> None:
        """Note that the turn's loop is no more."""
        self.lost += 1

    def turn(self, budget: float = 1.0) -> Turn:
        """Make a turn that tells its ends here."""
        return Turn(budget, at_end=self.at_end, lost=self.at_loss)


async def _mine(turn: Turn, now: float) -> bool:
    return turn.is_mine(now)


def _elsewhere(turn: Turn) -> bool:
    """Ask for a turn on the loop of another thread, which is closed afterwards."""
    return asyncio.run(_mine(turn, 0.0))


async def test_a_turn_ends_with_the_turn_of_its_loop() -> None:
    """Questions of one turn belong together; it ends once, and the next turn has its own time."""
    ends = Ends()
    turn = ends.turn(budget=2.0)
    assert turn.is_mine(5.0)
    assert turn.is_mine(6.0)
    assert [True, True, False] == [turn.has_time(now) for now in (5.0, 12.9, 13.1)]
    assert 0 == ends.ended
    await soon(ends.over.wait())
    assert 1 == ends.ended
    assert turn.is_mine(20.0)
    assert [True, False] == [turn.has_time(now) for now in (27.9, 28.1)]


async def test_a_turn_is_over_when_the_processor_was_used() -> None:
    """A budget of time ends a turn whose thread has worked so long, and not one that waited."""
    turn = Ends().turn(budget=0.01)
    assert turn.is_mine(0.0)
    assert [True, False] == [turn.has_time(now) for now in (0.011, 0.041)]
    begun = time.thread_time()
    while time.thread_time() <= begun + 0.01:
        pass
    assert not turn.has_time(0.011)


async def test_a_turn_goes_on_while_there_is_more_to_do() -> None:
    """What is left at the end of a turn is done at the ends of the next, one after the other."""
    ends = Ends(more=3)
    assert ends.turn().is_mine(0.0)
    await soon(ends.over.wait())
    await asyncio.sleep(0)
    assert 4 == ends.ended


@pytest.mark.seed("4.5")
async def test_one_loop_has_the_turn() -> None:
    """A second loop gets it only when the first one's turn is over, and is never kept waiting."""
    ends = Ends()
    turn = ends.turn()
    assert turn.is_mine(0.0)
    assert not await asyncio.to_thread(_elsewhere, turn) or ends.ended
    await soon(ends.over.wait())
    assert await asyncio.to_thread(_elsewhere, turn)


def test_the_turn_of_a_closed_loop_is_taken_over() -> None:
    """A loop that was closed in the middle of its turn leaves the turn to the next one."""
    ends = asyncio.run(_ends())
    turn = ends.turn()
    dead = asyncio.new_event_loop()
    # The loop stops behind this very step, so that the end of the turn never comes.
    dead.call_soon(turn.is_mine, 0.0)
    dead.call_soon(dead.stop)
    dead.run_forever()
    assert not _elsewhere(turn)
    dead.close()
    assert _elsewhere(turn)
    assert 1 == ends.lost


async def _ends() -> Ends:
    return Ends()


def test_the_end_comes_whatever_goes_wrong() -> None:
    """An error at the end of a turn is told to the loop, and the turn is free again."""
    told: list[BaseException | None] = []

    def fail() -> bool:
        raise ArithmeticError

    async def work() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context.get("exception")))
        turn = Turn(1.0, at_end=fail, lost=_nothing)
        assert turn.is_mine(0.0)
        await asyncio.sleep(0)
        assert turn.is_mine(9.0)
        assert [True, False] == [turn.has_time(now) for now in (12.9, 13.1)]
        await asyncio.sleep(0)

    asyncio.run(work())
    assert [ArithmeticError, ArithmeticError] == [type(error) for error in told]


def _nothing() -> None: ...


def _tried(pace: Pace, times: list[float], note: Callable[[Pace, float], None]) -> int:
    """Return after how many equal times a shape is kept off."""
    for number, now in enumerate(times, start=1):
        note(pace, now)
        if not pace.is_quick("shape", now):
            return number
    return 0


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.5, 0), (1.0, 0), (1.5, 5), (2.0, 4), (60.0, 4)]
)
def test_a_slow_shape_is_kept_off(seconds: float, expected: int) -> None:
    """Four slow answers in a row keep a shape off, one does not, however slow it was."""
    pace = Pace(1.0)
    tries = [n / 100 for n in range(20)]
    assert expected == _tried(pace, tries, lambda pace, now: pace.note("shape", seconds, now))


def test_a_shape_comes_back() -> None:
    """After a second the shape is tried again, others were never kept off, and it begins anew."""
    pace = Pace(1.0)
    assert 2 == _tried(pace, [5.0] * 9, lambda pace, now: pace.note_broken_off("shape", now))
    assert [False, False, True] == [pace.is_quick("shape", now) for now in (5.0, 5.999, 6.001)]
    assert pace.is_quick("other", 5.0)
    pace.note_broken_off("shape", 6.001)
    assert pace.is_quick("shape", 6.001)


def test_no_number_of_shapes_fills_the_memory() -> None:
    """Of very many shapes the old ones are forgotten."""
    pace = Pace(1.0)
    for number in range(5_000):
        pace.note(number, 0.1, 0.0)
        for _ in range(2):
            pace.note_broken_off(-number, 0.0)
    assert pace.is_quick(-1, 0.0)
    assert not pace.is_quick(-4_999, 0.0)


def test_a_second_loop_at_the_same_moment_gives_way() -> None:
    """Of loops that ask at once for a free turn exactly one gets it at a time."""
    ends = asyncio.run(_ends())
    turn = ends.turn()
    together = threading.Barrier(8)
    inside: list[int] = []

    async def work() -> int:
        got = 0
        for _ in range(200):
            if turn.is_mine(0.0):
                inside.append(1)
                assert 1 == len(inside)
                inside.pop()
                got += 1
            await asyncio.sleep(0)
        return got

    def run() -> None:
        together.wait(30)
        counts.append(asyncio.run(work()))

    counts: list[int] = []
    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 8 == len(counts)
    assert 0 < sum(counts)
