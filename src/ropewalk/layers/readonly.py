"""`ReadonlyLayer`: refuses writes."""

from __future__ import annotations

from ..domain.change import Applied, Batch, Check
from ..domain.errors import Denied
from .base import Layer


class ReadonlyLayer(Layer):
    """Let every read through and no batch, unless it only checks what was read.

    Opening a store that is not there may still create an empty one: that is the backend's door.
    """

    async def apply(self, batch: Batch) -> Applied:
        """Raise `Denied`, naming the first key that would be written; nothing reaches the backend.

        A batch that only checks goes through: a unit of work that read ends with one.
        """
        first = next((c.key for c in batch.changes if not isinstance(c, Check)), None)
        if first is None:
            return await self._below.apply(batch)
        message = (
            f"this store is open for reading only, so {first} was not written; "
            "open it without the layer 'readonly' to write"
        )
        raise Denied(message, code="read_only", key=first)

    async def trim(self, before: int) -> int:
        """Raise `Denied`: forgetting commits is writing, too."""
        message = (
            f"this store is open for reading only, so its commits before {before} stay; "
            "open it without the layer 'readonly' to forget them"
        )
        raise Denied(message, code="read_only", before=before)
