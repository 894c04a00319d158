"""`FaultyFiles`: the files of SQLite on a disk that fails at the call it is told to."""

# The type stubs of apsw name a class that Python has from 3.12 on only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import apsw

Call: TypeAlias = Literal["delete", "lock", "open", "read", "size", "sync", "truncate", "write"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """A kind of failure: at which calls, and what SQLite is told (an extended result code).

    With `half`, half of the data reaches the disk before a write fails.
    """

    name: str
    call: Call
    code: int
    half: bool = False

    def __str__(self) -> str:
        """Return the name, which tells tests apart."""
        return self.name


TROUBLES: Final = (
    Trouble("disk full", "write", apsw.SQLITE_FULL),
    Trouble("disk full half-way", "write", apsw.SQLITE_FULL, half=True),
    Trouble("write error", "write", apsw.SQLITE_IOERR_WRITE),
    Trouble("short write", "write", apsw.SQLITE_IOERR_WRITE, half=True),
    Trouble("sync error", "sync", apsw.SQLITE_IOERR_FSYNC),
    Trouble("read error", "read", apsw.SQLITE_IOERR_READ),
    Trouble("truncate error", "truncate", apsw.SQLITE_IOERR_TRUNCATE),
    Trouble("size error", "size", apsw.SQLITE_IOERR_FSTAT),
    Trouble("delete error", "delete", apsw.SQLITE_IOERR_DELETE),
    Trouble("lock error", "lock", apsw.SQLITE_IOERR_LOCK),
    Trouble("locked by another", "lock", apsw.SQLITE_BUSY),
    Trouble("open error", "open", apsw.SQLITE_CANTOPEN),
)
"""What a disk does to SQLite; `unixWrite` and its neighbours in SQLite's `os_unix.c` say it so."""


class FaultyFiles(apsw.VFS):
    """Pass every call on to the real file system, but for those that are to fail.

    The index of the WAL is memory shared between processes, not a file that is read and written,
    and is not touched here. Calls may come from any thread.
    """

    def __init__(self, name: str, base: str) -> None:
        self._lock = threading.Lock()
        self._trouble: Trouble | None = None
        self._nth = self._calls = 0
        self._is_lasting = False
        self.base = base
        self.hits = 0
        super().__init__(name, base, makedefault=True)

    def arm(self, trouble: Trouble, nth: int, *, lasting: bool = False) -> None:
        """Let the `nth` call of this kind fail, counted from now on and from 1.

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

    def due(self, call: Call) -> Trouble | None:
        """Count a call; return what is to happen to it, `None` if it goes through."""
        with self._lock:
            trouble = self._trouble
            if trouble is None or trouble.call != call:
                return None
            self._calls += 1
            if self._calls != self._nth and not (self._is_lasting and self._calls > self._nth):
                return None
            self.hits += 1
            return trouble

    def suffer(self, call: Call) -> None:
        """Count a call, and raise the error of apsw that it is to fail with."""
        trouble = self.due(call)
        if trouble is not None:
            raise apsw.exception_for(trouble.code)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 (SQLite's word)
        """Open a file, or fail."""
        self.suffer("open")
        return _FaultyFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802, FBT001 (SQLite's words)
        """Delete a file, or fail."""
        self.suffer("delete")
        super().xDelete(filename, syncdir)


class _FaultyFile(apsw.VFSFile):
    """One file of a `FaultyFiles`."""

    def __init__(
        self, files: FaultyFiles, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        self._files = files
        super().__init__(files.base, name, flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 (SQLite's word)
        """Read, or fail."""
        self._files.suffer("read")
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 (SQLite's word)
        """Write, or fail before it, or fail half-way."""
        trouble = self._files.due("write")
        if trouble is None:
            super().xWrite(data, offset)
            return
        if trouble.half:
            super().xWrite(data[: len(data) // 2], offset)
        raise apsw.exception_for(trouble.code)

    def xSync(self, flags: int) -> None:  # noqa: N802 (SQLite's word)
        """Make safe, or fail."""
        self._files.suffer("sync")
        super().xSync(flags)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 (SQLite's word)
        """Cut off, or fail."""
        self._files.suffer("truncate")
        super().xTruncate(newsize)

    def xFileSize(self) -> int:  # noqa: N802 (SQLite's word)
        """Tell the size, or fail."""
        self._files.suffer("size")
        return super().xFileSize()

    def xLock(self, level: int) -> None:  # noqa: N802 (SQLite's word)
        """Lock, or fail."""
        self._files.suffer("lock")
        super().xLock(level)


@contextmanager
def faulty_files(name: str = "faulty") -> Generator[FaultyFiles]:
    """Let every database that apsw opens meanwhile be on such a disk; close them all before."""
    default = apsw.vfs_names()[0]
    files = FaultyFiles(name, default)
    try:
        yield files
    finally:
        apsw.set_default_vfs(default)
        files.unregister()
