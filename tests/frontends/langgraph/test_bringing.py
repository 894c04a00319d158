"""What any saver of LangGraph can read is brought through it, and the graphs go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command  # pyright: ignore[reportMissingTypeStubs]

import ropewalk
from ropewalk.frontends.langgraph import RopewalkSaver, bring

from .graphs import deltas, review, steps
from .test_values import Keystream

pytestmark = pytest.mark.seed("7.2")

CONFIG: RunnableConfig = {"configurable": {"thread_id": "t"}}


async def _listed(saver: BaseCheckpointSaver[Any]) -> list[CheckpointTuple]:
    found = [each async for each in saver.alist(None)]
    return sorted(found, key=lambda each: str(each.config))


async def test_an_encrypted_file_is_brought_with_its_key(tmp_path: Path) -> None:
    """A question that waits is answered in the new store; done again, nothing is changed."""
    async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "graphs.db")) as theirs:
        theirs.serde = EncryptedSerializer(Keystream())
        await review(theirs).ainvoke({"text": "a"}, CONFIG)
        before = await _listed(theirs)
        async with ropewalk.open("memory://") as storage:
            ours = RopewalkSaver(storage)
            brought = await bring(theirs, ours)
            assert brought == await bring(theirs, ours)
            assert before == await _listed(ours)
            assert (3, 5) == (brought.checkpoints, brought.writes)
            assert (await storage.checkpoints.verify()).is_whole
            await review(ours).ainvoke(Command(resume="fine"), CONFIG)
            state = await review(ours).ainvoke(Command(resume="yes"), CONFIG)
    assert {"text": "A!", "answers": ["fine", "yes"]} == state


async def test_delta_channels_are_brought_with_all_they_need() -> None:
    """From a saver that keeps values apart from checkpoints, with two tasks a step in order."""
    theirs = InMemorySaver()
    for count in range(7):
        await deltas(theirs).ainvoke({"count": count}, CONFIG)
    async with ropewalk.open("memory://") as storage:
        ours = RopewalkSaver(storage)
        await bring(theirs, ours)
        assert await _listed(theirs) == await _listed(ours)
        states = [each.values async for each in deltas(ours).aget_state_history(CONFIG)]
        assert [each.values async for each in deltas(theirs).aget_state_history(CONFIG)] == states
        gone_on = [await deltas(saver).ainvoke({"count": 7}, CONFIG) for saver in (theirs, ours)]
    assert gone_on[0] == gone_on[1]


async def test_one_thread_may_be_brought_alone() -> None:
    """The others are left where they are."""
    theirs = InMemorySaver()
    for name in ("t", "u"):
        config: RunnableConfig = {"configurable": {"thread_id": name}}
        await steps(theirs).ainvoke({"foo": "", "bar": []}, config)
    async with ropewalk.open("memory://") as storage:
        brought = await bring(theirs, RopewalkSaver(storage), thread_id="u")
        assert 4 == brought.checkpoints
        assert ["u"] == [thread.id async for thread in storage.threads.stream()]
