"""History: six kinds of entries, appended once, read along lines, in pages and in streams."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from ropewalk.domain.errors import Conflict, Invalid
from ropewalk.domain.history import Cost, Entry, EntryKind, LLMRequest, TokenUsage
from ropewalk.domain.money import Money
from ropewalk.services.storage import Storage

pytestmark = [pytest.mark.seed("3.3"), pytest.mark.seed("4.1")]

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def _one_of_each(storage: Storage) -> list[Entry]:
    await storage.threads.create(id="t", session_id=(await storage.sessions.create(id="s")).id)
    history = storage.history
    return [
        await history.add_message(
            thread_id="t", role="user", content=[{"type": "text", "text": "hi"}], metadata={"a": 1}
        ),
        await history.add_tool_call(
            thread_id="t", tool_name="search", tool_input={"q": 1}, tool_output=[1], duration=0.5
        ),
        await history.add_llm_request(
            thread_id="t", model="m", provider="p", messages=[{"role": "user"}], estimated_tokens=7
        ),
        await history.add_llm_response(
            thread_id="t", model="m", content="ok", request_id="r", response_time=1.5
        ),
        await history.add_token_usage(
            thread_id="t", model="m", provider="p", prompt_tokens=820, completion_tokens=120
        ),
        await history.add_cost(
            thread_id="t", model="m", prompt_cost="0.0123", completion_cost=Decimal("0.000000001")
        ),
    ]


async def test_each_kind_is_read_back_as_it_was(storage: Storage) -> None:
    """All six kinds come back equal, in order, each by its id."""
    entries = await _one_of_each(storage)

    assert tuple(entries) == (await storage.history.page(thread_id="t")).items
    for entry in entries:
        assert entry == await storage.history.get(entry.id)
    assert {"s"} == {entry.session_id for entry in entries}


async def test_totals_are_filled_in(storage: Storage) -> None:
    """The total of tokens and of money is the sum of its parts unless it is given."""
    entries = await _one_of_each(storage)
    usage, cost = entries[4], entries[5]

    assert isinstance(usage, TokenUsage)
    assert isinstance(cost, Cost)
    assert 940 == usage.total_tokens
    assert Money(12_300_001, "USD") == cost.total_cost
    assert "0.012300001 USD" == str(cost.total_cost)


async def test_kinds_and_times_narrow_a_page(storage: Storage) -> None:
    """`since` is inclusive, `until` exclusive, kinds are any of those given."""
    await storage.threads.create(id="t")
    for n in range(5):
        await storage.history.add_message(
            thread_id="t", role="user", content=n, created_at=START + timedelta(hours=n)
        )
    await storage.history.add_tool_call(
        thread_id="t", tool_name="x", created_at=START + timedelta(hours=2)
    )

    page = await storage.history.page(
        thread_id="t",
        kinds=["message"],
        since=START + timedelta(hours=1),
        until=START + timedelta(hours=3),
    )
    tools = await storage.history.page(kinds=[EntryKind.TOOL_CALL, "cost"])

    assert [1, 2] == [getattr(entry, "content", None) for entry in page]
    assert ["x"] == [getattr(entry, "tool_name", None) for entry in tools]


async def test_a_session_has_entries_of_all_its_threads(storage: Storage) -> None:
    """A session's history is what was said on its threads and beside them, by time."""
    await storage.sessions.create(id="s")
    for name in ("t1", "t2"):
        await storage.threads.create(id=name, session_id="s")
        await storage.history.add_message(thread_id=name, role="user", content=name)
    await storage.history.add_message(session_id="s", role="user", content="beside")

    streamed = [e async for e in storage.history.stream(session_id="s", newest_first=True)]

    assert ["beside", "t2", "t1"] == [getattr(e, "content", None) for e in streamed]
    assert 3 == await storage.history.count(session_id="s")


async def test_an_idempotency_key_writes_once(storage: Storage) -> None:
    """The second call with a key returns the first entry; another content is a conflict."""
    await storage.threads.create(id="t")
    await storage.threads.create(id="other")

    async def add(thread_id: str, content: str) -> str:
        entry = await storage.history.add_message(
            thread_id=thread_id, role="user", content=content, idempotency_key="step-1"
        )
        return entry.id

    first = await add("t", "hello")

    assert first == await add("t", "hello")
    assert first != await add("other", "hello")
    with pytest.raises(Conflict, match="used before with another content"):
        await add("t", "something else")
    assert 1 == len(await storage.history.messages("t"))


