"""Waiting for commits, and forgetting them, through every layer: also while the store moves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Batch
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Denied, NotFound, Unavailable
from ropewalk.domain.ports import Backend
from ropewalk.layers.base import Layer
from ropewalk.layers.breaker import BreakerLayer
from ropewalk.layers.logs import LogsLayer
from ropewalk.layers.readonly import ReadonlyLayer
from ropewalk.layers.retry import RetryLayer
from ropewalk.layers.switch import SwitchLayer
from ropewalk.testing.samples import commits, put, soon, write

pytestmark = pytest.mark.seed("8.3")

Wrap = Callable[[Backend], Layer]


class Faltering(Layer):
    """Break off the first waits."""

    def __init__(self, below: Backend, *, times: int) -> None:
        """Stand round `below`."""
        super().__init__(below)
        self.left = times

    async def changed(self, after: int) -> int:
        """Fail, as long as it is to."""
        if self.left:
            self.left -= 1
            message = "the connection broke: try again"
            raise Unavailable(message, code="flaky")
        return await self.below.changed(after)


def _memory() -> MemoryBackend:
    return MemoryBackend(clock=FrozenClock())


async def _filled(backend: Backend, count: int, *, begin: int = 0) -> list[int]:
    batches = [Batch((put(f"n{n}"),), id=f"b{n}") for n in range(begin, begin + count)]
    return [(await backend.apply(batch)).seq for batch in batches]


async def _numbers(backend: Backend, after: int = 0) -> list[int]:
    return [commit.seq for commit in await commits(backend, after)]


@pytest.mark.seed("1.4")
async def test_who_waits_moves_along_with_the_store() -> None:
    """A caller that waits while the store is moved is woken by the first commit in the new one."""
    layer = SwitchLayer(_memory())
    await layer.open()
    numbers = await _filled(layer, 5)
    waiting = [asyncio.ensure_future(layer.changed(numbers[-1])) for _ in range(3)]
    await asyncio.sleep(0)
    for _ in range(3):
        await layer.switch(_memory())
        assert not any(task.done() for task in waiting)
    assert numbers[-1] <= await soon(layer.changed(-1))
    (more,) = await _filled(layer, 1, begin=5)
    assert [more] * 3 == await soon(asyncio.gather(*waiting))
    assert [*numbers, more] == await _numbers(layer)
    later = asyncio.ensure_future(layer.changed(more))
    await asyncio.sleep(0)
    await layer.close()
    with pytest.raises(Unavailable):
        await soon(later)


@pytest.mark.seed("1.4")
async def test_an_exchange_is_told_to_who_waits() -> None:
    """Where the other store is no copy, its numbers say nothing about this one's."""
    layer = SwitchLayer(_memory())
    await layer.open()
    (number,) = await _filled(layer, 1)
    waiting = asyncio.ensure_future(layer.changed(number))
    await asyncio.sleep(0)
    await layer.switch(_memory(), copy=False)
    with pytest.raises(Conflict) as caught:
        await soon(waiting)
    assert caught.value.code == "feed_replaced"
    await layer.close()


@pytest.mark.seed("1.4")
async def test_a_moved_store_forgets_as_any_other() -> None:
    """Commits of earlier stores and its own go from the oldest on; the horizon stays where it is.

    Also after another move, and wherever the horizon lies then.
    """
    for first in range(1, 16):
        layer = SwitchLayer(_memory())
        await layer.open()
        numbers = await _filled(layer, 5)
        await layer.switch(_memory())
        numbers += await _filled(layer, 5, begin=5)
        await layer.switch(_memory())
        numbers += await _filled(layer, 4, begin=10)
        before = await commits(layer)
        gone = [number for number in numbers if number < first]
        gone = gone[: len(numbers) - 1]
        assert len(gone) == await layer.trim(first)
        for _ in range(3):
            assert before[len(gone) :] == await commits(layer)
            for place, number in enumerate(numbers):
                if place + 1 < len(gone):
                    with pytest.raises(NotFound) as caught:
                        await commits(layer, number)
                    assert gone[-1] == caught.value.facts["forgotten"]
                else:
                    assert before[place + 1 :] == await commits(layer, number)
            assert await layer.trim(first) == 0
            await layer.switch(_memory())
        (more,) = await _filled(layer, 1, begin=20)
        assert more > numbers[-1]
        assert [commit.seq for commit in before[len(gone) :]] + [more] == await _numbers(layer)
        again = await layer.apply(Batch((put("n13"),), id="b13"))
        assert again.replayed
        if gone:
            assert not (await layer.apply(Batch((put("n0"),), id="b0"))).replayed
        await layer.close()


