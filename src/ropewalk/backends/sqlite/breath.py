"""`Breath`: let a loop have the interpreter while the writer's thread is busy with a long batch."""

from __future__ import annotations

import math
import time
from typing import Final

_HELD: Final = 0.001
"""Seconds for which the thread keeps the interpreter from others."""

_PAUSE: Final = 0.000_05
"""Seconds of a pause: long enough for a thread that waits for the interpreter to take it.

Without one it waits for five milliseconds (`sys.getswitchinterval`): what SQLite does in between,
it does too quickly for another thread to wake.
"""

_SHORT: Final = 32
"""So few changes take less than that."""


class Breath:
    """Count for how long one batch has kept the interpreter."""

    __slots__ = ("_due",)

    def __init__(self, changes: int) -> None:
        """Begin with a batch of so many changes; a short one never pauses."""
        self._due = time.perf_counter() + _HELD if changes > _SHORT else math.inf

    def take(self) -> None:
        """Pause for a moment, if it has been long enough."""
        if time.perf_counter() > self._due:
            time.sleep(_PAUSE)
            self._due = time.perf_counter() + _HELD
