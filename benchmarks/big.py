"""One big state in a process of its own: how long, how much memory, how late the event loop.

`python -m benchmarks.big NAME MEGABYTES FILE` prints what it measured as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
import time
from bisect import bisect_left
from collections.abc import Awaitable
from dataclasses import asdict, dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Final, TypeVar

from ropewalk.domain.errors import RopewalkError

from .contestants import contestants
from .figures import file_bytes, median, percentile
from .race import check
from .workloads import MAIN, Put, State, conversation

_MESSAGE_BYTES: Final = 1_322
"""The mean of a message in MessagePack; measured over 5,000 of them."""
_TICK: Final = 0.001
_SETTLE: Final = 0.005
_AGAIN: Final = 100
"""How often a state of 1 MB is saved again; bigger ones less often."""

_Found = TypeVar("_Found")


@dataclass(slots=True)
class Measured:
    """Seconds, milliseconds of lateness, and bytes; `refused` is the sentence of a refusal.

    `late` has p99.9 and the worst of each phase, and `own` the same without what Python's own
    garbage collector took of it.
    """

    first: float = 0.0
    again: float = 0.0
    load: float = 0.0
    late: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    own: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    memory: int = 0
    size: int = 0
    refused: str = ""


class _Collector:
    """Notes from when to when Python's own garbage collector was at work."""

    def __init__(self) -> None:
        self._spans: list[tuple[float, float]] = []
        self._began = 0.0
        gc.callbacks.append(self._note)

    def within(self, begin: float, end: float) -> float:
        """Return for how many seconds it was at work between two moments."""
        at = bisect_left(self._spans, begin, key=itemgetter(1))
        seconds = 0.0
        while at < len(self._spans) and self._spans[at][0] < end:
            first, last = self._spans[at]
            seconds += max(0.0, min(end, last) - max(begin, first))
            at += 1
        return seconds

    def _note(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        elif time.perf_counter() - self._began > _TICK / 10:
            self._spans.append((self._began, time.perf_counter()))


class _Ticker:
    """A timer that wants to fire every millisecond, and notes how late it does."""

    def __init__(self) -> None:
        self._collector = _Collector()
        self._late: dict[str, list[tuple[float, float]]] = {}

    async def watch(self, phase: str, call: Awaitable[_Found]) -> tuple[_Found, float]:
        """Await `call` beside the timer; return its result and the seconds it took."""
        task = asyncio.create_task(self._run(self._late.setdefault(phase, [])))
        await asyncio.sleep(0)
        started = time.perf_counter()
        try:
            found = await call
            took = time.perf_counter() - started
            await asyncio.sleep(_SETTLE)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return found, took

    def worst(self, *, own: bool) -> dict[str, list[float]]:
        """Return p99.9 and the worst of each phase, in milliseconds, of all or of what is `own`."""
        found: dict[str, list[float]] = {}
        for phase, spans in self._late.items():
            late = [
                1_000 * (woke - due - (self._collector.within(due, woke) if own else 0.0))
                for due, woke in spans
            ]
            if late:
                found[phase] = [percentile(late, 0.999), max(late)]
        return found

    async def _run(self, late: list[tuple[float, float]]) -> None:
        while True:
            due = time.perf_counter() + _TICK
            await asyncio.sleep(_TICK)
            late.append((due, time.perf_counter()))


class _Memory:
    """Tells how much more memory the process had at its peak than when this object was made."""

    def __init__(self) -> None:
        gc.collect()
        try:
            Path("/proc/self/clear_refs").write_text("5", "ascii")
        except OSError:
            self._resettable = False
            self._before = self._peak()
        else:
            self._resettable = True
            self._before = self._field("VmRSS:")

    def more(self) -> int:
        """Return bytes."""
        return max(0, (self._field("VmHWM:") if self._resettable else self._peak()) - self._before)

    def _field(self, name: str) -> int:
        lines = Path("/proc/self/status").read_text("ascii").splitlines()
        return next(1_024 * int(line.split()[1]) for line in lines if line.startswith(name))

    def _peak(self) -> int:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1_024


async def measure(name: str, megabytes: int, path: Path) -> Measured:
    """Save a state, save it again and again with a message more, and load it from the file anew."""
    again = max(1, _AGAIN // megabytes)
    written = conversation(megabytes * 1_000_000 // _MESSAGE_BYTES + again)
    messages = written[:-again]
    state: State = {"messages": messages}
    result, ticker, times = Measured(), _Ticker(), list[float]()
    lane = contestants(name)[name]
    await lane.open(path)
    memory = _Memory()
    try:
        _, result.first = await ticker.watch("first", lane.prepare(Put(state))())
        for last in written[-again:]:
            messages.append(last)
            call = lane.prepare(Put(state, {"messages": [last]}))()
            times.append((await ticker.watch("again", call))[1])
        result.memory = memory.more()
    except RopewalkError as error:
        result.refused = f"{type(error).__name__}: {error}"
        await lane.close()
        return result
    await lane.close()
    result.again, result.size = median(times), file_bytes(path)
    await lane.open(path)
    found, result.load = await ticker.watch("load", lane.latest(MAIN))
    check(name, found, state)
    await lane.close()
    result.late, result.own = ticker.worst(own=False), ticker.worst(own=True)
    return result


if __name__ == "__main__":
    found = asyncio.run(measure(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
    print(json.dumps(asdict(found)))
