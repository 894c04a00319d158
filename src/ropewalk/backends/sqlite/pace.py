"""How long each shape of question takes: what was slow of late does not hold up the loop again."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

_WEIGHT: Final = 0.2
"""How much the latest time counts in the moving average."""

_CLIPPED: Final = 2.0
_BROKEN_OFF: Final = 4.0
"""What one time counts at most, in limits, and what counts one that was broken off.

A process that was interrupted by others must not take itself for slow: that takes four slow times
in a row, or two that were broken off.
"""

_PAUSE: Final = 1.0
"""Seconds for which a slow shape is kept off."""

_MOST: Final = 1_000
"""How many shapes are remembered, before that begins anew."""


class Pace:
    """Keep off for a second what takes longer than `limit` seconds, by a moving average.

    A file that is not in memory yet is slow for its first readers, and quick soon after.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._means: dict[Hashable, float] = {}
        self._off: dict[Hashable, float] = {}

    def is_quick(self, shape: Hashable, now: float) -> bool:
        """Tell whether a shape may be tried at `now`, in seconds of a clock that only rises."""
        if not self._off:
            return True
        end = self._off.get(shape)
        if end is None:
            return True
        if now < end:
            return False
        self._off.pop(shape, None)
        return True

    def note(self, shape: Hashable, seconds: float, now: float) -> None:
        """Take one more time into account."""
        mean = self._means.get(shape)
        if mean is not None and seconds <= self._limit:
            # Nearly always: the mean was below the limit, and stays there.
            self._means[shape] = mean + (seconds - mean) * _WEIGHT
        else:
            self._count(shape, min(seconds, _CLIPPED * self._limit), now)

    def note_broken_off(self, shape: Hashable, now: float) -> None:
        """Take into account that one had to be broken off."""
        self._count(shape, _BROKEN_OFF * self._limit, now)

    def _count(self, shape: Hashable, seconds: float, now: float) -> None:
        mean = self._means.get(shape, 0.0)
        mean += (seconds - mean) * _WEIGHT
        if mean <= self._limit:
            if shape not in self._means and len(self._means) >= _MOST:
                self._means.clear()
            self._means[shape] = mean
            return
        # Afterwards the average begins anew: what was slow then says nothing.
        self._means.pop(shape, None)
        if len(self._off) >= _MOST:
            self._off.clear()
        self._off[shape] = now + _PAUSE
