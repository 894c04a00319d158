"""`Precedence`: who lost a race stands in line, so that nobody loses for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Line:
    """Whose turn it is, and how many stand here, him included."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    people: int = 0


class Precedence:
    """One line for each event loop of those whose unit of work met another one.

    Among them one at a time tries again, in the order in which they came: so the workflows of a
    process do not get in each other's way a second time, and those of other processes meet one
    instead of many. Newcomers let them go first for a moment. Measured with four processes of
    eight workflows over 4 and 16 counters on two busy cores: the slowest workflow got 0.52 to
    0.85 of what the fastest one got, 0.19 to 0.41 where newcomers do not wait, and 0.06 to 0.21
    with random pauses alone.

    A turn is a courtesy and no lock: nobody waits for one longer than his patience, and nothing
    but time depends on it.
    """

    def __init__(self) -> None:
        """Begin without a line."""
        self._lines: dict[asyncio.AbstractEventLoop, _Line] = {}

    @property
    def is_busy(self) -> bool:
        """Whether anybody of this event loop stands in line."""
        return asyncio.get_running_loop() in self._lines

    @asynccontextmanager
    async def turn(self, *, patience: float) -> AsyncGenerator[bool]:
        """Stand in line at most `patience` seconds; tell whether one's turn has come."""
        loop = asyncio.get_running_loop()
        line = self._lines.setdefault(loop, _Line())
        line.people += 1
        came = False
        try:
            async with asyncio.timeout(patience):
                came = await line.turn.acquire()
        except TimeoutError:  # a turn is no condition: it goes on without
            came = False
        finally:
            if not came:
                self._leave(loop, line)
        try:
            yield came
        finally:
            if came:
                line.turn.release()
                self._leave(loop, line)

    def _leave(self, loop: asyncio.AbstractEventLoop, line: _Line) -> None:
        line.people -= 1
        if not line.people:
            del self._lines[loop]
