"""`Place`: one backend that requests run on, until the last of them has left it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import contextmanager
from typing import TypeVar

from ..domain.ports import Backend
from .base import stop
from .epoch import Epoch

T = TypeVar("T")


class Place:
    """A backend, the numbers of its commits, and who is at work on it.

    `next` is the place that took over, `continues` whether it is a copy of this one; `closing`
    the task that closes the backend once nothing runs on it any more.
    """

    def __init__(self, backend: Backend, epoch: Epoch) -> None:
        self.backend = backend
        self.epoch = epoch
        self.next: Place | None = None
        self.continues = True
        self.closing: asyncio.Task[None] | None = None
        self._users = 0
        self._writers = 0
        self._suspended: set[AsyncIterator[object]] = set()
        self._quiet = asyncio.Event()
        self._quiet.set()

    @contextmanager
    def used(self) -> Generator[Backend]:
        """Keep the backend open for the block."""
        self._users += 1
        try:
            yield self.backend
        finally:
            self._users -= 1
            self._close_if_left()

    @contextmanager
    def written(self) -> Generator[Backend]:
        """Keep the backend open and in its place for the block."""
        self._writers += 1
        self._quiet.clear()
        try:
            with self.used() as backend:
                yield backend
        finally:
            self._writers -= 1
            if not self._writers:
                self._quiet.set()

    async def quiet(self) -> None:
        """Wait until no write is running."""
        await self._quiet.wait()

    async def steps(self, items: AsyncIterator[T]) -> AsyncGenerator[T]:
        """Go through what the backend gives, until it is at its end or the store has moved on."""
        self._suspended.add(items)
        try:
            while self.next is None:
                self._suspended.discard(items)
                self._users += 1
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
                finally:
                    self._users -= 1
                    self._close_if_left()
                self._suspended.add(items)
                yield item
        finally:
            # Whoever takes it out of the set closes it: two at once would meet inside.
            if items in self._suspended:
                self._suspended.discard(items)
                await stop(items)

    def leave(self, successor: Place, *, continues: bool) -> None:
        """Hand over to `successor`; the backend is closed as soon as nothing runs on it."""
        self.next = successor
        self.continues = continues
        self._close_if_left()

    def close(self) -> asyncio.Task[None]:
        """Close the backend in a task of its own, which is the same at every call."""
        if self.closing is None:
            self.closing = asyncio.get_running_loop().create_task(self._close())
        return self.closing

    def _close_if_left(self) -> None:
        if self.next is not None and not self._users:
            self.close()

    async def _close(self) -> None:
        while self._suspended:
            await stop(self._suspended.pop())
        await self.backend.close()

    @property
    def is_closed(self) -> bool:
        """Whether the backend was closed without trouble."""
        task = self.closing
        return task is not None and task.done() and not task.cancelled() and not task.exception()
