"""Give the same steps to every contestant, one step at a time, in an order that keeps changing."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from .contestants import Contestant
from .figures import file_bytes, median, percentile, used_bytes
from .workloads import Event, Fork, Put, State

_FEWEST: Final = 20


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


async def race(
    lanes: Mapping[str, Contestant],
    events: Iterable[Event],
    folder: Path,
    *,
    run: int,
    marks: Sequence[int] = (),
    every: Mapping[str, int] | None = None,
) -> dict[str, Lane]:
    """Run one workload through fresh stores in `folder`, and delete them.

    At `marks` the size in use is asked for. Raises `WrongStateError` where the state that is
    loaded at the end is not the one that was put.
    """
    order, results = Random(run), {name: Lane((every or {}).get(name, 1)) for name in lanes}
    paths = {name: folder / f"{place}.db" for place, name in enumerate(lanes)}
    sized = {at for mark in marks for at in (_before(mark), mark)}
    for name, lane in lanes.items():
        await lane.open(paths[name])
    gc.collect()
    gc.freeze()
    step, newest = 0, Put({})
    for event in events:
        names = list(lanes)
        order.shuffle(names)
        step += isinstance(event, Put)
        for name in names:
            if isinstance(event, Fork):
                await lanes[name].fork(event.thread, source=event.source, after=event.after)
            elif step % results[name].every == 0:
                call = lanes[name].prepare(event)
                started = time.perf_counter_ns()
                await call()
                results[name].times[step] = (time.perf_counter_ns() - started) / 1_000
        if isinstance(event, Put):
            newest = event
            if step in sized:
                for name in lanes:
                    results[name].used[step] = used_bytes(paths[name])
    gc.unfreeze()
    for name, lane in lanes.items():
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
