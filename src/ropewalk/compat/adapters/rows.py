"""What the adapters share: rows of one type in a storage, found and changed without a race."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import random
from typing import TYPE_CHECKING, Any, Final

from ...domain.errors import Conflict

if TYPE_CHECKING:
    from ..interfaces.unified import IUnifiedStorage, Row, Rows

ATTEMPTS: Final = 32
"""How often a change is made again on top of those of others."""

_PAUSE: Final = 0.002
"""Seconds to wait after a conflict, times the attempts and a chance."""


class Shelf:
    """The rows of one type; only the nine verbs of the storage are used."""

    def __init__(self, storage: IUnifiedStorage, type: str) -> None:
        """Work on the rows of `type`."""
        self._storage = storage
        self._type = type

    async def find(self, id: str) -> Row | None:
        """Return the row with this id, or `None`; a row of another type is another one."""
        found = await self._storage.list({"type": self._type, "id": id}, limit=1)
        return found[0] if found else None

    async def all(self, limit: int | None = None, **equal: str) -> Rows:
        """Return the rows whose fields have these values."""
        return await self._storage.list({"type": self._type, **equal}, limit)

    async def count(self, **equal: str) -> int:
        """Count the rows whose fields have these values."""
        return await self._storage.count({"type": self._type, **equal})

    async def save(self, id: str, data: dict[str, Any], **fields: object) -> str:
        """Write a row, new or not, and return its id."""
        return await self._storage.save({"id": id, "type": self._type, "data": data, **fields})

    async def remove(self, id: str) -> bool:
        """Take a row of this type away; return whether it was there."""
        if not await self._storage.list({"type": self._type, "id": id}, limit=1):
            return False
        return await self._storage.transaction([{"op": "delete", "type": self._type, "id": id}])

    async def edit(self, id: str, change: Callable[[Row | None], dict[str, Any] | None]) -> bool:
        """Replace the data of a row by what `change` makes of them, on top of what others write.

        `change` gets the row, or `None`, and returns the data, or `None` for no change; then the
        answer is False.
        """
        attempt = 1
        while True:
            row = await self.find(id)
            data = change(row)
            if data is None:
                return False
            operation: Row = {
                "op": "save",
                "type": self._type,
                "id": id,
                "data": {"id": id, "type": self._type, "data": data},
                "expected_version": row.get("version") if row else 0,
            }
            try:
                return await self._storage.transaction([operation])
            except Conflict:
                if attempt == ATTEMPTS:
                    raise
            await asyncio.sleep(_PAUSE * attempt * random())  # noqa: S311 (whose turn it is)
            attempt += 1