async def test_a_taken_id_is_a_conflict(storage: Storage) -> None:
    """Without a key, an id of one's own can be used once."""
    await storage.threads.create(id="t")
    await storage.history.add_message(thread_id="t", role="user", id="m")

    with pytest.raises(Conflict, match="exists already"):
        await storage.history.add_message(thread_id="t", role="user", id="m")


async def test_money_is_never_a_float(storage: Storage) -> None:
    """A float amount, and one finer than a nano-unit, are refused by name."""
    await storage.threads.create(id="t")

    for amount, reason in ((0.1, "money is exact"), ("0.0000000001", "nano-units"), ("x", "no am")):
        with pytest.raises(Invalid, match=reason) as caught:
            await storage.history.add_cost(thread_id="t", model="m", total_cost=amount)
        assert "total_cost" == caught.value.facts["field"]
    assert 0 == len(await storage.history.page(thread_id="t"))


@pytest.mark.seed("1.5")
async def test_bad_input_names_its_field_and_changes_nothing(storage: Storage) -> None:
    """Missing parents, negative tokens, wrong sessions and unknown arguments are refused."""
    await storage.sessions.create(id="s")
    await storage.sessions.create(id="wrong")
    await storage.threads.create(id="t", session_id="s")
    add = storage.history

    with pytest.raises(Invalid, match="needs thread_id, session_id or both"):
        await add.add_message(role="user")
    with pytest.raises(Invalid, match="belongs to session 's', not to 'wrong'"):
        await add.add_message(role="user", thread_id="t", session_id="wrong")
    with pytest.raises(Invalid, match="completion_tokens must be a number of tokens"):
        await add.add_token_usage(thread_id="t", model="m", prompt_tokens=1, completion_tokens=-1)
    with pytest.raises(Invalid, match="unknown argument 'colour'"):
        await add.add_message(role="user", thread_id="t", colour="red")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    with pytest.raises(Invalid, match="without a time zone"):
        await add.add_message(role="user", thread_id="t", created_at=START.replace(tzinfo=None))
    with pytest.raises(Invalid, match="use one of: message, tool_call"):
        await add.page(thread_id="t", kinds=["mesage"])
    with pytest.raises(Invalid, match="1 to 1000"):
        await add.page(thread_id="t", limit=0)
    with pytest.raises(Invalid, match="not a cursor"):
        await add.page(thread_id="t", cursor="nonsense")
    assert {"session": 2, "thread": 1} == await storage.kinds()


async def test_odd_values_survive(storage: Storage) -> None:
    """Content may be anything: NaN aside from equality, bytes, big integers, surrogates, None."""
    await storage.threads.create(id="t")
    odd = {"big": 2**100, "bytes": b"\0\xff", "inf": float("inf"), "text": "\0\ud800", "none": None}

    made = await storage.history.add_message(thread_id="t", role="tool", content=odd)

    assert odd == getattr(await storage.history.get(made.id), "content", None)


async def test_entries_made_elsewhere_keep_their_ids_and_times(storage: Storage) -> None:
    """Adopted entries need no thread of ours, and all of them are written or none."""
    request = LLMRequest(id="r", session_id="gone", created_at=START, model="m")

    await storage.history.adopt(request)
    with pytest.raises(Conflict):
        await storage.history.adopt(
            LLMRequest(id="new", session_id="gone", created_at=START, model="m"), request
        )

    assert request == await storage.history.get("r")
    assert 1 == await storage.history.count(session_id="gone")


async def test_a_time_is_given_back_in_utc(storage: Storage) -> None:
    """Whatever zone a program speaks of, what it gets back says UTC, at once and later."""
    await storage.threads.create(id="t")
    local = START.astimezone(timezone(timedelta(hours=8)))

    made = await storage.history.add_message(thread_id="t", role="user", created_at=local)
    header = await storage.checkpoints.save("t", {}, created_at=local)

    assert (START, UTC, UTC) == (made.created_at, made.created_at.tzinfo, header.created_at.tzinfo)
