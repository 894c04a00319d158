"""`Signal` and `Turns`: what tasks wait for, on whatever event loops of the process they run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress


class Signal:
    """Something that is so or not so; tasks of any loop wait until it is, any thread says it."""

    def __init__(self, *, is_set: bool = False) -> None:
        self._is_set = is_set
        self._lock = threading.Lock()
        self._waiting: set[asyncio.Future[None]] = set()

    def is_set(self) -> bool:
        """Tell whether it is so now."""
        return self._is_set

    def set(self) -> None:
        """Say that it is so, and wake whoever waits for it."""
        with self._lock:
            self._is_set = True
            waiting, self._waiting = self._waiting, set()
        for future in waiting:
            # A loop that was closed has nobody left who could wait.
            with suppress(RuntimeError):
                future.get_loop().call_soon_threadsafe(_wake, future)

    def clear(self) -> None:
        """Say that it is not so."""
        with self._lock:
            self._is_set = False

    async def wait(self) -> None:
        """Return at once if it is so, otherwise as soon as somebody has said it."""
        with self._lock:
            if self._is_set:
                return
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
        try:
            await future
        finally:
            with self._lock:
                self._waiting.discard(future)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Turns:
    """Let one task at a time into a block, on whatever loops they run."""

    def __init__(self) -> None:
        self._free = Signal(is_set=True)
        self._lock = threading.Lock()
        self._taken = False

    def locked(self) -> bool:
        """Tell whether somebody is in the block."""
        return self._taken

    @asynccontextmanager
    async def mine(self) -> AsyncGenerator[None]:
        """Wait for the block to be free, and keep others out of it."""
        while not self._take():
            await self._free.wait()
        try:
            yield
        finally:
            with self._lock:
                self._taken = False
                self._free.set()

    def _take(self) -> bool:
        with self._lock:
            if self._taken:
                return False
            self._taken = True
            self._free.clear()
            return True
