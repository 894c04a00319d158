"""What the writer does while nobody waits: move the WAL into the file, give free pages back."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Final

import apsw

from .connection import Connection

_CHECKPOINT_PAGES: Final = 2_000
"""How many more pages in the WAL, 8 MiB of them, call for a checkpoint."""

IDLE: Final = 0.2
"""Seconds without a batch before pages are given back: whoever writes on may want them himself."""

_AGAIN: Final = 1.0
"""Seconds until the next try, where another process is writing."""

_STEP: Final = 256
"""Pages that one step gives back: a batch that comes meanwhile waits some milliseconds."""

_FEW: Final = 32
_SHARE: Final = 8
"""So many free pages, or one in so many of the file, may stay for what is written next; and so may
one in so many of the bytes within pages, where the file is small enough to be packed anew."""

_LEAVING: Final = 2.0
"""Seconds that closing may spend on giving pages back."""

_MANY: Final = 100
"""Removed rows that make it worth while to look how full the pages are."""

_SMALL: Final = 64 * 1024 * 1024
"""Bytes of the biggest file that is packed anew at closing."""


class Tidying:
    """Keep WAL and file small, in short steps between batches.

    `removed` is told how many rows have been removed in all: where there were none since the
    last look, there is nothing to give back.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._wal_pages = 0
        self._checkpoint_at = _CHECKPOINT_PAGES
        self._removed = 0
        self._giving = False
        self._begins_anew = True
        connection.after_commit(self._count_pages)

    def is_quiet(self) -> bool:
        """Tell whether the next commit is a quick one, and no checkpoint is due.

        The first one after a checkpoint may begin the WAL anew, and then waits for the disk
        however little is asked of it: https://sqlite.org/pragma.html#pragma_synchronous.
        """
        return not self._begins_anew and self._wal_pages < self._checkpoint_at

    def wants_rest(self, removed: int) -> bool:
        """Tell whether there is anything at all to tidy up."""
        return self._wal_pages >= self._checkpoint_at or self._giving or removed > self._removed

    def is_due(self) -> bool:
        """Tell whether the WAL has grown enough to be moved."""
        return self._wal_pages >= self._checkpoint_at

    def checkpoint(self) -> None:
        """Move the WAL into the file if it has grown enough; may raise errors of apsw."""
        if self.is_due():
            self._checkpoint_at = self._wal_pages + _CHECKPOINT_PAGES
            self._copy()

    def has_work(self, removed: int) -> bool:
        """Tell whether there may be pages to give back."""
        return self._giving or removed > self._removed

    def give_back(self, removed: int) -> float | None:
        """Do one step; return how many seconds to wait for the next, `None` after the last.

        May raise errors of apsw.
        """
        if not self._giving:
            free, pages = self._pages()
            self._removed = removed
            if free < _FEW or free * _SHARE < pages:
                return None
            self._giving = True
        try:
            self._connection.give_back(_STEP)
        except apsw.BusyError:
            return _AGAIN
        if self._pages()[0]:
            self.checkpoint()
            return 0.0
        self._giving = False
        # The file ends where it should as soon as all of the WAL is in it.
        self._copy(truncate=True)
        return None

    def leave(self, removed: int) -> None:
        """Give back all that is free, within a few seconds; may raise errors of apsw."""
        self._connection.be_impatient()
        if removed >= _MANY:
            self._pack()
        if removed:
            end = time.monotonic() + _LEAVING
            while self._pages()[0] and time.monotonic() < end:
                self._connection.give_back(_STEP)
        self._connection.checkpoint(truncate=True)

    def _pack(self) -> None:
        """Write a small file anew if much of its used pages is empty.

        What is removed here and there leaves holes, and no page to give back.
        """
        _, pages = self._pages()
        if not _FEW < pages <= _SMALL // self._connection.page_size:
            return
        hollow = "select coalesce(100 * sum(unused) / sum(pgsize), 0) from dbstat"
        if self._connection.integer(hollow) * _SHARE > 100:  # noqa: PLR2004 (per cent)
            self._connection.run("vacuum")

    def _pages(self) -> tuple[int, int]:
        """Return how many pages of the file are free, and how many there are."""
        connection = self._connection
        return connection.integer("pragma freelist_count"), connection.integer("pragma page_count")

    def _copy(self, *, truncate: bool = False) -> None:
        self._begins_anew = True
        # Another process may be at it, or read what is there.
        with suppress(apsw.BusyError):
            self._connection.checkpoint(truncate=truncate)

    def _count_pages(self, pages: int) -> None:
        self._wal_pages = pages
        # After a checkpoint the WAL may have begun anew.
        self._checkpoint_at = min(self._checkpoint_at, pages + _CHECKPOINT_PAGES)
        self._begins_anew = False
