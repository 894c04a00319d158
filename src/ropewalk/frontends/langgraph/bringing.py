"""`bring`: copy what any saver of LangGraph keeps, through that saver itself."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import WRITES_IDX_MAP, BaseCheckpointSaver, CheckpointTuple

from .place import Place
from .saver import RopewalkSaver

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_DIGITS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """How many checkpoints and pending writes were copied."""

    checkpoints: int
    writes: int


async def bring(
    source: BaseCheckpointSaver[Any], target: RopewalkSaver, *, thread_id: str | None = None
) -> Brought:
    """Copy the checkpoints of a thread, or of all threads, with what waits at them.

    Parents come before their children, in the order of their ids. Ids, versions and metadata stay
    what they are. A checkpoint that is at the same place in the target is replaced, a write at
    the same place stays. Nobody should write to the source meanwhile. Memory holds one checkpoint,
    and the ids of all. Raises what either saver raises; what was copied until then stays.
    """
    places = await _places(source, thread_id)
    checkpoints = writes = 0
    for place in places:
        found = await source.aget_tuple(place.config())
        if found is None:
            continue  # it was deleted meanwhile
        parent = found.parent_config
        config = place.at(None).config() if parent is None else _same(parent, place)
        await target.aput(
            config, found.checkpoint, found.metadata, found.checkpoint["channel_versions"]
        )
        checkpoints += 1
        writes += await _bring_writes(found, place, target)
    return Brought(checkpoints=checkpoints, writes=writes)


async def _places(source: BaseCheckpointSaver[Any], thread_id: str | None) -> list[Place]:
    asked: RunnableConfig | None = None
    if thread_id is not None:
        asked = {"configurable": {"thread_id": thread_id}}
    rows = source.alist(asked)
    # Some savers are locked while they list: so nothing else is asked of them until that is done.
    async with aclosing(cast("AsyncGenerator[CheckpointTuple, None]", rows)) as listed:
        places = [Place.of(found.config) async for found in listed]
    return sorted(places, key=lambda place: (place.thread_id, place.namespace, place.id))


def _same(config: RunnableConfig, place: Place) -> RunnableConfig:
    """Return the configuration of the parent, in the thread and the namespace of its child."""
    return place.at(Place.of(config).checkpoint_id).config()


async def _bring_writes(found: CheckpointTuple, place: Place, target: RopewalkSaver) -> int:
    """Copy what tasks wrote at a checkpoint, in the order in which the source tells it."""
    by_task: dict[str, list[tuple[str, Any]]] = {}
    for task_id, channel, value in found.pending_writes or ():
        by_task.setdefault(task_id, []).append((channel, value))
    for number, (task_id, written) in enumerate(by_task.items()):
        # A saver does not tell the path of a task, by which tasks are sorted: the order stays.
        path = f"{number:0{_DIGITS}}"
        plain = [pair for pair in written if pair[0] not in WRITES_IDX_MAP]
        special = [pair for pair in written if pair[0] in WRITES_IDX_MAP]
        for part in (plain, special):
            if part:
                await target.aput_writes(place.config(), part, task_id, path)
    return sum(map(len, by_task.values()))
