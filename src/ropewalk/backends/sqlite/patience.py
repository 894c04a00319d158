"""Waiting for other processes: in short random steps, up to a deadline."""

from __future__ import annotations

import random
import threading
import time


class Patience:
    """Wait for a lock so that many waiters take turns; `seconds` is how long at most.

    `given_up` ends the waiting at once, from another thread.
    """

    def __init__(self, seconds: float, given_up: threading.Event) -> None:
        self._seconds = seconds
        self._given_up = given_up
        self._deadline = 0.0

    def begin(self) -> None:
        """Count the time from now on."""
        self._deadline = time.monotonic() + self._seconds

    def goes_on(self) -> bool:
        """Wait a moment and say that there is time left, or say at once that there is none."""
        if self._given_up.is_set() or time.monotonic() >= self._deadline:
            return False
        time.sleep(random.uniform(0.000_1, 0.001))  # noqa: S311 (no secret: who goes first)
        return True

    def handler(self, calls: int) -> bool:
        """Answer SQLite, which has asked `calls` times before about the same lock."""
        if calls == 0:
            self.begin()
        return self.goes_on()
