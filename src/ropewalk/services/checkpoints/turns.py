"""`Turns`: let others have the event loop now and then while much is gone through."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

SLICE: Final = 0.002
"""Seconds that a walk through a state goes on before the event loop gets its turn."""


class Turns:
    """Counts the time since the event loop had its last turn."""

    def __init__(self) -> None:
        """Begin now."""
        self._began = perf_counter()

    async def rest(self) -> None:
        """Give way to the event loop if it has waited for a slice of time."""
        if perf_counter() - self._began > SLICE:
            await asyncio.sleep(0)
            self._began = perf_counter()
