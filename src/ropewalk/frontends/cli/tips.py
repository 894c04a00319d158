"""Where the line of a thread ends: not in the states of a graph inside its graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...domain.errors import NotFound
from .refs import Refs, position_of

if TYPE_CHECKING:
    from ...domain.checkpoint import CheckpointHeader
    from ...domain.thread import Position
    from ...services.catalog import Named
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


async def checkpoint_of(storage: Storage, target: Named) -> CheckpointHeader:
    """Return the checkpoint that is meant, or the newest one of the place that is meant.

    Raises `NotFound` where there is none, and `Invalid` for what is on no line.
    """
    if target.kind == "checkpoint":
        return await storage.checkpoints.get(target.id)
    place = await Refs(storage).place(target)
    header = await newest(storage, place.thread_id, until=place.until)
    if header is None:
        message = f"there is no checkpoint on the line of thread {place.thread_id!r} there"
        raise NotFound(message, what="checkpoint", thread_id=place.thread_id)
    return header
