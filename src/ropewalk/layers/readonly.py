"""`ReadonlyLayer`: refuses writes."""

from __future__ import annotations

from ..domain.change import Applied, Batch
from ..domain.errors import Denied
from .base import Layer


class ReadonlyLayer(Layer):
    """Let every read through and no batch, not even one that would change nothing.

    Opening a store that is not there may still create an empty one: that is the backend's door.
    """

    async def apply(self, batch: Batch) -> Applied:
        """Raise `Denied`, naming the first key; nothing reaches the backend."""
        first = batch.changes[0].key
        message = (
            f"this store is open for reading only, so {first} was not written; "
            "open it without the layer 'readonly' to write"
        )
        raise Denied(message, code="read_only", key=first)
