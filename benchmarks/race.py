"""Give the same steps to every contestant, some at a time, in an order that keeps changing."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final

from .contestants import Contestant
from .figures import file_bytes, median, percentile, used_bytes
from .workloads import Event, Fork, Put, State, Workload

_FEWEST: Final = 20

TOGETHER: Final = 25
"""So many steps a contestant takes before it is the next one's turn. A step behind one of another
store, or behind anything else that takes some milliseconds, finds the caches of the processor full
of that: it would tell what the others leave behind."""


@dataclass(slots=True)
class Lane:
    """What one contestant did in one run. Times are microseconds, sizes bytes.

    `every` more than 1 means: only every so many-th step was put, and `size` is scaled.
    """

    every: int = 1
    times: dict[int, float] = field(default_factory=dict[int, float])
    used: dict[int, int] = field(default_factory=dict[int, int])
    size: int = 0

    def window(self, step: int, share: float) -> float:
        """Return a percentile of the times of the last tenth of the steps up to `step`."""
        first = step - max(_FEWEST, step // 10)
        return percentile([t for n, t in self.times.items() if first < n <= step], share)

    def per_put(self, step: int) -> float:
        """Return what a put near `step` added to the file: the mean over 25 to 100 puts."""
        start = _before(step)
        puts = sum(1 for n in self.times if start < n <= step)
        return (self.used[step] - self.used[start]) / puts


class WrongStateError(Exception):
    """A contestant gave back another state than it was given."""


class _Runner:
    """One contestant on its way through a workload."""

    def __init__(self, lane: Contestant, result: Lane) -> None:
        self._lane = lane
        self._result = result
        self._step = 0
        self.newest = Put({})

    async def take(self, event: Event) -> None:
        """Take one more step, and note how long it took."""
        if isinstance(event, Fork):
            await self._lane.fork(event.thread, source=event.source, after=event.after)
            return
        self.newest = event
        self._step += 1
        if self._step % self._result.every == 0:
            call = self._lane.prepare(event)
            started = time.perf_counter_ns()
            await call()
            self._result.times[self._step] = (time.perf_counter_ns() - started) / 1_000


async def race(
    lanes: Mapping[str, Contestant],
    workload: Workload,
    folder: Path,
    *,
    run: int,
    marks: Sequence[int] = (),
    every: Mapping[str, int] | None = None,
) -> dict[str, Lane]:
    """Run one workload through fresh stores in `folder`, and delete them.

    Each has the same steps of its own, since what was put is changed in place later on. At `marks`
    the size in use is asked for. Raises `WrongStateError` where the state that is loaded at the
    end is not the one that was put.
    """
    order, results = Random(run), {name: Lane((every or {}).get(name, 1)) for name in lanes}
    paths = {name: folder / f"{place}.db" for place, name in enumerate(lanes)}
    sized = {at for mark in marks for at in (_before(mark), mark)}
    for name, lane in lanes.items():
        await lane.open(paths[name])
    gc.collect()
    gc.freeze()
    runners = {name: _Runner(lane, results[name]) for name, lane in lanes.items()}
    feeds = {name: workload() for name in lanes}
    step, moved = 0, True
    while moved:
        names = list(lanes)
        order.shuffle(names)
        some = min([TOGETHER, *[at - step for at in sized if at > step]])
        moved = False
        for name in names:
            for event in islice(feeds[name], some):
                await runners[name].take(event)
                moved = True
        step += some
        if step in sized:
            for name in lanes:
                results[name].used[step] = used_bytes(paths[name])
    gc.unfreeze()
    for name, lane in lanes.items():
        newest = runners[name].newest
        check(name, await lane.latest(newest.thread), newest.state)
        await lane.close()
        results[name].size = file_bytes(paths[name]) * results[name].every
        paths[name].unlink()
    return results


def check(name: str, found: State, expected: State) -> None:
    """Raise `WrongStateError` unless both states are equal."""
    if dict(found) != expected:
        message = f"{name} gave back another state than it was given"
        raise WrongStateError(message)


def sizes(runs: Sequence[Mapping[str, Lane]], name: str) -> float:
    """Return the median size of a contestant's file over the runs."""
    return median(run[name].size for run in runs)


def times(runs: Sequence[Mapping[str, Lane]], name: str, step: int, share: float = 0.5) -> float:
    """Return the median over the runs of a percentile at `step`, in microseconds."""
    return median(run[name].window(step, share) for run in runs)


def growth(runs: Sequence[Mapping[str, Lane]], name: str, step: int) -> float:
    """Return the median over the runs of the bytes that a put near `step` added."""
    return median(run[name].per_put(step) for run in runs)


def _before(step: int) -> int:
    """Where the window of a mark begins: 100 steps before it, or half way."""
    return max(step // 2, step - 100)
