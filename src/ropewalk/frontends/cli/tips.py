"""Where the line of a thread ends: not in the states of a graph inside its graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .refs import position_of

if TYPE_CHECKING:
    from ...domain.checkpoint import CheckpointHeader
    from ...domain.thread import Position
    from ...services.storage import Storage


async def newest(
    storage: Storage, thread_id: str, *, until: Position | None = None
) -> CheckpointHeader | None:
    """Return the newest checkpoint on a thread's line that is in no namespace, or the newest.

    What lies before it in namespaces costs one read each. `until` ends the line earlier.
    """
    first = found = await storage.checkpoints.latest_header(thread_id, until=until)
    while found is not None and found.namespace:
        before = position_of(found)
        found = await storage.checkpoints.latest_header(thread_id, until=before)
    return found or first
