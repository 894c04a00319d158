"""`PowerCut`: the files of SQLite on a disk that keeps only what was synced, in any order."""

# The type stubs of apsw name a class that Python has from 3.12 on only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, TypeAlias

import apsw

Write: TypeAlias = tuple[int, bytes | None]
"""Bytes at an offset, or (`None`) the end of the file there."""

Image: TypeAlias = dict[str, bytes]
"""What is on the disk, by the name of the file."""

_NONE: Final = 0.0
_ALL: Final = 1.0


@dataclass(slots=True)
class _Kept:
    """What a file holds for certain, `None` if not even its name, and what was written since."""

    safe: bytes | None
    since: list[Write] = field(default_factory=list[Write])


class PowerCut(apsw.VFS):
    """Pass every call on, and know at any moment what a loss of power could leave.

    A disk may write what was not synced in any order, or not at all; what was synced stays, and
    a write harms no byte beside it. `before_step` is called before each call that changes
    something. Calls may come from any thread.
    """

    def __init__(self, name: str, base: str, before_step: Callable[[], None]) -> None:
        self.base = base
        self._before_step = before_step
        # Whoever is told of a step asks for images within it.
        self._lock = threading.RLock()
        self._files: dict[str, _Kept] = {}
        super().__init__(name, base, makedefault=True)

    def images(self, random: Random) -> list[Image]:
        """Return what may be left: nothing unsynced, all of it, and two draws of some of it."""
        with self._lock:
            shares = (_NONE, _ALL, random.random(), random.random())
            return [self._image(share, random) for share in shares]

    def _image(self, share: float, random: Random) -> Image:
        image: Image = {}
        for path, kept in self._files.items():
            came = [write for write in kept.since if random.random() < share]
            if kept.safe is not None or came:
                image[Path(path).name] = _written(kept.safe or b"", came)
        return image

    def note(self, path: str, write: Write) -> None:
        """Remember a change that is not safe yet."""
        with self._lock:
            self._before_step()
            self._files[path].since.append(write)

    def secure(self, path: str) -> None:
        """Take what was written to a file for safe."""
        with self._lock:
            self._before_step()
            kept = self._files[path]
            kept.safe, kept.since = _written(kept.safe or b"", kept.since), []

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 (SQLite's word)
        """Open a file, which begins with what is there."""
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is not None:
            there = Path(path).read_bytes() if Path(path).exists() else None
            with self._lock:
                self._files.setdefault(path, _Kept(there))
        return _CutFile(self, path or "", name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802, FBT001 (SQLite's words)
        """Delete a file: it is gone at once."""
        with self._lock:
            self._before_step()
            self._files.pop(filename, None)
        super().xDelete(filename, syncdir)


class _CutFile(apsw.VFSFile):
    """One file of a `PowerCut`."""

    def __init__(
        self,
        disk: PowerCut,
        path: str,
        name: str | apsw.URIFilename | None,
        flags: list[int],
    ) -> None:
        self._disk = disk
        self._path = path
        super().__init__(disk.base, name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 (SQLite's word)
        """Write, which is not safe yet."""
        self._disk.note(self._path, (offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 (SQLite's word)
        """Cut off, which is not safe yet."""
        self._disk.note(self._path, (newsize, None))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 (SQLite's word)
        """Make safe what was written."""
        super().xSync(flags)
        self._disk.secure(self._path)


def _written(content: bytes, writes: Sequence[Write]) -> bytes:
    found = bytearray(content)
    for offset, data in writes:
        if data is None:
            del found[offset:]
        else:
            found.extend(bytes(max(offset - len(found), 0)))
            found[offset : offset + len(data)] = data
    return bytes(found)


@contextmanager
def power_cut(before_step: Callable[[PowerCut], None]) -> Generator[PowerCut]:
    """Let every database that apsw opens meanwhile be on such a disk; close them all before.

    `before_step` may ask for `images` and must not touch a database.
    """
    default = apsw.vfs_names()[0]
    disk = PowerCut("power-cut", default, lambda: before_step(disk))
    try:
        yield disk
    finally:
        apsw.set_default_vfs(default)
        disk.unregister()
