"""`Watch`: one thread that looks for commits of others, while anybody waits for one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from ..domain.errors import RopewalkError, Unavailable
from .waiters import Waiters

SHORTEST: Final = 0.001
LONGEST: Final = 0.05
"""Seconds between two looks: just after a commit, and when there has been none for long."""

_SHARE: Final = 20
"""It looks again after one part in so many of the time since the last commit."""


class Lookout(Protocol):
    """Who looks at a store from outside, in the watch's thread."""

    def moved(self) -> bool:
        """Tell, cheaply, whether there may be something new since this was last asked."""
        ...

    def newest(self) -> int:
        """Return the number of the newest commit, 0 where there is none."""
        ...

    def close(self) -> None:
        """Let go of what it looks through."""
        ...


class Watch:
    """Wake who waits for a commit: at once for one of this process, soon for one of another.

    The thread begins with the first who waits, and sleeps while nobody does. `hire` is called in
    it, and again after an error, which everybody who waits is told; `closed` makes the error for
    those who wait when it closes.
    """

    def __init__(
        self, hire: Callable[[], Lookout], *, name: str, closed: Callable[[], RopewalkError]
    ) -> None:
        self._hire = hire
        self._name = name
        self._error = closed
        self._waiters = Waiters()
        self._rung = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._newest = 0
        self._since = 0.0

    async def changed(self, after: int) -> int:
        """Return the number of the newest commit as soon as it is greater than `after`."""
        return await self._waiters.wait(after, begun=self._begin)

    def stir(self) -> None:
        """Say, from any thread, that this process has committed; it costs nothing else."""
        if len(self._waiters):
            self._rung.set()

    def close(self) -> None:
        """Send away everybody who waits, and whoever comes later; closing twice is no error."""
        with self._lock:
            self._closed = True
        self._rung.set()
        self._waiters.fail(self._error())

    def join(self) -> None:
        """Wait, in another thread than a loop's, until the thread has let go of the store."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _begin(self) -> None:
        with self._lock:
            if self._closed:
                raise self._error()
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name=f"ropewalk-{self._name}", daemon=True
                )
                self._thread.start()
        self._rung.set()

    def _work(self) -> None:
        lookout: Lookout | None = None
        try:
            while not self._closed:
                rung = self._rung.wait(self._pause() if len(self._waiters) else None)
                self._rung.clear()
                if self._closed or not len(self._waiters):
                    continue
                try:
                    lookout = lookout or self._hire()
                    self._look(lookout, rung=rung)
                except RopewalkError as error:
                    if lookout is not None:
                        lookout.close()
                    lookout = None
                    self._waiters.fail(error)
        except BaseException as error:
            # Nobody may wait for ever because of a mistake in here.
            message = f"nobody looks for commits any more ({error!r}): open the store again"
            self._waiters.fail(Unavailable(message, code="lost"))
            raise
        finally:
            if lookout is not None:
                lookout.close()

    def _look(self, lookout: Lookout, *, rung: bool) -> None:
        # In this order: what comes behind the first look is found by the next one.
        if not lookout.moved() and not rung:
            return
        newest = lookout.newest()
        if newest > self._newest:
            self._newest, self._since = newest, time.monotonic()
        self._waiters.tell(newest)

    def _pause(self) -> float:
        quiet = time.monotonic() - self._since
        return min(max(quiet / _SHARE, SHORTEST), LONGEST)
