"""`Door`: let in as many callers as a turn of the event loop has time for, and the rest later."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Final

TURN: Final = 0.0015
"""Seconds of a turn of the loop after which nobody else is let in."""

_STAY: Final = 0.5
"""Who was let in may call again for this part of a turn's time, before the line goes on: to stand
in it takes nearly as long as a short read."""

_BUSY: Final = 3
"""A loop that takes so many turns' time before it comes to those it called has enough to do: then
nobody is let in between, or they would wait three times as long."""

_MOST: Final = 16
"""So many are called in one turn at most: whoever finds its time over stands in line again."""


class _Line:
    """Those who wait on one loop, first come first served."""

    __slots__ = (
        "again",
        "called",
        "ended",
        "first",
        "has_begun",
        "is_busy",
        "loop",
        "most",
        "stays",
        "until",
        "waiting",
        "went",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self.loop = loop
        self.until = 0.0
        self.stays = 0.0
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.again: list[asyncio.Future[None]] = []
        self.called = 0
        self.has_begun = False
        self.ended = 0.0
        self.is_busy = False
        self.first = False
        self.went = 0
        self.most = 0


class _Here(threading.local):
    """What belongs to the loop that runs in a thread; nobody else touches it."""

    line = _Line(None)


class Door:
    """Keep a hundred callers who come at once from having one turn of the loop between them.

    What a caller does before it first waits holds up everything else on its loop. Whoever comes
    goes in while the turn's time lasts; the others wait for the next turns, in the order in which
    they came, and may then call again for half a turn. Any number of loops, each in a
    thread of its own, have as much time each.
    """

    __slots__ = ("_clock", "_here", "_seconds")

    def __init__(self, seconds: float, *, clock: Callable[[], float] = perf_counter) -> None:
        """Let callers in for so many seconds of a turn, with 0 none at once.

        `clock` tells seconds and never goes back.
        """
        self._seconds = seconds
        self._clock = clock
        self._here = _Here()

    def is_open(self) -> bool:
        """Tell whether a caller may go on at once; if not, it awaits `enter`."""
        line, loop = self._here.line, asyncio.get_running_loop()
        if line.loop is not loop:
            line = self._here.line = _Line(loop)
        if line.has_begun:
            others = line.called or line.waiting or line.again
            return self._clock() < (line.stays if others else line.until)
        # The first of a turn.
        self._begin(line, loop)
        return self._seconds > 0

    def is_crowded(self) -> bool:
        """Tell whether others stand in line: what is done for several at once is then done so."""
        line = self._here.line
        return bool(line.called or line.waiting or line.again)

    def is_over(self) -> bool:
        """Tell whether the time of this turn is used up.

        Whoever has kept the loop busy for so long gives way when it is done: its next call then
        need not stand in line with all that it brings.
        """
        line = self._here.line
        return line.has_begun and self._clock() >= line.until

    async def enter(self) -> None:
        """Wait until it is the caller's turn, which is never the present one.

        A caller that is cancelled meanwhile leaves the line, and the others go on.
        """
        line, loop = self._here.line, asyncio.get_running_loop()
        if line.loop is not loop:
            line = self._here.line = _Line(loop)
        if not line.has_begun:
            self._begin(line, loop)
        place = loop.create_future()
        line.waiting.append(place)
        await place
        line.called -= 1
        # Others may have used up this turn; but one of those who wait gets on in each.
        while not line.first and self._clock() >= line.until:
            place = loop.create_future()
            line.again.append(place)
            await place
            line.called -= 1
        now = self._clock()
        if line.first:
            # What else the loop had to do before it came to those it called is not their time; but
            # that was long, and what they bring comes on top of it.
            line.first = False
            line.until = now + self._seconds / 2
            line.is_busy = now - line.ended > _BUSY * self._seconds
        line.went += 1
        line.stays = min(now + _STAY * self._seconds, line.until)

    def _begin(self, line: _Line, loop: asyncio.AbstractEventLoop) -> None:
        line.has_begun = True
        line.until = self._clock() + self._seconds
        loop.call_soon(self._end, line, loop)

    def _end(self, line: _Line, loop: asyncio.AbstractEventLoop) -> None:
        """End a turn; where somebody waits, the next one begins when everybody else had theirs."""
        line.went, line.most = 0, min(line.went + 2, _MOST)
        line.ended = self._clock()
        if not (line.waiting or line.again):
            line.has_begun = False
            line.first = True
            line.called = 0
        elif line.is_busy:
            self._call(line, loop)
        else:
            # A timer that has come meanwhile wakes its task in the next turn, and that one runs in
            # the turn behind it: called at once, those in line would come before both.
            loop.call_soon(loop.call_soon, self._call, line, loop)

    def _call(self, line: _Line, loop: asyncio.AbstractEventLoop) -> None:
        """Call the first in line, a few more than there was time for in the last turn."""
        waiting = line.waiting
        waiting.extendleft(reversed(line.again))
        line.again.clear()
        line.has_begun = False
        line.first = True
        # Who was called and cancelled does not come.
        line.called = 0
        while waiting and line.called < line.most:
            place = waiting.popleft()
            if not place.done():
                place.set_result(None)
                line.called += 1
        # They come first in the next turn, and what ends that one comes behind them.
        if line.called:
            self._begin(line, loop)


DOOR: Final = Door(TURN)
"""The door for everybody: a loop has one turn at a time, however many stores are used on it."""
