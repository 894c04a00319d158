"""What states take: by thread and by kind, shared and not, beside what whole states would take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .opening import opened
from .output import Column, Output
from .text import size

if TYPE_CHECKING:
    from ...domain.census import ThreadSpace, TreeSpace
    from .command import Invocation
    from .payload import Json


async def show_trees(invocation: Invocation) -> None:
    """Write what the states of a space take."""
    output = Output(invocation)
    async with opened(invocation) as storage:
        space = await storage.checkpoints.stats()
    if output.json:
        output.emit(_payload(space))
        return
    output.table(
        [
            Column("thread", style="cyan"),
            Column("checkpoints", right=True),
            Column("own", right=True),
            Column("shared", right=True),
            Column("whole", right=True),
            Column("ratio", right=True),
        ],
        [
            (
                thread.thread_id,
                output.number(thread.checkpoints),
                size(thread.own_bytes),
                size(thread.shared_bytes),
                size(thread.whole_bytes),
                f"{thread.ratio:.1f}",
            )
            for thread in space.threads
        ],
    )
    output.line()
    rows = [
        ("headers", size(space.header_bytes)),
        ("nodes", size(space.node_bytes)),
        ("pending writes", size(space.write_bytes)),
        ("dictionaries", size(space.dictionary_bytes)),
        ("garbage", size(space.garbage_bytes)),
        ("stored", size(space.stored_bytes)),
        ("whole states", size(space.whole_bytes)),
        ("ratio", f"{space.ratio:.1f}"),
    ]
    output.table([Column("what", style="cyan"), Column("amount", right=True)], rows)


def _payload(space: TreeSpace) -> Json:
    return {
        "threads": [_thread(thread) for thread in space.threads],
        "nodes": space.nodes,
        "garbage": space.garbage,
        "header_bytes": space.header_bytes,
        "node_bytes": space.node_bytes,
        "write_bytes": space.write_bytes,
        "dictionary_bytes": space.dictionary_bytes,
        "garbage_bytes": space.garbage_bytes,
        "stored_bytes": space.stored_bytes,
        "whole_bytes": space.whole_bytes,
        "ratio": space.ratio,
    }


def _thread(thread: ThreadSpace) -> Json:
    return {
        "thread_id": thread.thread_id,
        "checkpoints": thread.checkpoints,
        "writes": thread.writes,
        "own_bytes": thread.own_bytes,
        "shared_bytes": thread.shared_bytes,
        "header_bytes": thread.header_bytes,
        "node_bytes": thread.node_bytes,
        "write_bytes": thread.write_bytes,
        "whole_bytes": thread.whole_bytes,
        "ratio": thread.ratio,
    }
