"""Databases that the Agents SDK itself has written come over whole: items, branches and usage."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

import ropewalk
from ropewalk.domain.errors import Invalid, NotFound
from ropewalk.domain.history import Message, TokenUsage, ToolCall
from ropewalk.domain.migration import Plan
from ropewalk.domain.source import Note, Problem, SourceItem
from ropewalk.factory import open_source

from .openai_agents.live import BRANCHES, turn, write_branches, write_plain

if TYPE_CHECKING:
    from ropewalk.domain.source import Finding, Source

pytestmark = pytest.mark.seed("7.1")

USER: dict[str, Any] = {"role": "user", "content": "Which train goes to Rome?"}
CALL: dict[str, Any] = {
    "type": "function_call",
    "call_id": "call_1",
    "id": "fc_1",
    "name": "find_trains",
    "arguments": '{"to": "Rome"}',
    "status": "completed",
}
OUTPUT: dict[str, Any] = {"type": "function_call_output", "call_id": "call_1", "output": "FR 9611"}
ANSWER: dict[str, Any] = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "FR 9611.", "annotations": []}],
}
REASONING: dict[str, Any] = {"type": "reasoning", "id": "rs_1", "summary": []}
SEARCH: dict[str, Any] = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
PLAN: Final = Plan(name="agents")
HERE: Final = Path(__file__).parent / "openai_agents"


def _source(path: Path) -> Source:
    return open_source("openai-agents", path)


async def _findings(path: Path) -> list[Finding]:
    return [finding async for finding in _source(path).read()]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def _plain(path: Path, items: list[dict[str, Any]], *, session_id: str = "s-1") -> None:
    """Keep items as the SDK does, in tables that it has made."""
    is_new = not path.exists()
    with closing(sqlite3.connect(path)) as db:
        if is_new:
            db.executescript((HERE / "plain.sql").read_text())
            db.executescript("DELETE FROM agent_messages; DELETE FROM agent_sessions")
        db.execute("INSERT OR IGNORE INTO agent_sessions (session_id) VALUES (?)", (session_id,))
        rows = [(session_id, json.dumps(item)) for item in items]
        db.executemany("INSERT INTO agent_messages (session_id, message_data) VALUES (?, ?)", rows)
        db.commit()


async def _branched(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Take a database that the SDK has written, and what it said of each branch."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript((HERE / "branches.sql").read_text())
        db.commit()
    begin = turn(1) + turn(2)
    held = [begin + turn(3) + turn(4), begin + turn(13), turn(1) + turn(22), turn(31)]
    return dict(zip(BRANCHES, held, strict=True))


LONG: Final = bool(os.environ.get("ROPEWALK_LONG"))
"""Whether the SDK, which takes long to be imported, writes the databases itself."""

PLAIN: Final = [_plain, *([write_plain] if LONG else [])]
BRANCHED: Final = [_branched, *([write_branches] if LONG else [])]


@pytest.mark.parametrize("write", PLAIN)
async def test_a_plain_session_comes_over(tmp_path: Path, write: Any) -> None:  # noqa: ANN401
    """Messages keep their content, a call has its output, nothing else of an item is lost."""
    path = tmp_path / "agents.db"
    items = [USER, REASONING, CALL, SEARCH, OUTPUT, ANSWER]
    await write(path, items)
    before = _digest(path)
    async with ropewalk.open("memory://") as storage:
        source = _source(path)
        run = await storage.migrations.run(source, PLAN)
        assert (await storage.migrations.verify(source, PLAN)).is_sound
        entries = [e async for e in storage.history.stream(thread_id="s-1")]
        assert 0 == (await storage.migrations.run(source, PLAN)).changes
    assert {"session": 1, "thread": 1, "message": 3, "tool_call": 2} == dict(run.brought)
    assert before == _digest(path)
    user, reasoning, call, search, answer = entries
    assert isinstance(user, Message)
    assert ("user", USER["content"], {}) == (user.role, user.content, user.metadata)
    assert isinstance(reasoning, Message)
    assert REASONING == reasoning.content
    assert isinstance(call, ToolCall)
    assert ("find_trains", {"to": "Rome"}, "FR 9611") == (
        call.tool_name,
        call.tool_input,
        call.tool_output,
    )
    kept = {**call.metadata["openai"], "arguments": json.dumps(call.tool_input)}
    assert CALL == kept
    assert OUTPUT == {**call.metadata["openai_output"], "output": call.tool_output}
    assert isinstance(search, ToolCall)
    assert SEARCH == search.tool_input
    assert isinstance(answer, Message)
    kept = {**answer.metadata["openai"], "role": answer.role, "content": answer.content}
    assert ANSWER == kept


@pytest.mark.parametrize("write", BRANCHED)
async def test_branches_and_usage_come_over(tmp_path: Path, write: Any) -> None:  # noqa: ANN401
    """Each branch reads as it did, and shares with the others what it shared; usage adds up."""
    path = tmp_path / "agents.db"
    held: dict[str, list[dict[str, Any]]] = await write(path)
    async with ropewalk.open("memory://") as storage:
        run = await storage.migrations.run(_source(path), PLAN)
        assert (await storage.migrations.verify(_source(path), PLAN)).is_sound
        threads = {
            thread.title or "main": thread for thread in (await storage.threads.list()).items
        }
        lines = {
            name: [m.content for m in await storage.history.messages(thread.id)]
            for name, thread in threads.items()
        }
        usage = [
            e async for e in storage.history.stream(thread_id="s-1") if isinstance(e, TokenUsage)
        ]
        branches = [b.name for t in threads.values() for b in await storage.threads.branches(t.id)]
    expected = {name: [item["content"] for item in items] for name, items in held.items()}
    assert expected == lines
    distinct = {content for contents in expected.values() for content in contents}
    assert len(distinct) == run.brought["message"]
    assert {"shorter", "of a branch", "from the beginning"} == set(branches)
    assert [(10, 1, 11), (20, 2, 22), (30, 3, 33)] == [
        (u.prompt_tokens, u.completion_tokens, u.total_tokens) for u in usage
    ]


async def test_what_comes_later_is_brought_by_the_next_run(tmp_path: Path) -> None:
    """Ids stay what they were: a second run brings the new items alone."""
    path = tmp_path / "agents.db"
    await _plain(path, turn(1))
    async with ropewalk.open("memory://") as storage:
        await storage.migrations.run(_source(path), PLAN)
        await _plain(path, turn(2))
        await _plain(path, turn(1), session_id="s-2")
        run = await storage.migrations.run(_source(path), PLAN, since_last=True)
        count = await storage.history.count()
    assert {"session": 1, "thread": 1, "message": 4} == dict(run.brought)
    assert 6 == count


async def test_damage_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    """Torn, foreign and encrypted items are told with their row; the others come."""
    path = tmp_path / "agents.db"
    await _plain(path, [USER, CALL])
    rows = ['{"role": "us', "[1]", '{"__enc__": 1, "v": 1, "payload": "x"}', b"\xff{}"]
    with closing(sqlite3.connect(path)) as db:
        for row in rows:
            db.execute(
                "INSERT INTO agent_messages (session_id, message_data) VALUES ('s-1', ?)", (row,)
            )
        lost = "INSERT INTO agent_messages (session_id, message_data, created_at) VALUES (?, ?, ?)"
        db.execute(lost, ("s-lost", json.dumps(OUTPUT), "2025-01-01 00:00:00"))
        db.execute(lost, ("s-odd", json.dumps(USER), "yesterday"))
        db.commit()
    found = await _findings(path)
    problems = Counter(each.code for each in found if isinstance(each, Problem))
    assert (
        Counter(["torn", "not_object", "encrypted", "not_utf8", "no_time", "no_time"]) == problems
    )
    assert all(each.raw for each in found if isinstance(each, Problem) and each.code != "no_time")
    notes = {each.source_id for each in found if isinstance(each, Note)}
    assert {"s-lost"} == notes
    entities = [each.entity for each in found if isinstance(each, SourceItem)]
    told = [e for e in entities if isinstance(e, Message) and e.role == "tool"]
    assert [("FR 9611", "call_1")] == [(e.content, e.tool_call_id) for e in told]
    inventory = await _source(path).scan()
    assert len(found) == sum(inventory.kinds.values()) + inventory.problem_count + len(notes)
    async with ropewalk.open("memory://") as storage:
        with pytest.raises(Invalid, match="would stay behind"):
            await storage.migrations.run(_source(path), PLAN)


async def test_a_torn_page_is_told(tmp_path: Path) -> None:
    """A database that SQLite cannot read is a problem of its place, and no error."""
    path = tmp_path / "agents.db"
    await _plain(path, [{"role": "user", "content": "x" * 500} for _ in range(200)])
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("PRAGMA journal_mode=DELETE")
    data = bytearray(path.read_bytes())
    data[20_000:40_000] = b"\xee" * 20_000
    path.write_bytes(data)
    codes = {each.code for each in await _findings(path) if isinstance(each, Problem)}
    assert "bad_database" in codes


async def test_what_is_no_such_database_is_told(tmp_path: Path) -> None:
    """Another SQLite file, another file, and no file at all are three different answers."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t (a)")
        db.commit()
    assert ["no_tables"] == [p.code for p in (await _source(path).scan()).problems]
    (tmp_path / "text.db").write_text("hello, this is no database at all" * 100)
    assert ["bad_database"] == [
        p.code for p in (await _source(tmp_path / "text.db").scan()).problems
    ]
    with pytest.raises(NotFound):
        await _source(tmp_path / "none.db").scan()


async def test_other_names_of_tables(tmp_path: Path) -> None:
    """Tables may have been given names of their own."""
    path = tmp_path / "agents.db"
    await _plain(path, [USER])
    with closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE agent_sessions RENAME TO my_sessions")
        db.execute("ALTER TABLE agent_messages RENAME TO my_messages")
        db.commit()
    source = open_source(
        "openai-agents", path, sessions_table="my_sessions", messages_table="my_messages"
    )
    assert {"session": 1, "thread": 1, "message": 1} == dict((await source.scan()).kinds)
