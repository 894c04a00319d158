"""Every line of a history month becomes an entry of its own, and nothing of it is lost."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.history import (
    Cost,
    Entry,
    EntryKind,
    HistoryEntry,
    LLMRequest,
    LLMResponse,
    Message,
    TokenUsage,
    ToolCall,
)
from ropewalk.domain.legacy.fields import Times
from ropewalk.domain.legacy.shapes import history_record
from ropewalk.domain.legacy.values import canonical
from ropewalk.domain.money import Money
from ropewalk.sources.legacy.history import History
from ropewalk.sources.legacy.survey import HISTORY, Found
from ropewalk.sources.legacy.visit import Visit
from ropewalk.sources.register import Register

from .reading import Told, read
from .strategies import EXAMPLES, JSON, TIMES, objects
from .writing import MORNING, ZONE, Tree, cost, line_of, message

AT = datetime(2025, 11, 7, 2, 0, 0, 1, tzinfo=UTC)
COMMON: dict[str, Any] = {"session_id": "session_1", "timestamp": MORNING, "metadata": {"n": 1}}


@contextmanager
def month(path: Path) -> Generator[History, None, None]:
    """Read one file as a history month."""
    with Register() as register:
        visit = Visit(Times(ZONE), register)
        visit.files.append(Found(format=HISTORY, path=path, place=path.name))
        yield History(visit)


@pytest.mark.seed("7.1")
async def test_each_of_the_six_types_becomes_its_entry(tree: Tree) -> None:
    """All fields arrive under our names, with ids, links and times as they were."""
    usage: dict[str, Any] = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    model: dict[str, Any] = {"model": "gpt-4", "provider": "openai"}
    tree.session("session_1")
    tree.record(
        message("m", message_type="assistant", content="hi", metadata={"n": 1}),
        {**COMMON, "record_id": "t", "record_type": "tool_call", "tool_name": "calc"}
        | {"tool_input": {"e": "1+1"}, "tool_output": {"ok": True}},
        {**COMMON, **model, "record_id": "q", "record_type": "llm_request", "messages": [{"a": 1}]}
        | {"parameters": {"temperature": 0}, "estimated_tokens": 31},
        {**COMMON, "record_id": "r", "record_type": "llm_response", "request_id": "q"}
        | {"content": "4", "finish_reason": "length", "token_usage": usage, "response_time": 12.5}
        | {"model": "gpt-4"},
        {**COMMON, **model, **usage, "record_id": "u", "record_type": "token_usage"}
        | {"source": "local", "confidence": 0.7},
        {**COMMON, **model, **usage, "record_id": "c", "record_type": "cost", "currency": "CNY"}
        | {"prompt_cost": 0.1, "completion_cost": 0.2, "total_cost": 0.3},
    )
    told = await read(tree)
    more: dict[str, Any] = {"session_id": "session_1", "created_at": AT, "metadata": {"n": 1}}
    costs = [Money(n * 100_000_000, "CNY") for n in (1, 2, 3)]
    expected: list[HistoryEntry] = [
        Message(id="m", role="assistant", content="hi", **more),
        ToolCall(
            id="t", tool_name="calc", tool_input={"e": "1+1"}, tool_output={"ok": True}, **more
        ),
        LLMRequest(
            id="q",
            messages=[{"a": 1}],
            parameters={"temperature": 0},
            estimated_tokens=31,
            **model,
            **more,
        ),
        LLMResponse(
            id="r",
            request_id="q",
            model="gpt-4",
            content="4",
            finish_reason="length",
            token_usage=usage,
            response_time=12.5,
            **more,
        ),
        TokenUsage(id="u", source="local", confidence=0.7, **model, **usage, **more),
        Cost(
            id="c",
            prompt_cost=costs[0],
            completion_cost=costs[1],
            total_cost=costs[2],
            **model,
            **usage,
            **more,
        ),
    ]
    assert expected == [item.entity for item in told.items if item.kind != "session"]
    assert ([], []) == (told.problems(), told.notes())


async def test_every_record_is_kept_under_an_id_of_its_own(tree: Tree) -> None:
    """Ids that were used twice are told apart in the order of writing, over files and kinds."""
    tree.record(message("x", "session_2", content="other session"))
    tree.record(message("x", content="october"), month="202510")
    tree.record(message("x", content="november"), cost("x"), message("x~2"))
    told = await read(tree)
    entries = told.entities(Message)
    assert ["october", "november", "hello", "other session"] == [e.content for e in entries]
    assert ["x", "x~2", "x~2~2", "x~4"] == [entry.id for entry in entries]
    assert ["x~3"] == told.ids("cost")
    assert "x" == entries[1].metadata["legacy"]["record_id"]
    assert {"x~2", "x~3", "x~2~2", "x~4"} == {i for i, code in told.notes() if "dup" in code}


async def test_a_cost_keeps_the_digits_that_rounding_took(tree: Tree) -> None:
    """An amount beyond nano-units is rounded, and stands in the metadata as it was."""
    tree.record(cost("c", total_cost=0.30000000000000004, prompt_cost=0.1))
    told = (await read(tree)).only(Cost)
    assert Money(300_000_000) == told.total_cost
    assert {"legacy": {"total_cost": 0.30000000000000004}} == told.metadata


async def test_unknown_fields_and_odd_values_are_kept(tree: Tree) -> None:
    """What we have no field for, and what did not fit, stands under `legacy`; null is nothing."""
    tree.record(
        cost("c", prompt_tokens="many", thread="thread_1", currency="¥"),
        message("m", metadata=None, content=None),
    )
    told = await read(tree)
    entry = told.only(Cost)
    assert (0, "XXX") == (entry.prompt_tokens, entry.total_cost.currency)
    kept = {"prompt_tokens": "many", "thread": "thread_1", "currency": "¥"}
    assert {"legacy": kept} == entry.metadata
    assert [("c", "odd_value")] * 2 == [note for note in told.notes() if note[1] == "odd_value"]
    assert ({}, None) == (told.only(Message).metadata, told.only(Message).content)


async def test_links_to_sessions_stay_even_where_there_is_none(tree: Tree) -> None:
    """A session that does not exist is told once, and the link is kept."""
    tree.record(message("a", "ghost"), message("b", "ghost"))
    told = await read(tree)
    assert ["ghost", "ghost"] == [entry.session_id for entry in told.entities(Message)]
    assert [("a", "dangling_session")] == told.notes()


async def test_a_record_without_a_time_follows_the_one_before(tree: Tree) -> None:
    """A time that cannot be read is taken from the record before, or from the month, and told."""
    tree.session("session_1")
    tree.record(message("a", timestamp="soon"), message("b"), message("c", timestamp=None))
    told = await read(tree)
    times = [entry.created_at for entry in told.entities(Message)]
    assert [datetime(2025, 10, 31, 16, tzinfo=UTC), AT, AT] == times
    assert "soon" == told.entities(Message)[0].metadata["legacy"]["timestamp"]
    wanted = [("a", "time_guessed"), ("a", "odd_value"), ("c", "time_guessed")]
    assert wanted == told.notes()


async def test_an_unknown_type_is_told_with_its_line(tree: Tree) -> None:
    """A record of a type that nobody knows is a problem of its line, and the rest goes on."""
    tree.record(message("a", record_type="error"), message("b", record_type=["x"]), message("c"))
    told = await read(tree)
    place = "history/sessions/202511/session_1.jsonl"
    codes = [(f"{place}:1", "unknown_record_type"), (f"{place}:2", "unknown_record_type")]
    assert (codes, ["c"]) == (told.problems(), told.ids("message"))


@pytest.mark.parametrize("record_id", [None, "", "\ud83d", 7, "x" * 1025])
async def test_an_id_that_cannot_be_one_is_replaced(tree: Tree, record_id: object) -> None:
    """The entry gets an id that is the same in every run, and the original is kept."""
    tree.lines("session_1", line_of(message("x", record_id=record_id)))
    first, second = [(await read(tree)).only(Message) for _ in range(2)]
    assert first == second
    assert first.id.startswith("message~")
    assert record_id == first.metadata["legacy"]["record_id"]


RECORDS = objects(
    record_id=st.sampled_from(["a", "b", "", None]) | JSON,
    session_id=st.sampled_from(["session_1", "ghost"]) | JSON,
    timestamp=TIMES,
    metadata=objects(legacy=JSON, a=JSON) | JSON,
    message_type=st.just("user") | JSON,
    content=JSON,
    tool_name=JSON,
    tool_input=JSON,
    tool_output=JSON,
    model=st.just("gpt-4") | JSON,
    provider=JSON,
    messages=JSON,
    parameters=JSON,
    estimated_tokens=JSON,
    request_id=JSON,
    finish_reason=JSON,
    token_usage=JSON,
    response_time=JSON,
    prompt_tokens=JSON,
    completion_tokens=JSON,
    total_tokens=JSON,
    prompt_cost=st.floats() | JSON,
    completion_cost=st.floats(0, 100) | JSON,
    total_cost=JSON,
    currency=st.sampled_from(["USD", "cny"]) | JSON,
    source=JSON,
    confidence=JSON,
)


@pytest.mark.seed("7.3")
@EXAMPLES
@given(records=st.lists(RECORDS, min_size=1, max_size=4), kind=st.sampled_from(EntryKind))
def test_any_record_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]], kind: EntryKind
) -> None:
    """Whatever stands in a record, its entry gives the whole record again."""
    folder = tmp_path_factory.mktemp("h") / "202511"
    folder.mkdir()
    path = folder / "session_1.jsonl"
    raw = [{**record, "record_type": kind.value} for record in records]
    path.write_bytes(b"\n".join(map(line_of, raw)))
    with month(path) as history:
        told = Told.of(history.read())
    entries = cast("list[Entry]", told.entities(HistoryEntry))
    for record in raw:
        if record.get("metadata", {}) is None:
            # The one equivalence: the program that wrote it reads null as no metadata.
            record["metadata"] = {}
    back = [canonical(history_record(entry, times=Times(ZONE))) for entry in entries]
    assert list(map(canonical, raw)) == back
    assert len(entries) == len({entry.id for entry in entries})
