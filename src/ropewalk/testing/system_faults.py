"""`FaultySystem`: the module `os`, whose calls fail when they are told to."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

CHANGING: Final = ("fsync", "ftruncate", "mkdir", "open", "pwrite", "rename", "unlink")
LOOKING: Final = ("fstat", "open", "pread", "scandir", "stat")


@dataclass(frozen=True, slots=True)
class SystemTrouble:
    """A kind of failure: of which calls, with which number of the system (`errno`).

    With `half`, half of what is to be written reaches the disk before the call fails.
    """

    name: str
    calls: tuple[str, ...]
    errno: int
    half: bool = False

    def __str__(self) -> str:
        """Return the name, which tells tests apart."""
        return self.name


SYSTEM_TROUBLES: Final = (
    SystemTrouble("disk full", ("mkdir", "open", "pwrite", "rename"), errno.ENOSPC),
    SystemTrouble("disk full half-way", ("pwrite",), errno.ENOSPC, half=True),
    SystemTrouble("write error", CHANGING, errno.EIO),
    SystemTrouble("sync error", ("fsync",), errno.EIO),
    SystemTrouble("read error", LOOKING, errno.EIO),
    SystemTrouble("read-only from now on", CHANGING, errno.EROFS),
    SystemTrouble("too many open files", ("open",), errno.EMFILE),
)
"""What a system does to a program that keeps files."""


class FaultySystem:
    """Stand in the place of the module `os`; pass everything on but for what is to fail.

    `short` makes every read and write of a file do a part only and say so, which the system may
    always do: no caller should notice. Calls may come from any thread.
    """

    def __init__(self, *, short: bool = False) -> None:
        self._lock = threading.Lock()
        self._trouble: SystemTrouble | None = None
        self._nth = self._calls = 0
        self._is_lasting = False
        self._is_short = short
        self.hits = 0

    def arm(self, trouble: SystemTrouble, nth: int, *, lasting: bool = False) -> None:
        """Let the `nth` of the calls fail, counted from now on and from 1.

        With `lasting`, all that follow fail as well.
        """
        with self._lock:
            self._trouble, self._nth, self._is_lasting = trouble, nth, lasting
            self._calls = self.hits = 0

    def heal(self) -> int:
        """Fail no more; return how often a call has failed since `arm`."""
        with self._lock:
            self._trouble = None
            return self.hits

    def __getattr__(self, name: str) -> object:
        """Return what `os` has under this name, made to fail in its turn."""
        found: object = getattr(os, name)
        if not callable(found):
            return found
        if self._is_short and name in ("pread", "pwrite"):
            found = _short(name)
        trouble = self._trouble
        if trouble is None or name not in trouble.calls:
            return found
        return self._failing(name, found, trouble)

    def _failing(
        self, name: str, real: Callable[..., object], trouble: SystemTrouble
    ) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            if not self._is_due():
                return real(*args, **options)
            if trouble.half and name == "pwrite":
                fd, data, offset = args
                content = bytes(cast("memoryview[int]", data))
                os.pwrite(cast("int", fd), content[: len(content) // 2], cast("int", offset))
            raise OSError(trouble.errno, os.strerror(trouble.errno))

        return call

    def _is_due(self) -> bool:
        with self._lock:
            self._calls += 1
            due = self._calls == self._nth or (self._is_lasting and self._calls > self._nth)
            self.hits += due
            return due


def _short(name: str) -> Callable[..., object]:
    def read(fd: int, size: int, offset: int) -> bytes:
        return os.pread(fd, max(size // 3, 1), offset)

    def write(fd: int, data: memoryview[int], offset: int) -> int:
        return os.pwrite(fd, data[: max(len(data) // 3, 1)], offset)

    return read if name == "pread" else write
