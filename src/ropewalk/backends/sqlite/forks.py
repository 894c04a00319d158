"""A store does not cross a fork: whoever holds a file is known, and a child is kept off it.

SQLite counts its locks within a process. A forked child inherits the counts without the locks:
it would believe that it holds what only its parent holds, and the two could damage the file
(https://sqlite.org/howtocorrupt.html, "Carrying an open database file across a fork").
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Final

from ...domain.errors import Unavailable

_held: Final[Counter[tuple[str, int]]] = Counter()


def take(path: str) -> None:
    """Note that this process opens `path`; raise `Unavailable` if it inherited it opened."""
    process = os.getpid()
    if any(held == path and owner != process for held, owner in _held):
        raise forked(path)
    _held[path, process] += 1


def release(path: str) -> None:
    """Note that this process closed `path`."""
    place = path, os.getpid()
    _held[place] -= 1
    if not _held[place]:
        del _held[place]


def forked(path: str) -> Unavailable:
    """Make the error for a process that was forked while the file was open."""
    message = (
        f"this process was forked while {path} was open, and SQLite forbids to use it on both "
        "sides: open the store after the fork, or start processes with 'spawn'"
    )
    return Unavailable(message, code="forked", path=path)
