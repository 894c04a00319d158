"""A store that moves serves callers on every event loop, and keeps none waiting for ever."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.errors import Conflict, Unavailable
from ropewalk.layers.signal import Signal, Turns
from ropewalk.layers.switch import SwitchLayer
from ropewalk.testing.samples import found, put, read, soon, write

THREADS = 4
TURNS = 60
MOVES = 6


def _memory() -> MemoryBackend:
    return MemoryBackend(clock=SystemClock())


@pytest.mark.seed("1.4", "5.1")
async def test_no_increment_is_lost_while_the_store_moves() -> None:
    """Threads with loops of their own count up, the store moves from place to place meanwhile."""
    layer = SwitchLayer(_memory())
    await layer.open()
    await write(layer, put("counter", b"0"))

    async def add() -> None:
        for _ in range(TURNS):
            while True:
                record = await found(layer, "counter")
                total = int(record.body or b"") + 1
                try:
                    await write(layer, put("counter", b"%d" % total, expect=record.version))
                except Conflict:
                    continue
                break

    adding = [asyncio.create_task(asyncio.to_thread(asyncio.run, add())) for _ in range(THREADS)]
    for _ in range(MOVES):
        await layer.switch(_memory())
    await soon(asyncio.gather(*adding))
    assert b"%d" % (THREADS * TURNS) == (await found(layer, "counter")).body
    await layer.close()
    with pytest.raises(Unavailable):
        await read(layer, "counter")


@pytest.mark.seed("4.5")
async def test_who_blocks_the_loop_that_moves_is_told() -> None:
    """A write of another loop waits for a move only so long: the move may wait for it."""
    layer = SwitchLayer(_memory(), patience=0.2)
    await layer.open()
    await write(layer, put("a"))
    # As in the midst of a move, when no write may begin.
    place = layer._place  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    await layer._stop(place)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    refused: list[str] = []

    def work() -> None:
        try:
            asyncio.run(write(layer, put("b")))
        except Unavailable as error:
            refused.append(error.code)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert ["busy"] == refused
    waiting = asyncio.create_task(write(layer, put("c")))
    await asyncio.sleep(0)
    layer._reopen(place)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    assert (1,) == await soon(waiting)
    await layer.close()


async def test_a_signal_wakes_every_loop() -> None:
    """Whoever waits, on whatever loop, goes on; whoever was cancelled is forgotten."""
    signal = Signal()
    threads = [asyncio.create_task(asyncio.to_thread(asyncio.run, signal.wait())) for _ in "ab"]
    mine, cancelled = asyncio.create_task(signal.wait()), asyncio.create_task(signal.wait())
    await asyncio.sleep(0)
    cancelled.cancel()
    signal.set()
    await soon(asyncio.gather(mine, *threads))
    assert cancelled.cancelled()
    assert signal.is_set()
    await soon(signal.wait())
    signal.clear()
    assert not signal.is_set()


@pytest.mark.seed("5.2")
async def test_turns_are_taken_one_at_a_time() -> None:
    """Of many tasks on many loops one is in the block at any time, and all come in."""
    turns = Turns()
    inside: list[int] = []
    most: list[int] = []

    async def work(n: int) -> None:
        for _ in range(5):
            async with turns.mine():
                inside.append(n)
                most.append(len(inside))
                await asyncio.sleep(0)
                inside.remove(n)

    threads = [asyncio.to_thread(asyncio.run, work(n)) for n in range(THREADS)]
    await soon(asyncio.gather(work(-1), work(-2), *threads))
    assert [1] * (5 * (THREADS + 2)) == most
    assert not turns.locked()
