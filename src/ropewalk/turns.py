"""`Turns`: give the event loop its turn in between, where thousands of items are gone through."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

SLICE: Final = 0.002
"""Seconds for which one caller goes on before everybody else has a turn."""


class Turns:
    """Count the time that one caller has kept the loop busy, from when this is made."""

    __slots__ = ("_end",)

    def __init__(self) -> None:
        """Begin a slice of two milliseconds."""
        self._end = perf_counter() + SLICE

    async def rest(self) -> None:
        """Give way to the event loop if the slice is over; to be called between two items."""
        if perf_counter() > self._end:
            await asyncio.sleep(0)
            self._end = perf_counter() + SLICE
