"""Sessions: their life, their lists, and what becomes of what hangs on them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from ropewalk.domain.errors import Conflict, Invalid, NotFound
from ropewalk.domain.moment import from_micros
from ropewalk.domain.session import SessionStatus
from ropewalk.services.storage import Storage

pytestmark = [pytest.mark.seed("3.1"), pytest.mark.seed("4.1")]


async def test_what_is_created_is_read_back(storage: Storage) -> None:
    """A session comes back with everything it was created with."""
    made = await storage.sessions.create(
        title="Rome", user_id="u1", tags=["travel", "it"], metadata={"lang": "it", "deep": {"a": 1}}
    )

    assert made == await storage.sessions.get(made.id)
    assert ("Rome", "u1", ("travel", "it")) == (made.title, made.user_id, made.tags)
    assert {"lang": "it", "deep": {"a": 1}} == made.metadata
    assert (SessionStatus.ACTIVE, 1, None) == (made.status, made.version, made.closed_at)


async def test_an_unknown_session_is_named(storage: Storage) -> None:
    """Reading what is not there says which session, in which space."""
    with pytest.raises(NotFound, match="no session 'nobody' in space 'default'") as caught:
        await storage.sessions.get("nobody")

    assert {"what": "session", "id": "nobody", "space": "default"} == caught.value.facts
    assert await storage.sessions.find("nobody") is None


async def test_an_id_is_taken_once(storage: Storage) -> None:
    """A second session of the same id is a conflict and changes nothing."""
    await storage.sessions.create(id="s", title="first")

    with pytest.raises(Conflict, match="exists already"):
        await storage.sessions.create(id="s", title="second")

    assert "first" == (await storage.sessions.get("s")).title


async def test_an_update_merges_metadata_and_keeps_the_rest(storage: Storage) -> None:
    """What is not given stays; metadata is merged key by key."""
    await storage.sessions.create(id="s", title="t", user_id="u", metadata={"a": 1, "b": 2})

    after = await storage.sessions.update("s", status="paused", metadata={"b": 3})

    assert ("t", "u", SessionStatus.PAUSED) == (after.title, after.user_id, after.status)
    assert ({"a": 1, "b": 3}, 2) == (after.metadata, after.version)


async def test_an_expected_version_is_checked(storage: Storage) -> None:
    """With an expected version the slower of two writers is told."""
    await storage.sessions.create(id="s")
    await storage.sessions.update("s", title="fast", expected_version=1)

    with pytest.raises(Conflict, match="somebody changed it"):
        await storage.sessions.update("s", title="slow", expected_version=1)

    assert "fast" == (await storage.sessions.get("s")).title


@pytest.mark.seed("5.2")
async def test_no_concurrent_update_is_lost(storage: Storage) -> None:
    """Twenty tasks that each add a key end with twenty keys."""
    await storage.sessions.create(id="s")

    await asyncio.gather(*(storage.sessions.update("s", metadata={f"k{n}": n}) for n in range(20)))

    assert {f"k{n}": n for n in range(20)} == (await storage.sessions.get("s")).metadata


async def test_closing_twice_is_closing_once(storage: Storage) -> None:
    """A closed session keeps the time it was closed at."""
    await storage.sessions.create(id="s")

    first = await storage.sessions.close("s")
    second = await storage.sessions.close("s")

    assert SessionStatus.CLOSED == first.status
    assert first.closed_at is not None
    assert first == second


async def test_archiving_keeps_everything_readable(storage: Storage) -> None:
    """An archived session is found under its status and has its title."""
    await storage.sessions.create(id="s", title="old")

    await storage.sessions.archive("s")

    [found] = await storage.sessions.list(status="archived")
    assert ("s", "old") == (found.id, found.title)


async def test_lists_filter_by_everything_given(storage: Storage) -> None:
    """User, status, tag, metadata and time narrow a list together."""
    await storage.sessions.create(id="a", user_id="u1", tags=["x"], metadata={"n": 1})
    await storage.sessions.create(id="b", user_id="u1", tags=["y"], metadata={"n": True})
    await storage.sessions.create(id="c", user_id="u2", tags=["x"], metadata={"n": 1.0})

    async def ids(**filters: object) -> list[str]:
        page = await storage.sessions.list(newest_first=False, **filters)  # type: ignore[arg-type]
        return [session.id for session in page]

    assert ["a", "b"] == await ids(user_id="u1")
    assert ["a", "c"] == await ids(tag="x")
    assert ["a", "c"] == await ids(metadata={"n": 1})
    assert ["a"] == await ids(tag="x", user_id="u1", status=SessionStatus.ACTIVE)
    assert [] == await ids(created_since=datetime(2050, 1, 1, tzinfo=UTC))
    assert 2 == await storage.sessions.count(tag="x")


async def test_metadata_that_fits_no_label_is_found_all_the_same(storage: Storage) -> None:
    """A filter is right for long texts, big integers, lists and nested values too."""
    odd = {"long": "x" * 5_000, "big": 2**80, "list": [1, {"a": 2}], "deep": {"a": {"b": "c"}}}
    await storage.sessions.create(id="odd", metadata=odd)
    await storage.sessions.create(id="other", metadata={"long": "y" * 5_000, "list": [1]})

    for name, value in odd.items():
        page = await storage.sessions.list(metadata={name: value})
        assert ["odd"] == [session.id for session in page], name


async def test_pages_meet_without_gap_or_overlap(storage: Storage) -> None:
    """Following the cursor sees each session once, in order, also with a metadata filter."""
    for n in range(7):
        await storage.sessions.create(id=f"s{n}", metadata={"even": n % 2 == 0})
    seen: list[str] = []
    cursor = None
    while True:
        page = await storage.sessions.list(limit=2, cursor=cursor, metadata={"even": True})
        seen += [session.id for session in page]
        cursor = page.cursor
        if cursor is None:
            break

    assert ["s6", "s4", "s2", "s0"] == seen


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"user_id": ""}, "user_id"),
        ({"user_id": "x" * 2_000}, "user_id"),
        ({"tags": [""]}, "tags"),
        ({"tags": ["x" * 300]}, "tags"),
        ({"status": "sleepy"}, "status"),
        ({"metadata": {1: 2}}, "metadata"),
        ({"metadata": [1]}, "metadata"),
        ({"created_at": datetime(2026, 1, 1)}, "created_at"),
        ({"id": "x\ud800"}, "id"),
    ],
)
@pytest.mark.seed("1.5")
async def test_bad_input_names_its_field_and_changes_nothing(
    storage: Storage, arguments: dict[str, object], field: str
) -> None:
    """Bad input is refused by name before anything is written."""
    with pytest.raises(Invalid) as caught:
        await storage.sessions.create(**arguments)  # type: ignore[arg-type]

    assert field == caught.value.facts["field"]
    assert 0 == await storage.sessions.count()


async def test_interactions_stay_in_order_below_their_session(storage: Storage) -> None:
    """Interactions are read in the order they happened, in pages, by type."""
    await storage.sessions.create(id="s")
    await storage.sessions.create(id="other")
    start = from_micros(1_760_000_000_000_000)
    for n, type_ in enumerate(["user_request", "workflow_start", "user_request"]):
        await storage.sessions.add_interaction(
            "s", type_, f"c{n}", created_at=start + timedelta(seconds=n), metadata={"n": n}
        )
    await storage.sessions.add_interaction("other", "user_request")

    everything = await storage.sessions.interactions("s")
    requests = await storage.sessions.interactions("s", type="user_request", newest_first=True)

    assert ["c0", "c1", "c2"] == [i.content for i in everything]
    assert ["c2", "c0"] == [i.content for i in requests]
    assert {"n": 1} == everything.items[1].metadata


async def test_an_interaction_needs_its_session(storage: Storage) -> None:
    """Nothing can be noted in a session that is not there."""
    with pytest.raises(NotFound, match="no session 'nobody'"):
        await storage.sessions.add_interaction("nobody", "user_request")


async def _furnish(storage: Storage) -> None:
    await storage.sessions.create(id="s")
    await storage.sessions.create(id="kept")
    await storage.threads.create(id="t", session_id="s")
    await storage.threads.create(id="k", session_id="kept")
    await storage.history.add_message(thread_id="t", role="user", content="on the thread", id="m")
    await storage.history.add_message(session_id="s", role="user", content="off thread", id="o")
    await storage.checkpoints.save("t", {"a": 1}, id="c")
    await storage.threads.fork("t", at="c", name="fork", id="f")
    await storage.threads.snapshot("t", "snap")
    await storage.sessions.add_interaction("s", "user_request")
    await storage.history.add_message(thread_id="k", role="user", content="other", id="x")


async def test_restrict_refuses_while_anything_depends(storage: Storage) -> None:
    """The default refuses, and says how much would go."""
    await _furnish(storage)

    with pytest.raises(Conflict, match="still has 2 threads, 2 entries, 1 checkpoints"):
        await storage.sessions.delete("s")

    assert await storage.sessions.exists("s")


@pytest.mark.seed("3.5")
async def test_all_takes_everything_and_nothing_else(storage: Storage) -> None:
    """`all` deletes threads, forks, entries, states and interactions of this session alone."""
    await _furnish(storage)

    await storage.sessions.delete("s", cascade="all")

    await storage.checkpoints.collect()
    left = {"session": 1, "thread": 1, "message": 1, "secret": 1}
    assert left == await storage.kinds()
    assert "other" == (await storage.history.messages("k"))[0].content


async def test_detach_keeps_everything_without_the_session(storage: Storage) -> None:
    """`detach` keeps threads, entries and states readable, outside any session."""
    await _furnish(storage)

    await storage.sessions.delete("s", cascade="detach")

    assert (await storage.threads.get("t")).session_id is None
    assert ["on the thread"] == [m.content for m in await storage.history.messages("f")]
    assert {"a": 1} == (await storage.checkpoints.load("c")).state
    assert "off thread" == getattr(await storage.history.get("o"), "content", None)
    assert 0 == await storage.history.count(session_id="s")


async def test_an_unknown_cascade_is_refused(storage: Storage) -> None:
    """A typing mistake in the cascade deletes nothing."""
    await storage.sessions.create(id="s")

    with pytest.raises(Invalid, match="restrict, detach, all"):
        await storage.sessions.delete("s", cascade="everything")

    assert await storage.sessions.exists("s")
