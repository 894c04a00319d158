"""When a query must end: its time is up, or nobody waits for it any more."""

from __future__ import annotations

import time
from threading import Event

from .limits import beyond


class Halt:
    """Tells the parts of one query, in whichever thread, when to stop."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._left = Event()

    def leave(self) -> None:
        """Say that nobody waits for the answer."""
        self._left.set()

    def due(self) -> bool:
        """Tell whether the query must end now."""
        return self._left.is_set() or time.monotonic() > self._deadline

    def check(self) -> None:
        """Raise `Invalid` if the query must end now."""
        if self.due():
            message = (
                f"the query took longer than {self._seconds:g} seconds; narrow it by id, "
                "session_id, thread_id, time or metadata"
            )
            raise beyond("max_query_seconds", message)
