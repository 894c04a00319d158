"""The sample calls of the specification, as they stand there."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import pytest

from ropewalk.compat import (
    CheckpointStorageAdapter,
    HistoryStorageAdapter,
    MessageRecord,
    SessionStorageAdapter,
    Thread,
    ThreadBranch,
    ThreadSnapshot,
    ThreadUnifiedAdapter,
    TokenUsageRecord,
    UnifiedStorage,
)
from ropewalk.domain.errors import Unavailable

pytestmark = pytest.mark.seed("7.2")

NOON = datetime(2025, 11, 10, 12)


async def test_the_session_adapter(unified: UnifiedStorage) -> None:
    """It saves a row of type `session` with the document in `data`, and loads it."""
    storage = unified
    session_id = "session_1"
    session_data: dict[str, Any] = {"context": {"user_id": "ada"}, "interactions": []}
    data: dict[str, Any] = {"id": session_id, "type": "session", "data": session_data}
    await storage.save(data)
    loaded = await storage.load(session_id)
    assert session_data == (loaded.get("data") if loaded else None)
    adapter = SessionStorageAdapter(storage)
    assert session_data == await adapter.get_session(session_id)
    assert await adapter.save_session("session_2", session_data)
    assert 2 == len(await adapter.list_sessions())
    assert await adapter.session_exists("session_2")
    assert await adapter.delete_session("session_2")


async def test_the_thread_adapter(unified: UnifiedStorage) -> None:
    """It saves threads, branches and snapshots as rows of their types."""
    adapter = ThreadUnifiedAdapter(unified)
    thread = Thread("t", "g", metadata={"a": 1})
    branch = ThreadBranch("b", "t", "c", "name")
    snapshot = ThreadSnapshot("s", "t", "name")
    assert await adapter.save(thread)
    assert await adapter.save_branch(branch)
    assert await adapter.save_snapshot(snapshot)
    for id_, type_, entity in (
        ("t", "thread", thread),
        ("b", "thread_branch", branch),
        ("s", "thread_snapshot", snapshot),
    ):
        row = await unified.load(id_)
        assert row is not None
        assert (type_, "t", entity.to_dict()) == (row["type"], row["thread_id"], row["data"])


async def test_the_history_adapter(unified: UnifiedStorage) -> None:
    """It records messages and tokens, and adds the tokens up out of the rows of a session."""
    adapter = HistoryStorageAdapter(unified)
    record = MessageRecord("m", "s", NOON, content="hi")
    await adapter.record_message(record)
    await adapter.record_token_usage(
        TokenUsageRecord("u", "s", NOON, "gpt", "openai", 10, 5, 15, "api")
    )
    row = await unified.load("m")
    assert row is not None
    assert record.to_dict() == row["data"]
    records = await unified.list({"type": "token_usage", "session_id": "s"})
    assert 15 == sum(r["data"]["total_tokens"] for r in records)
    expected = {"total_tokens": 15, "prompt_tokens": 10, "completion_tokens": 5, "record_count": 1}
    statistics = await adapter.get_token_statistics("s")
    assert expected == {name: statistics[name] for name in expected}


async def test_the_checkpoint_adapter(unified: UnifiedStorage) -> None:
    """It saves flat rows, serialises states if asked to, and the newest is the first of a list."""

    class Serializer:
        """Turns any state into text."""

        def serialize(self, data: object, /) -> str:
            """Return the state as text."""
            return repr(data)

        def deserialize(self, data: object, /) -> object:
            """Return the text."""
            return f"read {data}"

    for number in range(3):
        await unified.save(
            {
                "id": f"c{number}",
                "type": "checkpoint",
                "thread_id": "t",
                "workflow_id": "w",
                "state_data": {"n": number},
                "metadata": {"k": number},
                "created_at": None,
                "updated_at": None,
            }
        )
    filters = {"type": "checkpoint", "thread_id": "t"}
    [newest] = await unified.list(filters, limit=1)
    assert ("c2", "w", {"n": 2}) == (newest["id"], newest["workflow_id"], newest["state_data"])
    adapter = CheckpointStorageAdapter(unified)
    latest = await adapter.load_by_thread("t")
    assert latest is not None
    assert ("c2", {"n": 2}) == (latest["id"], latest["state_data"])
    own = CheckpointStorageAdapter(unified, Serializer())
    assert await own.save({"id": "x", "thread_id": "u", "workflow_id": "w", "state_data": [1]})
    read = await own.load_by_thread("u", "x")
    assert read is not None
    assert "read [1]" == read["state_data"]
    row = await unified.load("x")
    assert row is not None
    assert "[1]" == row["state_data"]


async def test_a_refusal_is_an_answer_and_is_logged(
    unified: UnifiedStorage, caplog: pytest.LogCaptureFixture
) -> None:
    """What could not be written is False, with the reason in the log and nothing of the data."""
    with caplog.at_level(logging.WARNING, "ropewalk.compat"):
        assert not await SessionStorageAdapter(unified).save_session("s", {"secret": {1, 2}})
    [said] = caplog.messages
    assert "session 's' was not written [not_json]" in said
    assert "secret" not in said


async def test_a_store_that_cannot_answer_is_no_empty_store(unified: UnifiedStorage) -> None:
    """Whoever reads from a closed store is told so; a write is answered with False."""
    adapter = SessionStorageAdapter(unified)
    await adapter.save_session("s", {"context": {}})
    await unified.close()
    with pytest.raises(Unavailable):
        await adapter.get_session("s")
    assert not await adapter.save_session("s", {"context": {}})
