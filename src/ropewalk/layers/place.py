"""`Place`: one backend that requests run on, until the last of them has left it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

from ..domain.ports import Backend
from .base import stop
from .epoch import Epoch
from .signal import Signal

T = TypeVar("T")


class Place:
    """A backend, the numbers of its commits, and who is at work on it, on any event loop.

    `next` is the place that took over, `continues` whether it is a copy of this one; `left` is
    set once the backend was closed after that, with or without trouble; `moved` is set as soon as
    there is a next place.
    """

    def __init__(self, backend: Backend, epoch: Epoch) -> None:
        self.backend = backend
        self.epoch = epoch
        self.next: Place | None = None
        self.continues = True
        self.left = Signal()
        self.moved = Signal()
        self._lock = threading.Lock()
        self._users = 0
        self._writers = 0
        self._refuses = False
        self._suspended: set[AsyncIterator[object]] = set()
        self._quiet = Signal()
        self._closing: asyncio.Task[None] | None = None
        self._trouble: BaseException | None = None

    def enter(self, *, writing: bool = False) -> bool:
        """Keep the backend open until `leave`, and in its place if writing.

        Return False where the store has moved on, or lets no write begin.
        """
        with self._lock:
            if self.next is not None or (writing and self._refuses):
                return False
            self._users += 1
            if writing:
                self._writers += 1
            return True

    def leave(self, *, writing: bool = False) -> None:
        """Be done with what `enter` began."""
        with self._lock:
            self._users -= 1
            if writing:
                self._writers -= 1
                if self._refuses and not self._writers:
                    self._quiet.set()
        if self.next is not None:
            self._close_if_left()

    async def quiet(self) -> None:
        """Let no write begin any more, and wait until none is running."""
        with self._lock:
            self._refuses = True
            if self._writers:
                self._quiet.clear()
            else:
                self._quiet.set()
        await self._quiet.wait()

    def go_on(self) -> None:
        """Let writes begin again."""
        with self._lock:
            self._refuses = False

    async def steps(self, items: AsyncIterator[T]) -> AsyncGenerator[T]:
        """Go through what the backend gives, until it is at its end or the store has moved on."""
        with self._lock:
            self._suspended.add(items)
        try:
            while self._resume(items):
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
                finally:
                    self.leave()
                with self._lock:
                    self._suspended.add(items)
                yield item
        finally:
            if self._resume_to_stop(items):
                await stop(items)

    def _resume(self, items: AsyncIterator[object]) -> bool:
        """Begin to work for `items`, unless the store has moved on."""
        with self._lock:
            if self.next is not None:
                return False
            self._suspended.discard(items)
            self._users += 1
            return True

    def _resume_to_stop(self, items: AsyncIterator[object]) -> bool:
        """Tell whether `items` are left to be closed by whoever asks."""
        # Whoever takes it out of the set closes it: two at once would meet inside.
        with self._lock:
            there = items in self._suspended
            self._suspended.discard(items)
            return there

    def hand_over(self, successor: Place, *, continues: bool) -> None:
        """Leave the work to `successor`; the backend is closed as soon as nothing runs on it."""
        with self._lock:
            self.next = successor
            self.continues = continues
        self.moved.set()
        self._close_if_left()

    async def close(self) -> None:
        """Close the backend, once, and raise what was wrong with that, to everybody who asks."""
        closing = self._begin_to_close()
        await self.left.wait()
        while closing.cancelled():
            # The loop that was at it has ended before it was done.
            closing = self._begin_to_close()
            await self.left.wait()
        if self._trouble is not None:
            raise self._trouble

    def is_closing(self) -> bool:
        """Tell whether nothing runs any more and the backend is being closed, or was."""
        return self._closing is not None

    def _close_if_left(self) -> None:
        if self.next is not None and not self._users:
            self._begin_to_close()

    def _begin_to_close(self) -> asyncio.Task[None]:
        with self._lock:
            if self._closing is None or self._closing.cancelled():
                self.left.clear()
                # Held here, or nobody would keep the task alive.
                self._closing = asyncio.get_running_loop().create_task(self._close())
                self._closing.add_done_callback(self._closed)
            return self._closing

    async def _close(self) -> None:
        while self._suspended:
            with self._lock:
                items = self._suspended.pop()
            await stop(items)
        await self.backend.close()

    def _closed(self, task: asyncio.Task[None]) -> None:
        # Whoever calls `close` is told of the trouble; a task cannot be awaited on another loop.
        self._trouble = None if task.cancelled() else task.exception()
        self.left.set()

    @property
    def is_closed(self) -> bool:
        """Whether the backend was closed without trouble."""
        task = self._closing
        return (
            task is not None and self.left.is_set() and not task.cancelled() and not self._trouble
        )
