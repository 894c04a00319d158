"""A turn of one event loop: how much of it the store may use, and what it does when that ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Final

LATE: Final = 4
"""So many budgets by the clock are too long, however little the processor was used."""


class Turn:
    """Belong to one loop at a time, from its first question in a turn to the turn's end.

    `budget` is how many seconds of processor time may go by in a turn before the store ends it, and
    four times as many seconds of the clock: a process that others interrupt must not take every
    turn for over, and one that waits for a disk not for endless. `at_end` is called on the loop
    when the turn is over, and again in each following turn as long as it returns True; `lost` when
    the loop was closed before that.
    """

    def __init__(
        self, budget: float, *, at_end: Callable[[], bool], lost: Callable[[], None]
    ) -> None:
        self._budget = budget
        self._early = self._late = self._spent = 0.0
        self._at_end = at_end
        self._lost = lost
        self._loop: asyncio.AbstractEventLoop | None = None
        self._door = threading.Lock()

    def is_mine(self, now: float) -> bool:
        """Tell whether the turn belongs to the running loop, which takes it if nobody has it."""
        loop = asyncio.get_running_loop()
        return self._loop is loop or self._take(loop, now)

    def has_time(self, now: float) -> bool:
        """Tell whether there is time left at `now`, in seconds of the clock."""
        # Who has not had it so long has not used it so long either; asking takes a microsecond.
        if now < self._early:
            return True
        return now < self._late and time.thread_time() < self._spent

    def renew(self, now: float) -> None:
        """Give the present turn as much time as a new one."""
        self._early = now + self._budget
        self._late = now + LATE * self._budget
        self._spent = time.thread_time() + self._budget

    def _take(self, loop: asyncio.AbstractEventLoop, now: float) -> bool:
        # Somebody else is asking in this very moment: whoever comes second uses the threads.
        if not self._door.acquire(blocking=False):
            return False
        try:
            owner = self._loop
            if owner is not None:
                if not owner.is_closed():
                    return False
                self._lost()
            self._loop = loop
        finally:
            self._door.release()
        self.renew(now)
        loop.call_soon(self._end, loop)
        return True

    def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        goes_on = False
        try:
            self.renew(time.perf_counter())
            goes_on = self._at_end()
        finally:
            if goes_on:
                loop.call_soon(self._end, loop)
            else:
                self._loop = None
