"""`Watch`: one thread that looks for commits of others, while anybody waits for one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from ..domain.errors import RopewalkError, Unavailable
from .bell import Bell, Sign, hang
from .waiters import Waiters

SHORTEST: Final = 0.001
LONGEST: Final = 0.05
"""Seconds between two looks: just after a commit, and when there has been none for long."""

_WHEN_HEARD: Final = 0.25
"""The longest where writes to the file are heard, for those that may not be."""

_SHARE: Final = 20
"""It looks again after one part in so many of the time since the last commit."""

_AT_ONCE: Final = (0.0, 0.000_05, 0.000_1, 0.000_2, 0.000_4, 0.000_8)
"""Seconds between looks after a write was heard: it is a commit a moment later."""

_DEAF: Final = 3
"""So many commits in a row that were found and not heard: what is heard is not to be relied on."""


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
    those who wait when it closes. Every commit writes to `file`.
    """

    def __init__(
        self,
        hire: Callable[[], Lookout],
        *,
        name: str,
        file: str,
        closed: Callable[[], RopewalkError],
    ) -> None:
        self._hire = hire
        self._file = file
        self._name = name
        self._error = closed
        self._waiters = Waiters()
        self._lock = threading.Lock()
        self._bell: Bell | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._newest = 0
        self._since = 0.0
        self._unheard = 0

    async def changed(self, after: int) -> int:
        """Return the number of the newest commit as soon as it is greater than `after`."""
        return await self._waiters.wait(after, begun=self._begin)

    def stir(self) -> None:
        """Say, from any thread, that this process has committed; it costs nothing else."""
        if len(self._waiters):
            self._ring()

    @property
    def newest(self) -> int:
        """The greatest number that anybody was told."""
        return self._newest

    def close(self) -> None:
        """Send away everybody who waits, and whoever comes later; closing twice is no error."""
        with self._lock:
            self._closed = True
        self._ring()
        self._waiters.fail(self._error())

    def join(self) -> None:
        """Wait, in another thread than a loop's, until the thread has let go of the store."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def _ring(self) -> None:
        bell = self._bell
        if bell is not None:
            bell.ring()

    def _begin(self) -> None:
        with self._lock:
            if self._closed:
                raise self._error()
            if self._thread is None:
                self._bell = hang(self._file)
                self._thread = threading.Thread(
                    target=self._work,
                    args=(self._bell,),
                    name=f"ropewalk-{self._name}",
                    daemon=True,
                )
                self._thread.start()
        self._ring()

    def _work(self, bell: Bell) -> None:
        lookout: Lookout | None = None
        try:
            while not self._closed:
                sign = bell.sleep(self._pause(bell) if len(self._waiters) else None)
                if self._closed or not len(self._waiters):
                    continue
                try:
                    lookout = lookout or self._hire()
                    self._look(lookout, bell, sign)
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
            bell.close()

    def _look(self, lookout: Lookout, bell: Bell, sign: Sign) -> None:
        # In this order: what comes behind the first look is found by the next one.
        moved = lookout.moved()
        if sign is Sign.HEARD:
            self._unheard = 0
            self._since = time.monotonic()
            for pause in _AT_ONCE:
                if moved:
                    break
                time.sleep(pause)
                moved = lookout.moved()
        elif moved and sign is Sign.NOTHING:
            self._unheard += 1
            bell.listen()
        if not moved and sign is not Sign.RUNG:
            return
        newest = lookout.newest()
        if newest > self._newest:
            self._newest, self._since = newest, time.monotonic()
        self._waiters.tell(newest)

    def _pause(self, bell: Bell) -> float:
        quiet = time.monotonic() - self._since
        longest = _WHEN_HEARD if bell.hears and self._unheard < _DEAF else LONGEST
        return min(max(quiet / _SHARE, SHORTEST), longest)
