"""A seat: a connection that one thread uses at a time, and on which a loop's thread never waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, TypeVar

import apsw

if TYPE_CHECKING:
    from .connection import Connection
    from .glance import Glance
    from .pulse import Pulse

R = TypeVar("R")

_STEPS: Final = 1_000
"""Steps of SQLite's machine, some 20 microseconds, between two looks at the clock."""

_FEWEST: Final = 2
"""So many looks pass before a read is broken off."""


class Seat:
    """Read on a loop's thread, all that comes without a commit in between in one snapshot.

    Whoever uses the connection has taken the seat: a thread waits for it, a loop does not. The
    snapshot stays open for whoever is next, until a `glance` shows that anybody has committed.
    Only a thread waits for locks on the file, too.
    """

    __slots__ = (
        "_cache",
        "_commits",
        "_connection",
        "_glance",
        "_glanced",
        "_lock",
        "_pulse",
        "_ticks",
        "_until",
        "_version",
        "_wanted",
    )

    def __init__(self, connection: Connection, pulse: Pulse, glance: Glance | None) -> None:
        self._connection = connection
        self._pulse = pulse
        self._glance = glance
        self._glanced: int | None = None
        self._lock = threading.Lock()
        self._cache = (0, 0)
        self._commits = -1
        self._version = -1
        self._until, self._ticks = 0.0, 0
        self._wanted = False
        connection.while_running(self._is_late, _STEPS)
        connection.be_impatient()

    def take(self) -> bool:
        """Take the seat if it is free and no thread waits for it, without waiting."""
        return not self._wanted and self._lock.acquire(blocking=False)

    def leave(self) -> None:
        """Let others have it."""
        self._lock.release()

    @contextmanager
    def taken(self) -> Generator[None]:
        """Wait for the seat, in the one thread that may; the snapshot is over then."""
        self._wanted = True
        with self._lock:
            self._wanted = False
            self.end()
            self._connection.be_patient()
            try:
                yield
            finally:
                self._connection.be_impatient()

    def read(self, work: Callable[[Connection], R], until: float) -> R:
        """Do `work`, which is broken off with `apsw.InterruptError` when it is later than `until`.

        Whoever calls has taken the seat. Raises errors of apsw, `apsw.BusyError` at once.
        """
        glanced = self._glance.take() if self._glance else None
        if self._commits != self._pulse.commits or glanced is None or glanced != self._glanced:
            self.end()
            # The glance was before: what is committed from here on will differ from it.
            self._glanced = glanced
            self._begin()
        self._until, self._ticks = until, 0
        try:
            return work(self._connection)
        except BaseException:
            self.end()
            raise
        finally:
            self._until = 0.0

    def read_alone(self, work: Callable[[Connection], R], until: float) -> R:
        """Do `work` of a single statement, which has a snapshot of its own, as `read` does.

        For one statement that is cheaper than a glance: it sees what is committed when it begins.
        """
        if self._commits != -1:
            self.end()
        self._until, self._ticks = until, 0
        try:
            return work(self._connection)
        finally:
            self._until = 0.0

    def end(self) -> None:
        """End the snapshot, if there is one; whoever calls has taken the seat."""
        self._commits = -1
        self._connection.roll_back()

    def let_go(self) -> None:
        """End the snapshot, unless somebody else has the seat and ends it anyway."""
        if self._commits != -1 and self.take():
            try:
                self.end()
            finally:
                self.leave()

    def cache_use(self) -> tuple[int, int]:
        """Return what the connection says of its cache, or said when nobody used it last."""
        if self.take():
            try:
                # It may have been closed in this very moment.
                with suppress(apsw.Error):
                    self._cache = self._connection.cache_use()
            finally:
                self.leave()
        return self._cache

    def close(self) -> None:
        """Close the connection; may raise errors of apsw."""
        with self._lock:
            self._connection.close()

    def _begin(self) -> None:
        commits = self._pulse.commits
        connection = self._connection
        connection.run("begin")
        # This opens the snapshot, too: what is remembered must not be older.
        version = connection.integer("pragma data_version")
        if version != self._version:
            self._version = version
            connection.names.forget()
        self._commits = commits

    def _is_late(self) -> bool:
        # Being late after a few steps means that others had the processor.
        self._ticks += 1
        return self._ticks > _FEWEST and 0.0 < self._until < time.perf_counter()
