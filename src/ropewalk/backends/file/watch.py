"""Looking at `commits.jsonl` from outside: has anybody written a row."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from .layout import COMMITS


class Lookout:
    """Tell whether anybody has committed: by the size of the log, and by which file it is.

    `newest` reads, under the lock, what the newest commit is.
    """

    def __init__(self, root: Path, newest: Callable[[], int]) -> None:
        self._path = root / COMMITS
        self._newest = newest
        self._seen: tuple[int, ...] | None = None

    def moved(self) -> bool:
        """Tell whether there was a commit since this was last asked."""
        seen = self._look()
        moved = seen is None or seen != self._seen
        self._seen = seen
        return moved

    def newest(self) -> int:
        """Return the number of the newest commit, 0 where there is none."""
        return self._newest()

    def close(self) -> None:
        """Do nothing: nothing is held open."""

    def _look(self) -> tuple[int, ...] | None:
        try:
            # Many times a second: a `Path` would take three times as long.
            found = os.stat(self._path, follow_symlinks=False)  # noqa: PTH116
        except OSError:  # whoever reads under the lock meets it again, and tells it
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
