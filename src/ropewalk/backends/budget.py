"""`Budget`: how long callers keep an event loop busy before they stand in line for its turns."""

from __future__ import annotations

import asyncio
import math
import threading
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Final

from ..domain.errors import Invalid

LOOP_BUDGET: Final = 1.0
"""Milliseconds of a turn, unless told otherwise."""

_MOST: Final = 16
"""So many of those who stand in line are called in one turn at most: each may have to stand in
line again, which costs some microseconds."""


class _Line:
    """Those who wait on one loop, first come first served."""

    __slots__ = ("again", "end", "first", "is_served", "loop", "waiting", "went")

    def __init__(self, loop: asyncio.AbstractEventLoop | None, end: float) -> None:
        self.loop = loop
        self.end = end
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.again: list[asyncio.Future[None]] = []
        self.is_served = False
        self.first = False
        self.went = 1


class _Here(threading.local):
    """What belongs to the loop that runs in a thread; nobody else touches it."""

    line = _Line(None, -math.inf)
    until = -math.inf
    """When time is over for whoever comes now. It stays over for as long as anybody waits."""


class Budget:
    """Let the callers of one store go on while a loop's time lasts, and then a few in each turn.

    `seconds` is how long all of them together may keep a loop busy, with what they do between
    their calls, before it gets its turn; with 0 every call gives way. Whoever calls asks `is_left`,
    and awaits `next_turn` where it is not. Any number of loops, each in a thread of its own, have
    as much time each.
    """

    __slots__ = ("_clock", "_here", "_seconds")

    def __init__(self, seconds: float, *, clock: Callable[[], float] = perf_counter) -> None:
        """Begin with nobody in line; `clock` tells seconds and never goes back."""
        self._seconds = seconds
        self._clock = clock
        self._here = _Here()

    def is_left(self) -> bool:
        """Tell whether a caller may go on at once."""
        return self._clock() < self._here.until

    async def next_turn(self) -> None:
        """Give way to the event loop until it is the caller's turn.

        A caller that is cancelled meanwhile leaves the line, and the others go on.
        """
        loop, here = asyncio.get_running_loop(), self._here
        line = here.line
        if line.loop is not loop:
            # Another loop than the last one in this thread: nothing of its time was used so far.
            here.until = self._clock() + self._seconds
            line = here.line = _Line(loop, here.until)
            if self._seconds:
                return
        place = loop.create_future()
        line.waiting.append(place)
        self._see_to(line)
        await place
        while not line.first and self._clock() >= line.end:
            place = loop.create_future()
            line.again.append(place)
            self._see_to(line)
            await place
        line.first = False
        line.went += 1

    def _see_to(self, line: _Line) -> None:
        if not line.is_served and line.loop is not None:
            line.is_served = True
            line.loop.call_soon(self._serve, line)

    def _serve(self, line: _Line) -> None:
        """Begin a turn: call the first in line, a few more than there was time for in the last."""
        line.end = self._clock() + self._seconds
        # Whatever else the loop has to do, one of them gets on in each turn.
        line.first = True
        left = min(line.went + 2, _MOST)
        line.went = 0
        waiting = line.waiting
        waiting.extendleft(reversed(line.again))
        line.again.clear()
        while waiting and left:
            place = waiting.popleft()
            if not place.done():
                place.set_result(None)
                left -= 1
        line.is_served = False
        if waiting:
            self._see_to(line)
        else:
            self._here.until = line.end


def milliseconds(name: str, value: object) -> float:
    """Return an option that is a span of time; raise `Invalid`, naming it, for anything else."""
    try:
        span = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        span = math.nan
    if isinstance(value, bool) or not 0 <= span < math.inf:
        message = f"the option {name} must be a number of milliseconds, 0 or more, not {value!r}"
        raise Invalid(message, code="bad_option", field=name)
    return span
