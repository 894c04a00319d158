"""JSON lines come over by convention or by a mapping; torn and strange lines are told."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

import ropewalk
from ropewalk.domain.errors import Invalid, NotFound
from ropewalk.domain.history import Message, ToolCall
from ropewalk.domain.migration import Plan
from ropewalk.domain.source import Note, Problem, SourceItem
from ropewalk.factory import open_source

if TYPE_CHECKING:
    from ropewalk.domain.source import Finding

pytestmark = pytest.mark.seed("7.1")

PLAN: Final = Plan(name="lines")


def _write(path: Path, *lines: dict[str, Any] | str) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts) + "\n")
    return path


async def _findings(path: Path, **names: str) -> list[Finding]:
    return [finding async for finding in open_source("jsonl", path, **names).read()]


def _entities(findings: list[Finding]) -> list[Any]:
    return [finding.entity for finding in findings if isinstance(finding, SourceItem)]


async def test_messages_sessions_and_threads_by_convention(tmp_path: Path) -> None:
    """A session may come behind its messages; what has no field of its own is kept."""
    path = _write(
        tmp_path / "chat.jsonl",
        {
            "session_id": "s-1",
            "role": "user",
            "content": "hello",
            "timestamp": 1_760_000_000,
            "id": 7,
        },
        {
            "session_id": "s-1",
            "role": "assistant",
            "content": ["hi"],
            "model": "m",
            "metadata": {"a": 1},
        },
        {
            "session_id": "s-1",
            "title": "Rome",
            "user_id": "ada",
            "created_at": "2025-10-09T00:00:00Z",
        },
        {"thread_id": "t-2", "session_id": "s-1", "title": "side", "ts": 1_760_000_001_500},
        {
            "thread_id": "t-2",
            "session_id": "s-1",
            "tool_name": "find",
            "tool_input": {"to": "Rome"},
        },
    )
    async with ropewalk.open("memory://") as storage:
        source = open_source("jsonl", path)
        run = await storage.migrations.run(source, PLAN)
        assert (await storage.migrations.verify(source, PLAN)).is_sound
        assert 0 == (await storage.migrations.run(source, PLAN)).changes
        session = await storage.sessions.get("s-1")
        first, second = await storage.history.messages("s-1")
        side = await storage.threads.get("t-2")
        [call] = [entry async for entry in storage.history.stream(thread_id="t-2")]
    assert {"session": 1, "thread": 2, "message": 2, "tool_call": 1} == dict(run.brought)
    assert ("Rome", "ada") == (session.title, session.user_id)
    assert ("7", "user", "hello") == (first.id, first.role, first.content)
    assert ("s-1~000000002", ["hi"]) == (second.id, second.content)
    assert {"a": 1, "jsonl": {"model": "m"}} == second.metadata
    assert 1 == (second.created_at - first.created_at).microseconds
    assert ("side", "s-1", 500_000) == (side.title, side.session_id, side.created_at.microsecond)
    assert isinstance(call, ToolCall)
    assert ("find", {"to": "Rome"}) == (call.tool_name, call.tool_input)


async def test_fields_under_other_names(tmp_path: Path) -> None:
    """A mapping says where fields stand, also inside of others."""
    path = _write(
        tmp_path / "log.jsonl",
        {
            "who": "human",
            "body": {"text": "hello"},
            "chat": "c-1",
            "at": "2025-10-09T08:00:00+08:00",
        },
    )
    names = {"role": "who", "content": "body.text", "session": "chat,room", "time": "at"}
    [session, thread, message] = _entities(await _findings(path, **names))
    assert ("c-1", "c-1") == (session.id, thread.id)
    assert ("human", "hello", 0) == (message.role, message.content, message.created_at.hour)
    with pytest.raises(Invalid, match="no name of a field"):
        open_source("jsonl", path, role="a..b")
    with pytest.raises(Invalid, match="no option"):
        open_source("jsonl", path, rolle="a")


async def test_a_line_may_be_a_whole_conversation(tmp_path: Path) -> None:
    """A list of messages becomes a thread of its own, in order, in a folder of several files."""
    _write(
        tmp_path / "a.jsonl",
        {
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": "hi"},
            ]
        },
        {
            "id": "conv-2",
            "conversations": [{"from": "human", "value": "one"}, {"from": "gpt", "value": "two"}],
        },
    )
    _write(tmp_path / "b.jsonl", {"role": "user", "content": "alone"})
    found = await _findings(tmp_path)
    said = [(e.thread_id, e.role, e.content) for e in _entities(found) if isinstance(e, Message)]
    assert [
        ("a~000000001", "system", "be brief"),
        ("a~000000001", "user", "hi"),
        ("conv-2", "human", "one"),
        ("conv-2", "gpt", "two"),
        ("b", "user", "alone"),
    ] == said
    inventory = await open_source("jsonl", tmp_path).scan()
    assert {"thread": 3, "message": 5} == dict(inventory.kinds)
    assert 5 == sum(isinstance(each, Note) and each.code == "time_guessed" for each in found)


async def test_torn_and_strange_lines_are_told(tmp_path: Path) -> None:
    """Each with its place and what stands there; everything else is read."""
    path = _write(
        tmp_path / "chat.jsonl",
        {"role": "user", "content": "hello", "id": "m"},
        '{"role": "user", "cont',
        "[1, 2]",
        {"nothing": "known"},
        {"role": "user", "content": "again", "id": "m"},
        {"session_id": "s-1", "title": "once"},
        {"session_id": "s-1", "title": "twice"},
        {"messages": ["hello", {"content": "by nobody"}]},
    )
    found = await _findings(path)
    problems = {each.place: each.code for each in found if isinstance(each, Problem)}
    assert {
        "chat.jsonl:2": "torn",
        "chat.jsonl:3": "not_object",
        "chat.jsonl:4": "unknown_line",
        "chat.jsonl:7": "duplicate",
        "chat.jsonl:8[0]": "not_object",
        "chat.jsonl:8[1]": "unknown_line",
    } == problems
    ids = [entity.id for entity in _entities(found) if isinstance(entity, Message)]
    assert ["m", "m~2"] == ids
    notes = Counter(each.code for each in found if isinstance(each, Note))
    assert 1 == notes["duplicate_id"]


async def test_archives_and_nothing_are_refused(tmp_path: Path) -> None:
    """An archive has its own door, and a place without lines is not there."""
    path = _write(tmp_path / "a.jsonl", {"format": "ropewalk-archive", "version": 1})
    assert ["archive"] == [p.code for p in await _findings(path) if isinstance(p, Problem)]
    with pytest.raises(NotFound):
        await _findings(tmp_path / "none.jsonl")
