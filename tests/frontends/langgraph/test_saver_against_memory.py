"""Random histories, kept by Ropewalk and by LangGraph's own saver in memory, read the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeAlias, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.memory import InMemorySaver

from ropewalk.frontends.langgraph import RopewalkSaver, opened

from .chains import Step, checkpoint, thread

pytestmark = pytest.mark.seed("3.4")

Saver: TypeAlias = BaseCheckpointSaver[str]
Act: TypeAlias = Callable[[Saver], None]

THREADS = st.sampled_from(["t", "u"])
NAMESPACES = st.sampled_from(["", "child:1"])
IDS = st.sampled_from(["1", "10", "2", "3", "30"])
CHANNELS = st.sampled_from(["a", "b", "branch:to:x", "~a", "é"])
SPECIAL = st.sampled_from(["__error__", "__interrupt__", "__resume__"])
ITEMS = st.lists(st.sampled_from(["x", "y" * 200, {"n": 1}, (1, 2), None]), max_size=12)
VALUES = ITEMS | st.sampled_from([None, 1, "text", b"\0", bytearray(b"b"), {"k": ["v"] * 90}])


def _put(at: RunnableConfig, id_: str, values: dict[str, Any], metadata: dict[str, Any]) -> Act:
    def act(saver: Saver) -> None:
        # Each put has versions of its own: the saver in memory finds a value by its version.
        step = Step(values, version=4)
        versions: ChannelVersions = {n: f"{id_}-{hash(repr(values[n]))}" for n in values}
        new = {**checkpoint(step, id=id_), "ts": "", "channel_versions": versions}
        saver.put(at, cast("Any", new), cast("CheckpointMetadata", metadata), versions)

    return act


def _put_writes(at: RunnableConfig, writes: list[tuple[str, Any]], task: str, path: str) -> Act:
    return lambda saver: saver.put_writes(at, writes, task, path)


def _delete(thread_id: str) -> Act:
    return lambda saver: saver.delete_thread(thread_id)


PLACES = st.builds(thread, THREADS, NAMESPACES, IDS)
METADATA: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict[str, Any], step=st.integers(0, 2), parents=st.builds(dict[str, str])
)
WRITES = st.lists(st.tuples(CHANNELS, VALUES), min_size=1, max_size=3) | st.lists(
    st.tuples(SPECIAL, VALUES), min_size=1, max_size=2
)
ACTS = st.one_of(
    st.builds(_put, PLACES, IDS, st.dictionaries(CHANNELS, VALUES, max_size=3), METADATA),
    st.builds(_put, PLACES, IDS, st.dictionaries(CHANNELS, VALUES, max_size=3), METADATA),
    st.builds(_put_writes, PLACES, WRITES, st.sampled_from(["s", "t"]), st.sampled_from(["", "p"])),
    st.builds(_delete, THREADS),
)


@settings(max_examples=600 if os.environ.get("ROPEWALK_LONG") else 40, deadline=None)
@given(st.lists(ACTS, min_size=1, max_size=14), st.integers(0, 2))
def test_random_histories_read_the_same(acts: list[Act], step: int) -> None:
    """Lists, filters, bounds and single checkpoints give what LangGraph's own saver gives."""
    memory = InMemorySaver()
    with opened("memory://") as storage:
        ours = RopewalkSaver(storage)
        for act in acts:
            act(memory)
            act(ours)

        for config in (thread("t"), thread("u", "child:1"), thread("t", id="10")):
            assert _seen(memory, config) == _seen(ours, config)
            assert _one(memory.get_tuple(config)) == _one(ours.get_tuple(config))
        for options in ({"filter": {"step": step}}, {"before": thread("t", id="2")}, {"limit": 2}):
            anywhere: RunnableConfig = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
            assert _seen(memory, anywhere, **options) == _seen(ours, anywhere, **options)


def _seen(saver: Saver, config: RunnableConfig, **options: Any) -> list[str]:  # noqa: ANN401
    return [_one(found) for found in saver.list(config, **options)]


def _one(found: CheckpointTuple | None) -> str:
    if found is None:
        return "nothing"
    # Its own parent, which a checkpoint can name when it is put again, is no parent to us.
    parent = None if found.parent_config == found.config else found.parent_config
    values = found.checkpoint["channel_values"]
    rest = {**found.checkpoint, "channel_values": dict(sorted(values.items()))}
    metadata = sorted(found.metadata.items())
    return repr((found.config, sorted(rest.items()), parent, metadata, found.pending_writes))
