"""Slices: everybody works for a fraction of a second in turns, in an order that changes."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, TypeAlias

from .figures import median, percentile
from .tables import number

Place: TypeAlias = tuple[str, ...]
"""What is measured, from the general to the special; its last part is who."""

_TICK: Final = 0.001


@dataclass(slots=True)
class Figures:
    """Calls a second and the processor's microseconds of one call, for each slice; lateness, ms."""

    rates: list[float] = field(default_factory=list[float])
    cpu: list[float] = field(default_factory=list[float])
    late: list[float] = field(default_factory=list[float])

    def rate(self) -> float:
        """Return the median."""
        return median(self.rates)

    def spread(self) -> str:
        """Return the median, and the quartiles behind it."""
        low, high = percentile(self.rates, 0.25), percentile(self.rates, 0.75)
        return f"{number(self.rate())} ({number(low)}–{number(high)})"

    def lateness(self) -> float | None:
        """Return p99 in milliseconds, `None` where no timer ran."""
        return percentile(self.late, 0.99) if self.late else None


Found: TypeAlias = dict[Place, Figures]


@dataclass(frozen=True, slots=True)
class Slice:
    """Calls a second, the processor's microseconds of one call, how late the timer was, in ms."""

    rate: float
    cpu: float
    late: list[float] = field(default_factory=list[float])


class _Watch:
    """Two clocks: the wall's, and that of the processor in all threads of this process."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def stop(self, count: int, late: list[float]) -> Slice:
        """Return the slice of so many calls."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return Slice(count / wall, 1e6 * cpu / count, late)


@dataclass(frozen=True, slots=True)
class Tasks:
    """So many tasks that call one after the other; each is told its number and that of the call."""

    place: Place
    call: Callable[[int, int], Awaitable[None]]
    tasks: int = 1

    async def slice(self, first: int, seconds: float) -> Slice:
        """Work so long, beside a timer that wants to fire every millisecond."""
        count, late, watch = 0, list[float](), _Watch()
        end = time.perf_counter() + seconds

        async def work(task: int) -> None:
            nonlocal count
            while not count or time.perf_counter() < end:
                count += 1
                await self.call(task, first + count)

        async def tick() -> None:
            while (before := time.perf_counter()) < end:
                await asyncio.sleep(_TICK)
                late.append((time.perf_counter() - before - _TICK) * 1_000)

        await asyncio.gather(tick(), *map(work, range(self.tasks)))
        return watch.stop(count, late)


@dataclass(frozen=True, slots=True)
class Loop:
    """Calls one after the other without asyncio."""

    place: Place
    call: Callable[[int], None]

    async def slice(self, first: int, seconds: float) -> Slice:
        """Work so long; no timer runs, for nothing else does."""
        count, watch = 0, _Watch()
        end = time.perf_counter() + seconds
        while not count or time.perf_counter() < end:
            count += 1
            self.call(first + count)
        return watch.stop(count, [])


async def run(lanes: Sequence[Tasks | Loop], *, rounds: int, seconds: float) -> Found:
    """Give every lane a slice in every round, in an order of the round's own."""
    found: Found = {lane.place: Figures() for lane in lanes}
    # What was made before stays: looking through it again would take longer than a slice.
    gc.collect()
    gc.freeze()
    for turn in range(rounds):
        print(f"          round {turn + 1} of {rounds}", end="\r", file=sys.stderr, flush=True)
        order = Random(turn)
        todo = list(lanes)
        order.shuffle(todo)
        for lane in todo:
            gc.collect()
            sliced = await lane.slice(order.randrange(1 << 60), seconds)
            figures = found[lane.place]
            figures.rates.append(sliced.rate)
            figures.cpu.append(sliced.cpu)
            figures.late += sliced.late
    gc.unfreeze()
    return found


def said(rounds: int, seconds: float) -> str:
    """Say of what the figures are medians."""
    return f"Medians of {rounds} slices of {seconds:g} s each."


def times(found: Found, mine: Place, theirs: Place) -> float | None:
    """Return the median over the rounds of how many times faster one was in that round."""
    if mine not in found or theirs not in found:
        return None
    pairs = zip(found[mine].rates, found[theirs].rates, strict=True)
    return median(one / other for one, other in pairs)


def micros() -> float:
    """Return a reading of the clock for durations."""
    return time.perf_counter_ns() / 1_000
