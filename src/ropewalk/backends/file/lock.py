"""One writer or many readers, over all processes: `flock` on a file, taken in turn.

`flock(2)` on its own lets readers that follow each other keep a writer out for ever, and lets a
busy process take the lock again before the next has woken. So each waits in front of the lock
holding a second one, the turn, and gives the turn back once it has the lock: whoever comes later
waits behind. The system releases both when a process dies, however it dies.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Final, Protocol, cast

from ...domain.errors import Invalid, Unavailable
from .disk import CREATE, READ, Disk, File
from .layout import LOCAL, LOCK, TURN
from .refusal import code_of

_FIRST_PAUSE: Final = 0.000_05
_LONGEST_PAUSE: Final = 0.002
"""Seconds between two attempts: short enough not to be noticed, long enough to cost nothing."""


class _Fcntl(Protocol):
    LOCK_SH: int
    LOCK_EX: int
    LOCK_NB: int
    LOCK_UN: int

    def flock(self, fd: int, operation: int, /) -> None: ...


def locking() -> _Fcntl:
    """Return the module that locks files; raise `Invalid` on a platform that has none."""
    try:
        return cast("_Fcntl", import_module("fcntl"))
    except ImportError as error:
        message = (
            "the file store needs flock, which this platform has not: "
            "use sqlite:/// here, or the file store on Linux or macOS"
        )
        raise Invalid(message, code="unsupported", field="url") from error


class Lock:
    """The lock of one open store; not for two threads at once."""

    def __init__(self, disk: Disk) -> None:
        """Open the lock's files, making them where they are not there."""
        self._fcntl = locking()
        self._disk = disk
        disk.make_folder(LOCAL)
        self._turn = _open(disk, TURN)
        try:
            self._lock = _open(disk, LOCK)
            self._identity = self._lock.identity()
        except OSError:
            self._turn.close()
            raise

    def close(self) -> None:
        """Let go of the files, and so of the lock."""
        self._turn.close()
        self._lock.close()

    @contextmanager
    def hold(self, *, exclusive: bool, deadline: float) -> Generator[None, None, None]:
        """Hold the lock, alone or with other readers.

        Raises `Unavailable` where it is not free by `deadline` (of `time.monotonic`), and where
        the folder is not the one any more that was opened.
        """
        fcntl = self._fcntl
        kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
        self._acquire(self._turn, fcntl.LOCK_EX, deadline)
        try:
            self._acquire(self._lock, kind, deadline)
        finally:
            fcntl.flock(self._turn.fd, fcntl.LOCK_UN)
        try:
            self._check()
            yield
        finally:
            self._disk.release()
            fcntl.flock(self._lock.fd, fcntl.LOCK_UN)

    def _acquire(self, file: File, kind: int, deadline: float) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                self._fcntl.flock(file.fd, kind | self._fcntl.LOCK_NB)
            except BlockingIOError as error:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise self._busy() from error
            else:
                return
            time.sleep(min(pause, max(left, 0)))
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _busy(self) -> Unavailable:
        message = (
            f"another process has kept the lock of the store {self._disk.root} for as long as we "
            "were to wait: try again, or open the store with a longer lock_timeout"
        )
        return Unavailable(message, code="locked", path=LOCK)

    def _check(self) -> None:
        # A folder that was removed and made anew has another lock, which guards nothing of ours.
        if not self._disk.is_there(LOCK, self._identity):
            message = (
                f"the folder of the store {self._disk.root} was removed or replaced while it was "
                "open: put it back, then close the store and open it again"
            )
            raise Unavailable(message, code="gone", path=str(self._disk.root))


def _open(disk: Disk, path: str) -> File:
    try:
        return disk.file(path, CREATE)
    except OSError as error:
        # Who may only read can still lock, and keep a writer out while reading.
        if code_of(error) == "read_only" and disk.exists(path):
            return disk.file(path, READ)
        raise
