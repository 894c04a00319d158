"""Looking at the file from outside: is it still itself, how big is it, has anybody committed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ...domain.errors import Unavailable
from .errors import speaking_of

if TYPE_CHECKING:
    from .connection import Connection


class Lookout:
    """Tell whether anybody has committed: by a number in the file that every commit changes.

    `file` is what tells the file that was opened from others.
    """

    def __init__(self, connection: Connection, path: str, file: tuple[int, int] | None) -> None:
        self._connection = connection
        self._path = path
        self._file = file
        self._version = -1

    def moved(self) -> bool:
        """Tell whether there was a commit since this was last asked."""
        if file_identity(self._path) != self._file:
            raise gone(self._path)
        with speaking_of(self._path):
            # It differs from the last as soon as another connection, of whichever process, has
            # committed: https://sqlite.org/pragma.html#pragma_data_version
            version = self._connection.integer("pragma data_version")
        moved = version != self._version
        self._version = version
        return moved

    def newest(self) -> int:
        """Return the number of the newest commit, 0 where there is none."""
        with speaking_of(self._path):
            return self._connection.integer("select coalesce(max(seq), 0) from commits")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def file_identity(path: str) -> tuple[int, int] | None:
    """Return what tells one file from another under the same name, `None` where none is to be seen.

    That is so, too, where a folder above was closed to this user, or became something else.
    """
    try:
        # Before every transaction: a `Path` would take three times as long.
        status = os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    return status.st_dev, status.st_ino


def size(path: str) -> int:
    """Return the size of a file in bytes, 0 where there is none."""
    try:
        return Path(path).stat().st_size
    except FileNotFoundError:
        return 0


def gone(path: str) -> Unavailable:
    """Make the error for a file that is no longer where it was opened."""
    message = (
        f"{path} was moved or removed while it was open, so nothing can be kept: "
        "bring it back, or open the store again"
    )
    return Unavailable(message, code="file_gone", path=path)
