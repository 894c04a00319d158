"""Back-pressure: callers wait at the gate while too much is under way behind it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable


class Gate:
    """Let in so many things, and so many bytes of them, first come first served.

    Belongs to one event loop. Something bigger than everything allowed is let in alone.
    """

    def __init__(self, *, most: int, most_bytes: int) -> None:
        self.inside = 0
        self._bytes = 0
        self._most = most
        self._most_bytes = most_bytes
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()

    async def enter(self, size: int) -> None:
        """Come in with `size` bytes, waiting until there is room."""
        if not self._waiting and self._fits(size):
            self._admit(size)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = (turn, size)
        self._waiting.append(place)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                if place in self._waiting:
                    self._waiting.remove(place)
                self._call_next()
            elif turn.exception() is None:
                self.leave(size)
            raise

    def leave(self, size: int) -> None:
        """Go out again, which makes room for others."""
        self.inside -= 1
        self._bytes -= size
        self._call_next()

    def close(self, error: Callable[[], Exception]) -> None:
        """Send away everybody who still waits, each with an error of his own."""
        while self._waiting:
            turn, _ = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(error())

    def _fits(self, size: int) -> bool:
        return self.inside == 0 or (
            self.inside < self._most and self._bytes + size <= self._most_bytes
        )

    def _admit(self, size: int) -> None:
        self.inside += 1
        self._bytes += size

    def _call_next(self) -> None:
        while self._waiting:
            turn, size = self._waiting[0]
            if not turn.done():
                if not self._fits(size):
                    return
                self._admit(size)
                turn.set_result(None)
            self._waiting.popleft()
