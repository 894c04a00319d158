"""The whole folder at once: in order, the same every time, and left as it was."""

from __future__ import annotations

import asyncio
import hashlib
import tracemalloc
from contextlib import aclosing
from datetime import UTC, timedelta
from pathlib import Path

import pytest

from ropewalk.domain.errors import NotFound
from ropewalk.domain.history import Message
from ropewalk.domain.session import Interaction
from ropewalk.domain.source import Problem, Source, SourceItem
from ropewalk.domain.thread import Branch, Thread
from ropewalk.sources import BUILTIN
from ropewalk.sources.legacy.reader import LegacySource

from .reading import read
from .whole import write_whole
from .writing import ZONE, Tree, line_of, message

STAGES = ["session", "thread", "interaction", "history", "checkpoint", "state_change", "rest"]


def stage(kind: str) -> int:
    """Return the place of a kind in the order that is promised."""
    kind = {
        "branch": "thread",
        "snapshot": "thread",
        "session_recovery": "state_change",
        "state_snapshot": "rest",
    }.get(kind, kind)
    return STAGES.index(kind if kind in STAGES else "history")


@pytest.mark.seed("7.1")
async def test_parents_come_before_their_children(whole: Tree) -> None:
    """Whoever writes items in this order never writes a reference to something still to come."""
    told = await read(whole)
    stages = [stage(item.kind) for item in told.items]
    assert sorted(stages) == stages
    seen: set[str] = set()
    for item in told.items:
        entity = item.entity
        if isinstance(entity, Thread) and entity.origin:
            assert {entity.origin.thread_id, entity.root_id} <= seen
        if isinstance(entity, Branch):
            assert {entity.thread_id, entity.source_thread_id} <= seen
        if isinstance(entity, Interaction):
            assert entity.session_id in seen
        seen.add(item.source_id)


async def test_reading_twice_gives_the_same(whole: Tree) -> None:
    """Ids, places, digests and entities do not depend on the run."""
    first, second = await read(whole), await read(whole)
    # NaN is not equal to itself, so the comparison is that of what is written.
    assert repr(first.findings) == repr(second.findings)


async def test_names_are_unique_and_digests_follow_the_content(tree: Tree) -> None:
    """An item is known by kind and id; its digest changes when it does, and only its own."""
    tree.record(message("a"), message("b"))
    before = {(item.kind, item.source_id): item.digest for item in (await read(tree)).items}
    path = tree.path("history/sessions/202511/session_1.jsonl")
    path.write_bytes(path.read_bytes().replace(b"hello", b"hullo", 1))
    after = {(item.kind, item.source_id): item.digest for item in (await read(tree)).items}
    assert {("message", "a"), ("message", "b")} == before.keys() == after.keys()
    assert {("message", "a")} == {name for name in before if before[name] != after[name]}


@pytest.mark.seed("7.1")
async def test_the_source_is_left_as_it_was(whole: Tree) -> None:
    """No byte, no time and no file is changed, made or removed, by reading or by scanning."""

    def state() -> dict[Path, tuple[int, str]]:
        paths = sorted(whole.root.rglob("*"))
        stats = {path: path.stat().st_mtime_ns for path in paths}
        return {
            path: (time, hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
            for path, time in stats.items()
        }

    before = state()
    await read(whole)
    await LegacySource(whole.root, tz=ZONE).scan()
    assert before == state()


async def test_the_zone_moves_local_times_only(tree: Tree) -> None:
    """Another zone shifts what has no offset, and nothing else."""
    tree.record(message("a"), message("b", timestamp="2025-11-08T08:00:01+08:00"))
    times: dict[str, list[float]] = {}
    for zone in (ZONE, UTC):
        async for item in LegacySource(tree.root, tz=zone).read():
            if isinstance(item, SourceItem):
                times.setdefault(item.source_id, []).append(item.entity.created_at.timestamp())
    eight = timedelta(hours=8).total_seconds()
    assert {"a": eight, "b": 0.0} == {id: utc - local for id, (local, utc) in times.items()}


async def test_reading_can_be_abandoned(whole: Tree) -> None:
    """Whoever has seen enough leaves nothing open, and may begin again."""
    async with aclosing(LegacySource(whole.root, tz=ZONE).read()) as findings:
        async for finding in findings:
            if isinstance(finding, SourceItem):
                break
    assert (await read(whole)).items


async def test_a_folder_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    """A source that does not exist is an error at the first look, and so is a file."""
    file = tmp_path / "file"
    file.touch()
    for path in (tmp_path / "gone", file):
        source = LegacySource(path, tz=UTC)
        with pytest.raises(NotFound, match="there is no folder"):
            await source.scan()
        with pytest.raises(NotFound, match="there is no folder"):
            await anext(source.read())


async def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    """No items is an answer, and no error."""
    source: Source = LegacySource(tmp_path, tz=UTC)
    inventory = await source.scan()
    assert ({}, (), ()) == (inventory.kinds, inventory.formats, inventory.problems)
    assert [] == [finding async for finding in source.read()]


def test_the_source_has_a_name() -> None:
    """The factory finds the class under its name."""
    assert "sources.legacy.reader:LegacySource" == BUILTIN["legacy"]
    assert "ropewalk.sources.legacy.reader" == LegacySource.__module__


async def test_memory_does_not_grow_with_the_history(tree: Tree) -> None:
    """Eight megabytes of history pass through one or two of memory."""
    text = "x" * 8000
    lines = [line_of(message(f"m{n}", content=text)) + b"\n" for n in range(1000)]
    tree.lines("session_1", *lines, b'{"record_id": "' + b"y" * 100_000)
    del lines
    tracemalloc.start()
    try:
        count = 0
        async for finding in LegacySource(tree.root, tz=ZONE).read():
            count += isinstance(finding, SourceItem)
            assert not isinstance(finding, Problem) or len(finding.excerpt) <= 400
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 1000 == count
    assert peak < 3_000_000


async def test_two_can_read_at_once(whole: Tree) -> None:
    """Readers share nothing."""
    first, second = await asyncio.gather(read(whole), read(whole))
    assert first.ids("message") == second.ids("message") != []
    assert len(first.entities(Message)) == len(second.entities(Message))


@pytest.mark.seed("7.1")
async def test_what_cannot_be_read_comes_whole(tmp_path: Path) -> None:
    """Every problem with content has all of it, byte for byte where it is a line or a file."""
    whole = write_whole(tmp_path / "legacy")
    torn = whole.path("sessions/torn.json")
    torn.write_bytes(b'{"context": {"session_id": "x\xff')
    told = await read(whole)

    raws = {each.place: each.raw for each in told.findings if isinstance(each, Problem)}
    assert torn.read_bytes() == raws["sessions/torn.json:1"]
    months = [place for place in raws if place.startswith("history/sessions/")]
    assert months
    for place in months:
        name, _, number = place.rpartition(":")
        line = (whole.root / name).read_bytes().split(b"\n")[int(number) - 1]
        assert (raws[place] or b"nothing") in line
