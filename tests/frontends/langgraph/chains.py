"""Chains of checkpoints written by hand, as graphs with delta channels write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    empty_checkpoint,
)
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.serde.types import _DeltaSnapshot  # pyright: ignore[reportPrivateUsage]


@dataclass(frozen=True, slots=True)
class Step:
    """One checkpoint: the values it holds, and what is then written at it."""

    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    writes: Sequence[tuple[str, Any]] = ()
    run: str = "r"
    version: int = 1
    versions: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])


def snapshot(value: object) -> object:
    """Return what LangGraph stores of a delta channel now and then."""
    return _DeltaSnapshot(value)


def thread(name: str, namespace: str = "", id: str | None = None) -> RunnableConfig:
    """Return the configuration of a thread, or of one checkpoint in it."""
    place = {"thread_id": name, "checkpoint_ns": namespace}
    return {"configurable": {**place, "checkpoint_id": id} if id else place}


def checkpoint(step: Step, *, id: str | None = None) -> Checkpoint:
    """Return a checkpoint that holds the values of a step."""
    names = [*step.values, *step.versions]
    return {
        **empty_checkpoint(),
        "v": step.version,
        "id": id or str(uuid6(clock_seq=-1)),
        "channel_values": dict(step.values),
        "channel_versions": dict.fromkeys(names, "1"),
    }


async def grow(
    saver: BaseCheckpointSaver[str], steps: Sequence[Step], *, parent: RunnableConfig
) -> list[RunnableConfig]:
    """Write a chain of checkpoints below `parent`; return the configurations of all of them."""
    grown: list[RunnableConfig] = []
    for number, step in enumerate(steps):
        new = checkpoint(step)
        metadata: dict[str, Any] = {"source": "loop", "step": number, "run_id": step.run}
        parent = await saver.aput(
            parent,
            new,
            cast("CheckpointMetadata", {**metadata, "parents": {}, **step.metadata}),
            new["channel_versions"],
        )
        grown.append(parent)
        if step.writes:
            await saver.aput_writes(parent, step.writes, str(uuid4()))
    return grown


async def values_of(
    saver: BaseCheckpointSaver[str], config: RunnableConfig, channel: str
) -> list[Any]:
    """Return the value of a delta channel of lists, rebuilt as LangGraph does it."""
    found = (await saver.aget_delta_channel_history(config=config, channels=[channel]))[channel]
    seed: Any = found.get("seed", [])
    base = seed.value if isinstance(seed, _DeltaSnapshot) else seed
    return [*base, *(value for _, _, value in found["writes"])]


def named(config: RunnableConfig | None) -> dict[str, Any]:
    """Return what a configuration says to the checkpointer."""
    return (config or {}).get("configurable", {})


async def found_at(saver: BaseCheckpointSaver[str], config: RunnableConfig) -> CheckpointTuple:
    """Return the checkpoint that a configuration names, which must be there."""
    found = await saver.aget_tuple(config)
    assert found is not None
    return found


def id_of(config: RunnableConfig) -> str:
    """Return the id of the checkpoint that a configuration names."""
    return str(named(config)["checkpoint_id"])


async def ids(saver: BaseCheckpointSaver[str], config: RunnableConfig) -> list[str]:
    """Return the ids of the checkpoints of a thread, newest first."""
    return [found.checkpoint["id"] async for found in saver.alist(config)]
