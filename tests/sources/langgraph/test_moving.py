"""Graphs that ran under LangGraph's own saver go on under ours, from states that are equal."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from ropewalk.domain.source import SourceItem
from ropewalk.factory import open
from ropewalk.frontends.langgraph import RopewalkSaver

from ...frontends.langgraph import graphs
from . import runs
from .moved import PLAN, listed, move, original, seen, source, told
from .runs import AT, CONFIG, KINDS, gist

pytestmark = pytest.mark.seed("7.2")


@pytest.mark.parametrize("kind", KINDS)
async def test_every_state_is_equal_and_the_graph_goes_on(kind: str, tmp_path: Path) -> None:
    """Ids, parents, versions, metadata, pending writes and states; then both go on alike."""
    make, run, go_on = KINDS[kind]
    path = tmp_path / "graphs.db"
    async with original(path) as saver:
        await run(make(saver))
        before, states = await listed(saver), await seen(make(saver), AT)

    async with open(f"sqlite:///{tmp_path / 'store.db'}") as storage:
        report = await move(path, storage)
        assert ((), (), True) == (report.losses, report.notes, report.is_complete)
        ours = RopewalkSaver(storage)
        assert before == await listed(ours)
        assert states == await seen(make(ours), AT)
        verified = await storage.migrations.verify(source(path), PLAN)
        assert (True, 0) == (verified.is_sound, verified.dangling)

        async with original(path) as saver:
            for graph in (make(saver), make(ours)):
                await go_on(graph)
            theirs = [gist(each) for each in await seen(make(saver), AT)]
        assert theirs == [gist(each) for each in await seen(make(ours), AT)]
        assert (await storage.checkpoints.verify()).is_whole


async def test_what_came_since_is_brought_by_the_next_run(tmp_path: Path) -> None:
    """An item has the same id and digest at every run: so a second run brings what is new."""
    path = tmp_path / "graphs.db"
    async with open("memory://") as storage:
        async with original(path) as saver:
            await runs.draft(graphs.review(saver))
            first = await move(path, storage)
            again = await move(path, storage)
            await runs.answer(graphs.review(saver))
            before = await listed(saver)
        since = await storage.migrations.run(source(path), PLAN, since_last=True)
        assert before == await listed(RopewalkSaver(storage))

    assert 0 == again.changes
    assert first.brought == again.present
    assert {"checkpoint": 2, "write": 3} == dict(since.brought)
    # The list of answers, which the second one was added to.
    assert {"write": 1} == dict(since.replaced)


async def test_a_file_is_read_with_what_stands_only_in_its_wal_and_never_changed(
    tmp_path: Path,
) -> None:
    """A program that still has it open loses nothing; not a byte of any file is written."""
    path = tmp_path / "graphs.db"
    async with original(path) as saver:
        await runs.steps(graphs.steps(saver))
        before = await listed(saver)
        assert (tmp_path / "graphs.db-wal").stat().st_size
        sums = _sums(tmp_path)
        async with open("memory://") as storage:
            await move(path, storage)
            assert before == await listed(RopewalkSaver(storage))
        assert sums == _sums(tmp_path)


def _sums(folder: Path) -> dict[str, str]:
    # The index of a WAL is shared memory of those who have the database open.
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.iterdir()
        if not file.name.endswith("-shm")
    }


async def test_a_step_costs_what_it_adds(tmp_path: Path) -> None:
    """A list of messages is stored once, though the source has it in every checkpoint."""
    path = tmp_path / "graphs.db"
    async with original(path) as saver:
        graph = graphs.chat(saver)
        for turn in range(40):
            said = HumanMessage(f"{turn} " + "word " * 120, id=f"h{turn}")
            await graph.ainvoke({"messages": [said]}, CONFIG)
    async with open("memory://") as storage:
        await move(path, storage)
        headers = [h async for h in storage.checkpoints.stream(thread_id=AT)]
        kept = sum(header.size for header in headers)

    assert 120 == len(headers)
    whole = sum(len(str(item.entity)) for item in await told(path) if isinstance(item, SourceItem))
    assert kept * 8 < whole


async def test_reading_is_the_same_every_time(tmp_path: Path) -> None:
    """The same ids, digests and order, also in a copy of the file under another name."""
    path = tmp_path / "graphs.db"
    async with original(path) as saver:
        await runs.fan(graphs.fan(saver))
    shutil.copyfile(path, tmp_path / "copy.db")
    first, second = await told(path), await told(tmp_path / "copy.db")

    def named(findings: list[Any]) -> list[tuple[str, str, str, object]]:
        return [(f.kind, f.source_id, f.digest, f.entity) for f in findings]

    assert named(first) == named(second)
    inventory = await source(path).scan()
    kinds = [finding.kind for finding in first if isinstance(finding, SourceItem)]
    assert {kind: kinds.count(kind) for kind in kinds} == dict(inventory.kinds)
    assert ["langgraph-sqlite-task-path"] == [each.format for each in inventory.formats]


async def test_a_run_is_taken_back_as_if_it_had_never_been(tmp_path: Path) -> None:
    """What was there before is left, byte for byte."""
    path = tmp_path / "graphs.db"
    async with original(path) as saver:
        await runs.count(graphs.deltas(saver))
    async with open("memory://") as storage:
        await graphs.steps(RopewalkSaver(storage)).ainvoke(
            {"foo": "", "bar": []}, {"configurable": {"thread_id": "mine"}}
        )
        before = await storage.migrations.content_hash()
        report = await move(path, storage)
        assert before != await storage.migrations.content_hash()
        await storage.migrations.rollback(report.run)
        assert before == await storage.migrations.content_hash()
