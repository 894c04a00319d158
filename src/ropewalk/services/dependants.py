"""`Dependants`: what hangs on a session in the other modules, asked for through their services."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ..domain.change import Change
    from .checkpoints.manager import Checkpoints
    from .history import History
    from .threads.manager import Threads


class Dependants:
    """Lets a session be deleted without the sessions knowing anybody else's records."""

    def __init__(self, *, threads: Threads, history: History, checkpoints: Checkpoints) -> None:
        """Ask these three."""
        self._threads = threads
        self._history = history
        self._checkpoints = checkpoints

    async def count(self, session_id: str) -> dict[str, int]:
        """Count what belongs to a session, by what it is called."""
        return {
            "threads": await self._threads.count(session_id=session_id),
            "entries": await self._history.count(session_id=session_id),
            "checkpoints": await self._checkpoints.count_of_session(session_id),
        }

    async def deletions(self, session_id: str) -> AsyncIterator[Change]:
        """Make the changes that delete everything of a session but itself."""
        async for removal in self._history.delete_of_session(session_id):
            yield removal
        async for removal in self._threads.delete_of(await self._threads.ids_of(session_id)):
            yield removal

    async def detachments(self, session_id: str) -> AsyncIterator[Change]:
        """Make the changes that take everything out of a session."""
        async for put in self._history.detach_of(session_id):
            yield put
        async for put in self._checkpoints.detach_of(session_id):
            yield put
        async for put in self._threads.detach_of(session_id):
            yield put
