"""The checkpoints of a whole family of threads, with who points where, ready to be drawn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from ...domain.checkpoint import CheckpointHeader
from ...domain.moment import to_micros
from ...domain.thread import Node, Thread
from .graph import Point, in_order
from .refs import position_of
from .tips import newest

if TYPE_CHECKING:
    from ...services.storage import Storage

_INSIDE: Final = "|"
"""Stands between the names of graphs that lie in one another, in the namespaces of LangGraph."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A name for a checkpoint: the end of a thread (`thread`), or a snapshot of one."""

    name: str
    thread_id: str
    is_snapshot: bool = False


@dataclass(slots=True)
class Family:
    """The newest checkpoints of a family in drawing order, and what stands beside them.

    `empty` names the threads on whose line there is no checkpoint. `cut` tells that there are
    older checkpoints, which were left out.
    """

    root: Node
    headers: dict[str, CheckpointHeader] = field(default_factory=dict[str, CheckpointHeader])
    points: list[Point] = field(default_factory=list[Point])
    marks: dict[str, list[Mark]] = field(default_factory=dict[str, list[Mark]])
    empty: list[str] = field(default_factory=list[str])
    cut: bool = False


def nodes_of(root: Node) -> list[Node]:
    """Return a tree's nodes, each before its children."""
    found = [root]
    for node in found:
        found.extend(node.children)
    return found


def name_of(node: Node) -> str:
    """Return what a thread is called in its family: its branch, else its id."""
    return node.branch.name if node.branch is not None and node.branch.name else node.thread.id


async def gather(storage: Storage, thread_id: str, *, limit: int) -> Family:
    """Read the newest `limit` checkpoints of the family of a thread, without their states.

    Costs one read for each checkpoint shown and a few for each thread.
    """
    family = Family(await storage.threads.tree(thread_id))
    nodes = nodes_of(family.root)
    for node in nodes:
        await _take(storage, family, node.thread, limit)
    kept = sorted(family.headers.values(), key=position_of, reverse=True)[:limit]
    family.cut = family.cut or len(kept) < len(family.headers)
    family.headers = {header.id: header for header in kept}
    await _mark(storage, family, nodes)
    family.points = in_order(await _points(storage, family))
    return family


async def _take(storage: Storage, family: Family, thread: Thread, limit: int) -> None:
    """Read a thread's own checkpoints, those that a rollback took off its line too."""
    rows = cast(
        "AsyncGenerator[CheckpointHeader, None]", storage.checkpoints.stream(thread_id=thread.id)
    )
    taken = 0
    async with aclosing(rows):
        async for header in rows:
            if taken == limit:
                family.cut = True
                return
            family.headers[header.id] = header
            taken += 1


async def _mark(storage: Storage, family: Family, nodes: Iterable[Node]) -> None:
    """Note where each thread's line ends, and its snapshots."""
    marks: defaultdict[str, list[Mark]] = defaultdict(list)
    for node in nodes:
        thread = node.thread
        tip = await newest(storage, thread.id)
        if tip is None:
            family.empty.append(name_of(node))
        else:
            marks[tip.id].append(Mark(name_of(node), thread.id))
        for snapshot in await storage.threads.snapshots(thread.id):
            if snapshot.checkpoint_id is not None:
                mark = Mark(snapshot.name, thread.id, is_snapshot=True)
                marks[snapshot.checkpoint_id].append(mark)
    family.marks = dict(marks)


async def _points(storage: Storage, family: Family) -> list[Point]:
    parents = {
        header.id: await _parents(storage, header, family.headers)
        for header in family.headers.values()
    }
    reached = _reached(family, parents)
    gaps = {node.thread.id: node.thread.gaps for node in nodes_of(family.root)}
    return [
        Point(
            id=header.id,
            at=to_micros(header.created_at),
            parents=parents[header.id],
            hidden=header.id not in reached
            and any(
                gap.begin <= position_of(header) < gap.end for gap in gaps.get(header.thread_id, ())
            ),
        )
        for header in family.headers.values()
    ]


async def _parents(
    storage: Storage, header: CheckpointHeader, known: Mapping[str, CheckpointHeader]
) -> tuple[str, ...]:
    """Return what a checkpoint continues, and what was merged into it."""
    first = header.parent_id
    if first is not None and first not in known and not await storage.checkpoints.find(first):
        first = None
    if first is None and header.namespace:
        first = _around(header, known.values())
    elif first is None:
        # Its parent was deleted, or it came without one: it continues what is before it.
        before = await storage.checkpoints.latest_header(
            header.thread_id, until=position_of(header)
        )
        first = before.id if before is not None else None
    merged = header.metadata.get("merged_checkpoint")
    found = [first, merged if isinstance(merged, str) and merged in known else None]
    return tuple(dict.fromkeys(id for id in found if id is not None and id != header.id))


def _around(header: CheckpointHeader, known: Iterable[CheckpointHeader]) -> str | None:
    """Return what a graph inside a graph goes on from: its own states, or those around it."""
    at = position_of(header)
    before = [h for h in known if h.thread_id == header.thread_id and position_of(h) < at]
    for namespace in (header.namespace, header.namespace.rpartition(_INSIDE)[0], ""):
        found = [h for h in before if h.namespace == namespace]
        if found:
            return max(found, key=position_of).id
    return None


def _reached(family: Family, parents: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Return the checkpoints that a thread or a snapshot still leads to."""
    todo = [id for id in family.marks if id in family.headers]
    reached: set[str] = set()
    while todo:
        id = todo.pop()
        if id not in reached:
            reached.add(id)
            todo += parents.get(id, ())
    return reached
