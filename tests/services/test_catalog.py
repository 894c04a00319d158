"""Look-ups and counts for lists: from headers alone, of one space."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ropewalk.domain.checkpoint import CheckpointHeader
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Invalid
from ropewalk.services.catalog import NAMED
from ropewalk.services.storage import Storage


async def test_ids_are_found_by_their_beginning(storage: Storage) -> None:
    """Sorted by id, of the kinds asked for, up to the limit, with parents and time."""
    await storage.sessions.create(id="road")
    for id in ("roads-2", "roads-1", "river"):
        await storage.threads.create(id=id, session_id="road")
    found = await storage.catalog.named("road")
    assert [("session", "road"), ("thread", "roads-1"), ("thread", "roads-2")] == [
        (named.kind, named.id) for named in found
    ]
    assert ("road", "roads-1") == (found[1].session_id, found[1].thread_id)
    assert (await storage.threads.get("roads-1")).created_at == found[1].created_at
    assert ["roads-1"] == [
        named.id for named in await storage.catalog.named("road", kinds=("thread",), limit=1)
    ]
    assert () == await storage.catalog.named("Road")


async def test_signs_of_patterns_mean_themselves(storage: Storage) -> None:
    """A beginning is taken literally, whatever a database would make of its signs."""
    for id in ("100%", "100x", "a_b", "axb", "*", "[a]"):
        await storage.threads.create(id=id)
    for prefix in ("100%", "a_", "*", "["):
        [named] = await storage.catalog.named(prefix)
        assert named.id.startswith(prefix)


async def test_one_id_may_name_a_thing_of_each_kind(storage: Storage) -> None:
    """`exactly` finds all of them, and nothing that only begins so."""
    await storage.sessions.create(id="same")
    await storage.threads.create(id="same", session_id="same")
    await storage.threads.create(id="same-again")
    found = await storage.catalog.exactly("same")
    assert ["session", "thread"] == sorted(named.kind for named in found)
    assert () == await storage.catalog.exactly("sam", kinds=NAMED)
    with pytest.raises(Invalid, match="id"):
        await storage.catalog.exactly("x" * 2_000)


async def test_work_is_counted_by_session_and_by_thread(storage: Storage) -> None:
    """Turns are messages of users; forks those of a session, or those made from a thread."""
    await storage.sessions.create(id="s")
    await storage.threads.create(id="t", session_id="s")
    for role in ("user", "assistant", "user"):
        await storage.history.add_message(thread_id="t", role=role)
    await storage.threads.fork("t", id="f")
    await storage.history.add_message(thread_id="f", role="user")
    catalog = storage.catalog
    assert (3, 2, 1) == (
        await catalog.turns(session_id="s"),
        await catalog.turns(thread_id="t"),
        await catalog.turns(thread_id="f"),
    )
    assert (1, 1, 0, 2) == (
        await catalog.forks(session_id="s"),
        await catalog.forks(thread_id="t"),
        await catalog.forks(thread_id="f"),
        await catalog.threads("s"),
    )


async def test_the_newest_work_is_told(storage: Storage) -> None:
    """The last entry, interaction or checkpoint counts, not the change of a title."""
    noon = datetime(2025, 6, 15, 12, tzinfo=UTC)
    await storage.sessions.create(id="s")
    await storage.threads.create(id="t", session_id="s")
    assert await storage.catalog.last_work(thread_id="t") is None
    await storage.history.add_message(thread_id="t", role="user", created_at=noon)
    await storage.checkpoints.save("t", {}, created_at=noon - timedelta(hours=1))
    await storage.threads.update("t", title="renamed")
    assert noon == await storage.catalog.last_work(thread_id="t")
    await storage.sessions.add_interaction("s", "start", created_at=noon + timedelta(hours=1))
    assert noon == await storage.catalog.last_work(thread_id="t")
    assert noon + timedelta(hours=1) == await storage.catalog.last_work(session_id="s")
    assert noon + timedelta(hours=1) == await storage.catalog.last_work()


async def test_checkpoints_of_all_threads_are_paged(storage: Storage, clock: FrozenClock) -> None:
    """Newest first, page by page without a gap; their sizes add up."""
    for name in ("a", "b"):
        await storage.threads.create(id=name)
    saved: list[CheckpointHeader] = []
    for number in range(5):
        clock.advance(1_000)
        saved.append(await storage.checkpoints.save("ab"[number % 2], {"n": number}))
    first = await storage.catalog.checkpoints(limit=3)
    rest = await storage.catalog.checkpoints(limit=3, cursor=first.cursor)
    assert [header.id for header in reversed(saved)] == [header.id for header in (*first, *rest)]
    assert rest.cursor is None
    assert sum(header.size for header in saved) == await storage.catalog.checkpoint_bytes()
    assert saved[1].size + saved[3].size == await storage.catalog.checkpoint_bytes(thread_id="b")


@pytest.mark.seed("5.3")
async def test_another_space_is_not_seen(storage: Storage) -> None:
    """A catalog answers for its own space alone."""
    await storage.threads.create(id="here")
    other = storage.space("other").catalog
    assert () == await other.named("here")
    assert () == await other.exactly("here")
    assert (0, 0, None) == (await other.turns(), await other.forks(), await other.last_work())
