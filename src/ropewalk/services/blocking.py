"""`run`: lets synchronous code use the store from any thread, on a running event loop too."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

from ..domain.errors import Unavailable

T = TypeVar("T")

KEPT: Final = 8
"""How many idle threads are kept for the next calls."""

HELPERS: Final = 2
"""How many threads there are at most, for each of these, for what blocks."""


class _Worker:
    """A thread with an event loop that runs until the worker is dismissed."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        helpers = ThreadPoolExecutor(HELPERS, thread_name_prefix="ropewalk-bridge-helper")
        self._loop.set_default_executor(helpers)
        self._thread = threading.Thread(target=self._work, name="ropewalk-bridge", daemon=True)
        self._thread.start()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin to run a coroutine, in the context of the caller."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def rest(self) -> Future[None]:
        """Tell when nothing is under way any more."""
        return asyncio.run_coroutine_threadsafe(_others_done(), self._loop)

    def dismiss(self) -> None:
        """Let the thread end when nothing is under way any more."""
        # This may be called in the thread that dismisses: the loop has to be woken, too.
        stop = self._loop.stop
        self.rest().add_done_callback(lambda _: self._loop.call_soon_threadsafe(stop))

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def _work(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()


class _Staff:
    """The idle workers of this process; whoever needs one and finds none hires one."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew in a forked process, which has none of its parent's threads."""
        self._left = False
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []

    def take(self) -> _Worker:
        """Return a worker that nobody else has; raise `Unavailable` once the program ends."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
            left = self._left
        if left:
            # Python starts no thread any more, and nobody would ever answer.
            message = (
                "the program is ending, and the store was not closed before: leave the `with` "
                "block of the store first; what was acknowledged is safe"
            )
            raise Unavailable(message, code="ending")
        return _Worker()

    def give_back(self, worker: _Worker) -> None:
        """Keep a worker for the next caller, or dismiss it if enough are idle."""
        with self._lock:
            if len(self._idle) < KEPT:
                self._idle.append(worker)
                return
        worker.dismiss()

    def leave(self) -> None:
        """Dismiss everybody who is idle, at the end of the program."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._left = True
        for worker in idle:
            worker.dismiss()
            worker.join()


_STAFF: Final = _Staff()
atexit.register(_STAFF.leave)
os.register_at_fork(after_in_child=_STAFF.forget)


async def _others_done() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a loop of its own, and return its result.

    Blocks the calling thread, also where a loop runs in it. Raises what the coroutine raises, and
    `Unavailable` once the program ends. The coroutine sees the caller's context variables. A
    caller that is interrupted cancels it.
    """
    try:
        worker = _STAFF.take()
    except Unavailable:
        coroutine.close()
        raise
    future = worker.submit(coroutine)
    try:
        return future.result()
    finally:
        if future.done():
            _STAFF.give_back(worker)
        else:
            # The caller was interrupted and leaves at once; the worker when all is tidied up.
            future.cancel()
            worker.rest().add_done_callback(lambda _: _STAFF.give_back(worker))