@pytest.mark.seed("1.4")
async def test_everything_but_the_newest_can_go() -> None:
    """Bit by bit or at once, of a store that was moved the newest commit stays, and only that."""
    layer = SwitchLayer(_memory())
    await layer.open()
    numbers = await _filled(layer, 4)
    await layer.switch(_memory())
    assert await layer.trim(2**62) == 3
    assert numbers[-1:] == await _numbers(layer)
    numbers += await _filled(layer, 4, begin=4)
    for n, number in enumerate(numbers[4:], start=4):
        assert await layer.trim(number) == 1, n
        assert numbers[n:] == await _numbers(layer)
    await layer.close()


@pytest.mark.seed("1.4", "4.4")
async def test_forgetting_waits_for_a_move() -> None:
    """While the store is copied nothing is forgotten: the copy would not know of it."""
    layer = SwitchLayer(_memory())
    await layer.open()
    numbers = await _filled(layer, 30)
    moving = asyncio.ensure_future(layer.switch(_memory()))
    await asyncio.sleep(0)
    forgetting = asyncio.ensure_future(layer.trim(numbers[20]))
    await soon(moving)
    assert await soon(forgetting) == 20
    assert numbers[20:] == await _numbers(layer)
    assert 30 == len(
        [r for r in await layer.get([put(f"n{n}").key for n in range(30)]) if r is not None]
    )
    await layer.close()


async def test_a_wait_that_breaks_off_is_taken_up_again() -> None:
    """Retrying goes on waiting; a failure after a long wait counts as the first."""
    below = Faltering(_memory(), times=3)
    layer = RetryLayer(below, attempts=5, first=0.001)
    await layer.open()
    waiting = asyncio.ensure_future(layer.changed(0))
    await write(layer, put("a"))
    assert await soon(waiting) == 1
    below.left = 9
    with pytest.raises(Unavailable):
        await soon(layer.changed(1))
    assert below.left == 4


async def test_a_wait_keeps_no_circuit_occupied() -> None:
    """Somebody who waits for hours says nothing about whether the store answers."""
    layer = BreakerLayer(_memory())
    await layer.open()
    waiting = [asyncio.ensure_future(layer.changed(0)) for _ in range(10)]
    await asyncio.sleep(0)
    assert await soon(layer.changed(-1)) == 0
    await write(layer, put("a"))
    assert [1] * 10 == await soon(asyncio.gather(*waiting))
    assert (await layer.ping()).facts["circuit_reading"] == "closed"


async def test_waiting_is_not_being_slow(caplog: pytest.LogCaptureFixture) -> None:
    """A long wait is logged when it ends, with its outcome, and never as slow."""
    layer = LogsLayer(_memory(), slow=0.0)
    await layer.open()
    quick = LogsLayer(layer.below, slow=0.000_001)
    with caplog.at_level(logging.DEBUG, "ropewalk.operations"):
        waiting = asyncio.ensure_future(quick.changed(0))
        await asyncio.sleep(0.001)
        await write(layer.below, put("a"))
        await soon(waiting)
        await quick.trim(1)
    (line,) = [record for record in caplog.records if record.message.startswith("changed")]
    assert "DEBUG" == line.levelname
    assert {"after": 0, "newest": 1, "outcome": "ok"}.items() <= line.__dict__["ropewalk"].items()


async def test_who_may_only_read_forgets_nothing() -> None:
    """Forgetting is refused, waiting is not."""
    layer = ReadonlyLayer(_memory())
    await layer.open()
    assert await soon(layer.changed(-1)) == 0
    with pytest.raises(Denied):
        await layer.trim(5)


async def test_a_restarted_layer_knows_its_horizon() -> None:
    """What a moved store has forgotten is written in it, for whoever opens it next."""
    store = _memory()
    layer = SwitchLayer(_memory())
    await layer.open()
    numbers = await _filled(layer, 10)
    await layer.switch(store)
    await layer.trim(numbers[6])
    again = SwitchLayer(store)
    await again.open()
    assert numbers[6:] == await _numbers(again)
    with pytest.raises(NotFound):
        await _numbers(again, numbers[3])
    assert await commits(layer) == await commits(again)
    await layer.close()
