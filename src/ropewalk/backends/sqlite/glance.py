"""A glance at the file tells whether anybody has committed, of this process or another."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import apsw

if TYPE_CHECKING:
    from .connection import Connection


class Glance:
    """Tell on a connection of its own, which never has a snapshot, what others have committed.

    An open snapshot does not see that. To ask here takes three microseconds, which is a third of
    what a new snapshot costs, and without asking a read could miss what was acknowledged before.
    """

    __slots__ = ("_connection", "_lock")

    def __init__(self, connection: Connection) -> None:
        connection.be_impatient()
        self._connection = connection
        self._lock = threading.Lock()

    def take(self) -> int | None:
        """Return a number that every commit changes, of whatever connection.

        `None` where somebody else is looking in this moment, or the file cannot be looked at.
        """
        if not self._lock.acquire(blocking=False):
            return None
        try:
            return self._connection.integer("pragma data_version")
        except apsw.Error:
            return None
        finally:
            self._lock.release()

    def close(self) -> None:
        """Close the connection; may raise errors of apsw."""
        with self._lock:
            self._connection.close()
