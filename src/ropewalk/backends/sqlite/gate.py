"""Back-pressure: callers wait at the gate while too much is under way behind it."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable


class _Turn:
    """Somebody who waits at the gate, with what he brings; he is woken on his own loop."""

    __slots__ = ("_woken", "admitted", "error", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.admitted = False
        self.error: Exception | None = None
        self._woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def come(self) -> None:
        """Wait to be woken."""
        await self._woken

    def wake(self) -> bool:
        """Wake him, from any thread; return False where his loop is no longer there."""
        try:
            self._woken.get_loop().call_soon_threadsafe(self._wake)
        except RuntimeError:
            return False
        return True

    def _wake(self) -> None:
        if not self._woken.done():
            self._woken.set_result(None)


class Gate:
    """Let in so many things, and so many bytes of them, first come first served.

    Callers may be on any event loop, and whoever leaves in any thread. Something bigger than
    everything allowed is let in alone.
    """

    def __init__(self, *, most: int, most_bytes: int) -> None:
        self.inside = 0
        self._bytes = 0
        self._most = most
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._waiting: deque[_Turn] = deque()

    def try_enter(self, size: int) -> bool:
        """Come in with `size` bytes if there is room and nobody waits; tell whether it is so."""
        with self._lock:
            # Nearly always the gate is free, and whoever brings little comes in.
            if self._waiting or (self.inside and not self._fits(size)):
                return False
            self.inside += 1
            self._bytes += size
            return True

    async def enter(self, size: int) -> None:
        """Come in with `size` bytes, waiting until there is room."""
        with self._lock:
            if not self._waiting and self._fits(size):
                self._admit(size)
                return
            turn = _Turn(size)
            self._waiting.append(turn)
        try:
            await turn.come()
        except BaseException:
            # Cancelled, or given up together with his loop.
            with self._lock:
                if turn.admitted:
                    self._dismiss(size)
                elif turn in self._waiting:
                    self._waiting.remove(turn)
                self._call_next()
            raise
        if turn.error is not None:
            raise turn.error

    def admit(self, size: int) -> None:
        """Come in with `size` bytes whether there is room or not, as what was accepted before."""
        with self._lock:
            self._admit(size)

    def leave(self, size: int) -> None:
        """Go out again, which makes room for others."""
        with self._lock:
            self.inside -= 1
            self._bytes -= size
            if self._waiting:
                self._call_next()

    def close(self, error: Callable[[], Exception]) -> None:
        """Send away everybody who still waits, each with an error of his own."""
        with self._lock:
            while self._waiting:
                turn = self._waiting.popleft()
                turn.error = error()
                turn.wake()

    def _fits(self, size: int) -> bool:
        return self.inside == 0 or (
            self.inside < self._most and self._bytes + size <= self._most_bytes
        )

    def _admit(self, size: int) -> None:
        self.inside += 1
        self._bytes += size

    def _dismiss(self, size: int) -> None:
        self.inside -= 1
        self._bytes -= size

    def _call_next(self) -> None:
        while self._waiting and self._fits(self._waiting[0].size):
            turn = self._waiting.popleft()
            if turn.wake():
                turn.admitted = True
                self._admit(turn.size)
