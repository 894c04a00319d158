"""What stands on the checkpoints of a thread: forks, their snapshots, and the thread's own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ...domain.limits import MAX_INT64
from ...domain.thread import Gap, Position, Segment, Thread
from ..lineage import stretches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from ...domain.checkpoint import CheckpointHeader
    from ..lineage import Lineage

    Newest = Callable[[tuple[Segment, ...]], Awaitable[CheckpointHeader | None]]

FORK: Final = "a fork begins here"
SNAPSHOT: Final = "a snapshot ends here"

_END: Final = Position(MAX_INT64, "")


async def standing(thread_id: str, lineage: Lineage, newest: Newest) -> dict[str, str]:
    """Return the checkpoints of a thread that something stands on, each with the reason.

    These are where forks begin, and for every line that leads through the thread, as it is and as
    each of its snapshots would bring it back, the newest of the thread's own that is on it.
    """
    held: dict[str, str] = {}
    async for thread in _family(thread_id, lineage):
        line = await lineage.ancestors(thread.id)
        if thread.id != thread_id:
            if thread.origin is not None and thread.origin.checkpoint_id is not None:
                held.setdefault(thread.origin.checkpoint_id, FORK)
            await _hold(held, FORK, _own(line, thread_id), newest)
        async for snapshot in lineage.snapshots(thread.id):
            hidden = Gap(snapshot.until, _END)
            back = replace(thread, gaps=(*thread.gaps, hidden))
            if snapshot.checkpoint_id is not None:
                held.setdefault(snapshot.checkpoint_id, SNAPSHOT)
            await _hold(held, SNAPSHOT, _own((*line[:-1], back), thread_id), newest)
    return held


async def _family(thread_id: str, lineage: Lineage) -> AsyncIterator[Thread]:
    """Go through a thread and everything that was forked from it, or from such a fork."""
    first = await lineage.find(thread_id)
    if first is None:
        return
    seen = {thread_id}
    waiting = [first]
    while waiting:
        thread = waiting.pop()
        yield thread
        async for fork in lineage.forks(thread.id):
            if fork.id not in seen:
                seen.add(fork.id)
                waiting.append(fork)


def _own(line: Sequence[Thread], thread_id: str) -> tuple[Segment, ...]:
    return tuple(segment for segment in stretches(line) if segment.thread_id == thread_id)


async def _hold(
    held: dict[str, str], reason: str, segments: tuple[Segment, ...], newest: Newest
) -> None:
    found = await newest(segments) if segments else None
    if found is not None:
        held.setdefault(found.id, reason)
