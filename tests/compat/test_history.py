"""`IHistoryManager`: each method as the legacy program documents it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ropewalk.compat import (
    CostRecord,
    HistoryManager,
    HistoryQuery,
    IHistoryManager,
    LLMRequestRecord,
    LLMResponseRecord,
    MessageRecord,
    MessageType,
    StorageValidationError,
    TokenUsageRecord,
    ToolCallRecord,
    UnifiedStorage,
)

pytestmark = pytest.mark.seed("7.2")

NOON = datetime(2025, 11, 10, 12)


@pytest.fixture
def manager(unified: UnifiedStorage) -> HistoryManager:
    """Return the manager over a unified storage."""
    return HistoryManager(unified)


def message(id: str, seconds: float = 0, **changes: Any) -> MessageRecord:  # noqa: ANN401
    """Return a message of session s."""
    return MessageRecord(id, "s", NOON + timedelta(seconds=seconds), **changes)


def usage(id: str, total: int) -> TokenUsageRecord:
    """Return a token usage record of session s."""
    return TokenUsageRecord(id, "s", NOON, "gpt", "openai", total - 1, 1, total, "api")


def cost(id: str, total: float, currency: str = "USD", model: str = "gpt") -> CostRecord:
    """Return a cost record of session s."""
    return CostRecord(id, "s", NOON, model, "openai", 1, 2, 3, 0.1, 0.2, total, currency=currency)


async def test_every_type_comes_back_as_it_was(manager: HistoryManager) -> None:
    """Six methods record; what is asked for are equal records, of their own classes."""
    assert isinstance(manager, IHistoryManager)
    said = message("m", message_type=MessageType.ASSISTANT, content="你好\0", metadata={"a": [1]})
    called = ToolCallRecord("t", "s", NOON, tool_name="", tool_input={"q": 1}, tool_output=None)
    asked = LLMRequestRecord("q", "s", NOON, "gpt", "openai", [{"type": "human"}], {"t": 0.5})
    answered = LLMResponseRecord("a", "s", NOON, "q", "ok", "stop", {"total_tokens": 3}, 1.5, "gpt")
    used, paid = usage("u", 3), cost("c", 0.3)
    await manager.record_message(said)
    await manager.record_tool_call(called)
    await manager.record_llm_request(asked)
    await manager.record_llm_response(answered)
    await manager.record_token_usage(used)
    await manager.record_cost(paid)
    result = await manager.query_history(HistoryQuery(session_id="s"))
    assert ([said, called, asked, answered, used, paid], 6) == (result.records, result.total)


async def test_records_come_in_the_order_they_were_written(manager: HistoryManager) -> None:
    """Equal times, times that run back, and one id twice: file order, and nothing overwritten."""
    written = [
        message("z", 5),
        message("b", 1),
        message("a", 1),
        message("z", 5, content="again"),
        message("m", 9),
        message("c", 0),
    ]
    for record in written:
        await manager.record_message(record)
    assert written == (await manager.query_history(HistoryQuery("s"))).records


async def test_queries(manager: HistoryManager) -> None:
    """A session is needed; bounds are inclusive; offset, then limit; the total is of all pages."""
    records = [message(f"m{n}", n) for n in range(6)]
    for record in records:
        await manager.record_message(record)
    await manager.record_tool_call(ToolCallRecord("t", "s", NOON + timedelta(seconds=9)))
    await manager.record_message(MessageRecord("other", "other", NOON))

    async def ids(**query: Any) -> tuple[list[str], int]:  # noqa: ANN401
        result = await manager.query_history(HistoryQuery(session_id="s", **query))
        return [each.record_id for each in result.records], result.total

    assert ([], 0) == ((await manager.query_history(HistoryQuery())).records, 0)
    assert (["m0", "m1", "m2", "m3", "m4", "m5", "t"], 7) == await ids()
    assert (["m2", "m3"], 6) == await ids(record_types=["message"], offset=2, limit=2)
    assert (["t"], 1) == await ids(record_types=["tool_call", "unheard of"])
    assert (["m5", "t"], 7) == await ids(offset=5, limit=0)
    start, end = NOON + timedelta(seconds=2), NOON + timedelta(seconds=4)
    assert (["m2", "m3", "m4"], 3) == await ids(start_time=start, end_time=end)
    assert (["m2", "m3", "m4"], 3) == await ids(start_time=start.astimezone(UTC), end_time=end)


async def test_a_record_is_left_as_it_is(manager: HistoryManager) -> None:
    """The same object can be recorded twice; each time is a record."""
    record = message("m", 0, content="once")
    await manager.record_message(record)
    await manager.record_message(record)
    assert message("m", 0, content="once") == record
    assert [record, record] == (await manager.query_history(HistoryQuery("s"))).records


async def test_what_has_no_form_in_json_takes_the_nearest(manager: HistoryManager) -> None:
    """Times become texts, sets too: no record is lost for one value."""
    await manager.record_message(message("m", metadata={"at": NOON, "set": {1}}))
    [found] = (await manager.query_history(HistoryQuery("s"))).records
    assert {"at": "2025-11-10T12:00:00", "set": "{1}"} == found.metadata


async def test_a_record_without_a_session_is_refused(manager: HistoryManager) -> None:
    """It is not lost in silence; any session will do, and any text."""
    with pytest.raises(StorageValidationError, match="session_id"):
        await manager.record_message(MessageRecord("m", None))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    odd = MessageRecord("m", "a/b", NOON, content="half a character: \ud800")
    await manager.record_message(odd)
    assert [odd] == (await manager.query_history(HistoryQuery("a/b"))).records


async def test_token_statistics(manager: HistoryManager) -> None:
    """The sums, the number of records and their average; zeros where there is nothing."""
    await manager.record_token_usage(usage("a", 10))
    await manager.record_token_usage(usage("b", 5))
    assert {
        "session_id": "s",
        "total_tokens": 15,
        "prompt_tokens": 13,
        "completion_tokens": 2,
        "record_count": 2,
        "avg_tokens_per_record": 7.5,
    } == await manager.get_token_statistics("s")
    nothing = await manager.get_token_statistics("nobody")
    assert (0, 0, 0) == tuple(
        nothing[name] for name in ("total_tokens", "record_count", "avg_tokens_per_record")
    )


async def test_cost_statistics(manager: HistoryManager) -> None:
    """Sums are those of the decimal numbers; amounts of two currencies are never added."""
    for number in range(3):
        await manager.record_cost(cost(f"c{number}", 0.1, model=f"gpt-{number % 2}"))
    assert {
        "session_id": "s",
        "total_cost": 0.3,
        "prompt_cost": 0.3,
        "completion_cost": 0.6,
        "currency": "USD",
        "record_count": 3,
        "models_used": ["gpt-0", "gpt-1"],
    } == await manager.get_cost_statistics("s")
    await manager.record_cost(cost("e", 7, "EUR"))
    mixed = await manager.get_cost_statistics("s")
    assert (0.3, {"EUR": 7.0}, 4) == (
        mixed["total_cost"],
        mixed["other_currencies"],
        mixed["record_count"],
    )
    nothing = await manager.get_cost_statistics("nobody")
    assert (0.0, "USD", []) == (nothing["total_cost"], nothing["currency"], nothing["models_used"])


async def test_llm_statistics(manager: HistoryManager) -> None:
    """Requests, also those tried again under one id, responses, and the models asked."""
    for _ in range(2):
        await manager.record_llm_request(LLMRequestRecord("q", "s", NOON, "gpt", "p", [], {}))
    await manager.record_llm_response(
        LLMResponseRecord("a", "s", NOON, "q", "", "error", {}, 0.0, "gpt")
    )
    assert {
        "session_id": "s",
        "llm_requests": 2,
        "llm_responses": 1,
        "models_used": ["gpt"],
        "request_record_count": 2,
        "response_record_count": 1,
    } == await manager.get_llm_statistics("s")


async def test_the_house_knows_the_records(
    manager: HistoryManager, unified: UnifiedStorage
) -> None:
    """They are entries of the history, summed in the engine, and those of the house are records."""
    await asyncio.gather(*(manager.record_token_usage(usage("same", 10)) for _ in range(4)))
    history = unified.storage.history
    assert 40 == (await history.token_statistics(session_id="s")).total_tokens
    await history.add_message(role="tool", content="42", session_id="s")
    records = (await manager.query_history(HistoryQuery("s", record_types=["message"]))).records
    assert ["42"] == [each.content for each in records if isinstance(each, MessageRecord)]
