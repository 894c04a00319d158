"""`Turns`: give the event loop its turn in between, where thousands of items are gone through."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

SLICE: Final = 0.0015
"""Seconds for which one caller goes on before everybody else has a turn."""


_TO_WAKE: Final = 3
"""A timer that has come runs in the next turn, behind what is ready; whom it wakes runs in the one
after that, behind what is ready then. So long is the way, or both come later by a slice each."""


async def give_way() -> None:
    """Let all others have a turn: what is ready, timers that have come, and those they wake."""
    for _ in range(_TO_WAKE):
        await asyncio.sleep(0)


class Turns:
    """Count the time that one caller has kept the loop busy, from when this is made."""

    __slots__ = ("_end",)

    def __init__(self) -> None:
        """Begin a slice of a millisecond and a half."""
        self._end = perf_counter() + SLICE

    async def rest(self) -> None:
        """Give way to the event loop if the slice is over; to be called between two items."""
        if perf_counter() > self._end:
            await give_way()
            self._end = perf_counter() + SLICE
