"""`News`: sleep until somebody commits something, without asking the store over and over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ...domain.ports import Capability

if TYPE_CHECKING:
    from ...domain.ports import Backend

_SHORTEST: Final = 0.005
_LONGEST: Final = 0.1
"""Seconds between two looks at a store that cannot tell when something has changed."""


class News:
    """Used in rounds: `begin`, look at the store, `wait`; nothing is missed in between."""

    def __init__(self, backend: Backend) -> None:
        """Listen to `backend`."""
        self._backend = backend
        self._tells = Capability.FEED in backend.capabilities
        self._seen = -1
        self._pause = _SHORTEST

    async def begin(self) -> None:
        """Remember what is there before somebody looks."""
        if self._tells:
            self._seen = await self._backend.changed(-1)

    async def wait(self, seconds: float) -> None:
        """Return when there was a commit since `begin`, or after so many seconds at the latest."""
        if not self._tells:
            await asyncio.sleep(min(seconds, self._pause))
            self._pause = min(2 * self._pause, _LONGEST)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._backend.changed(self._seen)
        except TimeoutError:
            return
