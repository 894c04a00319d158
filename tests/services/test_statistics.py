"""Statistics: sums of tokens, money and calls, exact, and made by the engine."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from ropewalk.domain.errors import Invalid
from ropewalk.domain.money import Money
from ropewalk.services.statistics import Scope
from ropewalk.services.storage import Storage

pytestmark = [pytest.mark.seed("3.3"), pytest.mark.seed("6.3")]

DAY = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)


async def _usage(storage: Storage) -> None:
    await storage.sessions.create(id="s1")
    await storage.sessions.create(id="s2")
    for n, (session, model) in enumerate([("s1", "a"), ("s1", "b"), ("s2", "a"), ("s1", "a")]):
        await storage.history.add_token_usage(
            session_id=session,
            model=model,
            provider="p",
            prompt_tokens=10**n,
            completion_tokens=1,
            created_at=DAY + timedelta(minutes=20 * n),
        )
        await storage.history.add_cost(
            session_id=session,
            model=model,
            prompt_cost="0.1",
            completion_cost="0.2",
            currency="EUR" if n == 2 else "USD",
        )


async def test_tokens_are_summed_within_the_scope(storage: Storage) -> None:
    """Session, model and time narrow the sums together."""
    await _usage(storage)
    history = storage.history

    whole = await history.token_statistics()
    session = await history.token_statistics(session_id="s1")
    narrow = await history.token_statistics(
        session_id="s1", model="a", until=DAY + timedelta(minutes=1)
    )

    assert (1111, 4, 1115, 4) == (
        whole.prompt_tokens,
        whole.completion_tokens,
        whole.total_tokens,
        whole.record_count,
    )
    assert (1011, 3, 338.0) == (session.prompt_tokens, session.record_count, session.average)
    assert (1, 1) == (narrow.prompt_tokens, narrow.record_count)


async def test_nothing_sums_to_nothing(storage: Storage) -> None:
    """An unknown session has zero of everything, and no currency."""
    tokens = await storage.history.token_statistics(session_id="nobody")

    assert (0, 0, 0.0) == (tokens.total_tokens, tokens.record_count, tokens.average)
    assert {} == await storage.history.cost_statistics(session_id="nobody")


async def test_sums_by_model_session_and_day(storage: Storage) -> None:
    """Groups combine; a day is a UTC date."""
    await _usage(storage)

    by_model = await storage.history.token_statistics_by("session", "model")
    by_day = await storage.history.token_statistics_by("day", scope=Scope(session_id="s1"))

    assert {("s1", "a"): 1001, ("s1", "b"): 10, ("s2", "a"): 100} == {
        key: found.prompt_tokens for key, found in by_model.items()
    }
    assert {(date(2026, 3, 1),): 11, (date(2026, 3, 2),): 1000} == {
        key: found.prompt_tokens for key, found in by_day.items()
    }
    with pytest.raises(Invalid, match="cannot group by 'colour'"):
        await storage.history.token_statistics_by("colour")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def test_money_adds_up_exactly_in_each_currency(storage: Storage) -> None:
    """0.1 + 0.2 is 0.3 here, and euros are never added to dollars."""
    await _usage(storage)

    found = await storage.history.cost_statistics()
    by_model = await storage.history.cost_statistics_by("model")

    assert {"EUR", "USD"} == found.keys()
    assert Money(900_000_000, "USD") == found["USD"].total_cost
    assert Money(300_000_000, "EUR") == found["EUR"].total_cost
    assert (3, ("a", "b")) == (found["USD"].record_count, found["USD"].models)
    assert Money(600_000_000, "USD") == by_model["USD", "a"].total_cost


async def test_model_calls_are_counted(storage: Storage) -> None:
    """Requests, responses, errors, models and response times are told."""
    await storage.threads.create(id="t")
    for model in ("b", "a", "a"):
        await storage.history.add_llm_request(thread_id="t", model=model)
    await storage.history.add_llm_response(thread_id="t", model="a", response_time=1.5)
    await storage.history.add_llm_response(thread_id="t", model="a", finish_reason="error")

    found = await storage.history.llm_statistics(thread_id="t")

    assert (3, 2, 1) == (found.requests, found.responses, found.errors)
    assert (("a", "b"), 1.5) == (found.models, found.response_time)


async def test_a_fork_is_not_paid_twice(storage: Storage) -> None:
    """What a fork inherits counts for its source alone."""
    await storage.sessions.create(id="s")
    await storage.threads.create(id="t", session_id="s")
    await storage.history.add_token_usage(
        thread_id="t", model="m", prompt_tokens=5, completion_tokens=0
    )
    await storage.threads.fork("t", id="f")
    await storage.history.add_token_usage(
        thread_id="f", model="m", prompt_tokens=7, completion_tokens=0
    )

    by_thread = await storage.history.token_statistics_by("thread")

    assert {("t",): 5, ("f",): 7} == {k: v.prompt_tokens for k, v in by_thread.items()}
    assert 12 == (await storage.history.token_statistics(session_id="s")).prompt_tokens
