"""`Bell`: what a thread sleeps by: another thread rings it, and on Linux a write to a file does.

Linux tells of writes by inotify(7), which costs nothing while nothing is written; elsewhere, and
where it cannot (a network's file system, too many listeners), whoever sleeps has to look now and
then.
"""

from __future__ import annotations

import ctypes
import os
import select
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from functools import cache
from typing import Final, Protocol

_IN_MODIFY: Final = 0x2
_IN_NONBLOCK: Final = 0o4000
_IN_CLOEXEC: Final = 0o2000000
"""From <sys/inotify.h>."""

_SOME: Final = 65_536
"""Bytes of events read at once; what they tell is only that there is something to look at."""


class Sign(Enum):
    """What ended a sleep."""

    RUNG = auto()
    """Another thread of this process."""
    HEARD = auto()
    """A write to the file."""
    NOTHING = auto()
    """The end of the time."""


class Bell(Protocol):
    """One thread sleeps by it; any thread may ring."""

    @property
    def hears(self) -> bool:
        """Whether it listens to the file."""
        ...

    def ring(self) -> None:
        """Wake who sleeps, or the next to sleep."""
        ...

    def sleep(self, seconds: float | None) -> Sign:
        """Sleep until something happens; without an end, until it is rung."""
        ...

    def listen(self) -> None:
        """Listen to the file that has the name now."""
        ...

    def close(self) -> None:
        """Let go of everything; nobody sleeps any more."""
        ...


def hang(path: str) -> Bell:
    """Make a bell that listens to the file at `path` if the system can."""
    if sys.platform == "linux" and _inotify() is not None:
        with suppress(OSError):
            return _HearingBell(path)
    return _DeafBell()


class _DeafBell:
    """A bell for where files make no sound."""

    hears = False

    def __init__(self) -> None:
        self._rung = threading.Event()

    def ring(self) -> None:
        self._rung.set()

    def sleep(self, seconds: float | None) -> Sign:
        rung = self._rung.wait(seconds)
        self._rung.clear()
        return Sign.RUNG if rung else Sign.NOTHING

    def listen(self) -> None:
        """Do nothing: there is nothing to hear."""

    def close(self) -> None:
        """Do nothing: nothing is held."""


if sys.platform == "linux":

    class _HearingBell:
        """A bell with an ear: raises `OSError` where the system has none left."""

        def __init__(self, path: str) -> None:
            self._path = os.fsencode(path)
            self._lock = threading.Lock()
            self._rung = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            functions = _inotify()
            self._ear = -1 if functions is None else functions[0](_IN_NONBLOCK | _IN_CLOEXEC)
            self.hears = False
            if self._ear < 0:
                os.close(self._rung)
                raise OSError(ctypes.get_errno(), "no inotify")
            self._alone, self._both = select.poll(), select.poll()
            for poll in (self._alone, self._both):
                poll.register(self._rung, select.POLLIN)
            self._both.register(self._ear, select.POLLIN)
            self.listen()

        def ring(self) -> None:
            with self._lock:
                if self._rung >= 0:
                    os.eventfd_write(self._rung, 1)

        def sleep(self, seconds: float | None) -> Sign:
            ready = self._alone.poll() if seconds is None else self._both.poll(seconds * 1_000)
            sign = Sign.NOTHING
            for fd, _ in ready:
                with suppress(BlockingIOError):
                    if fd == self._rung:
                        os.eventfd_read(fd)
                        sign = Sign.RUNG
                    else:
                        os.read(fd, _SOME)
                        sign = Sign.HEARD if sign is Sign.NOTHING else sign
            return sign

        def listen(self) -> None:
            functions = _inotify()
            if functions is not None:
                self.hears = functions[1](self._ear, self._path, _IN_MODIFY) >= 0

        def close(self) -> None:
            with self._lock:
                os.close(self._ear)
                os.close(self._rung)
                self._ear = self._rung = -1


@cache
def _inotify() -> tuple[Callable[[int], int], Callable[[int, bytes, int], int]] | None:
    """Return inotify_init1 and inotify_add_watch, `None` where there are none."""
    library = ctypes.CDLL(None, use_errno=True)
    begin = getattr(library, "inotify_init1", None)
    add = getattr(library, "inotify_add_watch", None)
    return None if begin is None or add is None or not hasattr(os, "eventfd") else (begin, add)
