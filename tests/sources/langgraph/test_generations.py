"""Every generation of the tables since 2024 is read, and its graphs go on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command  # pyright: ignore[reportMissingTypeStubs]

from ropewalk.domain.source import SourceItem
from ropewalk.factory import open
from ropewalk.frontends.langgraph import RopewalkSaver
from ropewalk.sources.langgraph.moments import as_id

from ...frontends.langgraph import graphs
from .generations import with_json, with_packed_metadata, with_times
from .moved import listed, move, original, seen, source, told

pytestmark = pytest.mark.seed("7.2")

CONFIG: RunnableConfig = {"configurable": {"thread_id": "t"}}


@pytest.fixture
async def talk(tmp_path: Path) -> Path:
    """Return a file with a conversation of two turns."""
    path = tmp_path / "today.db"
    async with original(path) as saver:
        for turn in ("first", "second"):
            said = HumanMessage(turn, id=turn)
            await graphs.chat(saver).ainvoke({"messages": [said]}, CONFIG)
    return path


async def _answered(saver: Any) -> list[str]:  # noqa: ANN401 (any saver of LangGraph)
    said = HumanMessage("third", id="third")
    state = await graphs.chat(saver).ainvoke({"messages": [said]}, CONFIG)
    return [each.content for each in state["messages"]]


ANSWERED = ["first", "1: first", "second", "3: second", "third", "5: third"]


async def test_json_in_the_place_of_messagepack(talk: Path, tmp_path: Path) -> None:
    """Messages that were written as constructors in JSON are what LangGraph reads of them."""
    old = tmp_path / "old.db"
    with_json(talk, old)
    # LangGraph adds a column to the file that it opens.
    shutil.copyfile(old, tmp_path / "theirs.db")
    async with original(tmp_path / "theirs.db") as saver, open("memory://") as storage:
        report = await move(old, storage)
        ours = RopewalkSaver(storage)
        assert report.is_complete
        assert await listed(saver) == await listed(ours)
        states = await seen(graphs.chat(ours), "t")
        assert states == await seen(graphs.chat(saver), "t")
        messages = states[0][0]["messages"]
        assert [HumanMessage, AIMessage] * 2 == list(map(type, messages))
        assert ANSWERED == await _answered(ours) == await _answered(saver)
    inventory = await source(old).scan()
    assert ["langgraph-sqlite-namespaces"] == [each.format for each in inventory.formats]


async def test_an_interrupt_that_waits_in_json(tmp_path: Path) -> None:
    """A person may answer now what was asked two years ago."""
    path, old = tmp_path / "today.db", tmp_path / "old.db"
    async with original(path) as saver:
        await graphs.review(saver).ainvoke({"text": "a"}, CONFIG)
    with_json(path, old)
    async with open("memory://") as storage:
        await move(old, storage)
        graph = graphs.review(RopewalkSaver(storage))
        await graph.ainvoke(Command(resume="fine"), CONFIG)
        state = await graph.ainvoke(Command(resume="yes"), CONFIG)
    assert {"text": "A!", "answers": ["fine", "yes"]} == state


async def test_metadata_in_messagepack(talk: Path, tmp_path: Path) -> None:
    """Whether they were JSON or MessagePack, metadata are found by their values."""
    with_packed_metadata(talk, tmp_path / "old.db")
    async with original(talk) as saver, open("memory://") as storage:
        await move(tmp_path / "old.db", storage)
        before = [each._replace(pending_writes=[]) for each in await listed(saver)]
        ours = RopewalkSaver(storage)
        assert before == await listed(ours)
        steps = [each.metadata async for each in ours.alist(CONFIG, filter={"step": 1})]
    assert [1] == [metadata.get("step") for metadata in steps]


async def test_times_in_the_place_of_ids(talk: Path, tmp_path: Path) -> None:
    """The first savers named a checkpoint by its time, and wrote no form beside the bytes."""
    old = tmp_path / "old.db"
    times = with_times(talk, old)
    inventory = await source(old).scan()
    assert ["langgraph-sqlite-times"] == [each.format for each in inventory.formats]
    async with original(talk) as saver, open("memory://") as storage:
        report = await move(old, storage)
        assert report.is_complete
        ours = RopewalkSaver(storage)
        for theirs, own in zip(await listed(saver), await listed(ours), strict=True):
            assert as_id(times[theirs.checkpoint["id"]]) == own.checkpoint["id"]
            assert theirs.checkpoint["ts"] == own.checkpoint["ts"]
            assert theirs.checkpoint["channel_values"] == own.checkpoint["channel_values"]
            assert (theirs.metadata, 1) == (own.metadata, own.checkpoint["v"])
            assert len(theirs.pending_writes or ()) == len(own.pending_writes or ())
        assert ANSWERED == await _answered(ours)


async def test_tables_without_writes_or_metadata(talk: Path, tmp_path: Path) -> None:
    """What a generation lacks is read as if it stood there empty."""
    import sqlite3

    old = tmp_path / "old.db"
    with_times(talk, old)
    db = sqlite3.connect(old)
    db.executescript("DROP TABLE writes; ALTER TABLE checkpoints DROP COLUMN metadata")
    db.close()
    found = [finding for finding in await told(old) if isinstance(finding, SourceItem)]
    assert {"thread", "checkpoint"} == {item.kind for item in found}
    assert 7 == len(found) == sum((await source(old).scan()).kinds.values())
