"""A turn of one event loop: how much of it the store may use, and what it does when that ends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable


class Turn:
    """Belong to one loop at a time, from its first question in a turn to the turn's end.

    `budget` is how many seconds of a turn the store may use. `at_end` is called on the loop when
    the turn is over, and again in each following turn as long as it returns True; `lost` when the
    loop was closed before that.
    """

    def __init__(
        self, budget: float, *, at_end: Callable[[], bool], lost: Callable[[], None]
    ) -> None:
        self.until = 0.0
        self._budget = budget
        self._at_end = at_end
        self._lost = lost
        self._loop: asyncio.AbstractEventLoop | None = None
        self._door = threading.Lock()

    def is_mine(self, now: float) -> bool:
        """Tell whether the turn belongs to the running loop, which takes it if nobody has it."""
        loop = asyncio.get_running_loop()
        return self._loop is loop or self._take(loop, now)

    def renew(self, now: float) -> None:
        """Give the present turn as much time as a new one."""
        self.until = now + self._budget

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
