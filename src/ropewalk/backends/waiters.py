"""`Waiters`: who waits for a commit, on whichever event loops, woken from any thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from copy import copy

from ..domain.errors import RopewalkError


class _Waiter:
    """Somebody who waits for a number greater than `after`."""

    __slots__ = ("_future", "after")

    def __init__(self, after: int) -> None:
        self.after = after
        self._future: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def outcome(self) -> int:
        return await self._future

    def tell(self, newest: int) -> None:
        self._call(self._tell, newest)

    def fail(self, error: Exception) -> None:
        self._call(self._fail, error)

    def _call(self, function: Callable[..., None], value: object) -> None:
        # A loop that was closed has nobody left who could wait.
        with suppress(RuntimeError):
            self._future.get_loop().call_soon_threadsafe(function, value)

    def _tell(self, newest: int) -> None:
        if not self._future.done():
            self._future.set_result(newest)

    def _fail(self, error: Exception) -> None:
        if not self._future.done():
            self._future.set_exception(error)


class Waiters:
    """Wake each when there is a number greater than his, and everybody when something fails."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: set[_Waiter] = set()

    def __len__(self) -> int:
        """Count who waits."""
        return len(self._waiting)

    async def wait(self, after: int, *, begun: Callable[[], int | None]) -> int:
        """Wait for a number greater than `after`, and return it.

        `begun` is called once the waiter is known, so that nothing is missed in between; where it
        returns a number that is great enough, that is the answer. Raises what it or `fail` says.
        """
        waiter = _Waiter(after)
        with self._lock:
            self._waiting.add(waiter)
        try:
            newest = begun()
            if newest is not None and newest > after:
                return newest
            return await waiter.outcome()
        finally:
            with self._lock:
                self._waiting.discard(waiter)

    def tell(self, newest: int) -> None:
        """Wake whoever waits for less than `newest`."""
        for waiter in self._taken(newest):
            waiter.tell(newest)

    def fail(self, error: RopewalkError) -> None:
        """Send everybody who waits now away, each with an error of his own."""
        for waiter in self._taken(None):
            other = copy(error)
            other.__cause__ = error.__cause__
            waiter.fail(other)

    def _taken(self, newest: int | None) -> list[_Waiter]:
        if not self._waiting:
            return []
        with self._lock:
            ready = [w for w in self._waiting if newest is None or w.after < newest]
            self._waiting.difference_update(ready)
        return ready
