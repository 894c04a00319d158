"""Clocks in microseconds, and ids that sort by the time they were made."""

from __future__ import annotations

import sys
import time
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

if sys.version_info >= (3, 14):
    from uuid import uuid7
else:
    from uuid_utils import uuid7


class SystemClock:
    """The machine's clock, made strictly rising within the process, and UUIDv7 ids."""

    def __init__(self) -> None:
        """Begin at the machine's present time."""
        self._last = 0

    def now(self) -> int:
        """Return microseconds since 1970-01-01 UTC, greater than every answer before."""
        self._last = max(time.time_ns() // 1_000, self._last + 1)
        return self._last

    def new_id(self) -> str:
        """Return a new UUIDv7 (RFC 9562) as 32 hexadecimal digits; ids sort by creation."""
        made: UUID = uuid7()  # type: ignore[assignment]
        return made.hex


class FrozenClock:
    """A clock for tests and demonstrations: it moves only by `tick` on each look, or by hand."""

    def __init__(self, start: int = 1_750_000_000_000_000, *, tick: int = 1) -> None:
        """Begin at `start` and step by `tick`, both in microseconds."""
        self._now = start
        self._tick = tick
        self._ids = count(1)

    def now(self) -> int:
        """Return the present microsecond and step on by the tick."""
        now = self._now
        self._now += self._tick
        return now

    def advance(self, micros: int) -> None:
        """Move the clock on by hand."""
        self._now += micros

    def new_id(self) -> str:
        """Return the next id: predictable, unique in this clock, sorted by creation."""
        return f"{self._now // 1_000:012x}7{next(self._ids):019x}"
