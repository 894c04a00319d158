"""Copies between stores: the same records, sealed as they are, whatever keeps them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from ropewalk.domain.migration import OnConflict, Plan
from ropewalk.factory import open, source_of
from ropewalk.services.storage import Storage

COPY = Plan(name="copy", on_conflict=OnConflict.OVERWRITE, batch=50)


async def _filled(storage: Storage) -> None:
    await storage.sessions.create(id="s", title="Rome")
    await storage.sessions.update("s", tags=["a", "b"])
    await storage.threads.create(id="t", session_id="s")
    for number in range(5):
        await storage.history.add_message(role="user", content=f"{number}", thread_id="t")
        state = {"step": number, "rows": [f"row {n} " * 20 for n in range(100 + number)]}
        await storage.checkpoints.save("t", state)
    _, older, *_ = await storage.checkpoints.list("t")
    fork = await storage.checkpoints.fork(older.id, name="other")
    await storage.checkpoints.append(fork.id, {"rows": ["of the fork"]})
    await storage.records.save({"type": "note", "data": {"text": "plain"}})
    await storage.sessions.create(id="gone")
    await storage.sessions.delete("gone")


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[list[Storage]]:
    """A filled SQLite store, and a file, a memory and another SQLite store, all empty."""
    urls = (
        f"sqlite:///{tmp_path / 'a.db'}",
        f"file:///{tmp_path / 'b'}",
        "memory://",
        f"sqlite:///{tmp_path / 'c.db'}",
    )
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(open(url)) for url in urls]
        await _filled(opened[0])
        yield opened


@pytest.mark.seed("7.1")
async def test_a_copy_of_a_copy_of_a_copy_is_the_same(stores: list[Storage]) -> None:
    """SQLite to file to memory to SQLite: versions, times, seals and bodies, by one sum."""
    first, *others = stores
    before = await first.migrations.content_hash()
    for source, target in zip(stores, others, strict=False):
        report = await target.migrations.run(source_of(source), COPY)
        found = await target.migrations.verify(source_of(source), COPY)
        assert (True, True) == (report.is_complete, found.is_sound)

    assert [before] * 3 == [await store.migrations.content_hash() for store in others]
    last = others[-1]
    latest = await last.checkpoints.latest("t")
    assert latest is not None
    assert (4, 104) == (latest.state["step"], len(latest.state["rows"]))
    assert (await last.checkpoints.verify()).is_whole
    await last.checkpoints.append("t", {"rows": ["goes on"]})


@pytest.mark.seed("7.4")
async def test_a_copy_is_brought_up_to_date(stores: list[Storage]) -> None:
    """What changed since comes, and nothing else; versions keep in step."""
    source, target, *_ = stores
    await target.migrations.run(source_of(source), COPY)
    await source.sessions.update("s", title="Paris")
    await source.checkpoints.append("t", {"rows": ["later"]})
    await source.checkpoints.collect()

    delta = await target.migrations.run(source_of(source), COPY, since_last=True)
    again = await target.migrations.run(source_of(source), COPY, since_last=True)

    assert (1, 1) == (delta.replaced["session"], delta.brought["checkpoint"])
    assert 0 == again.changes
    assert await source.migrations.content_hash() == await target.migrations.content_hash()


async def test_another_space_is_sealed_anew(stores: list[Storage]) -> None:
    """A seal binds a body to its space: in another one the same things are sealed for that."""
    source, _, target, _ = stores
    await target.spaces.create("other")
    other = target.space("other")

    report = await other.migrations.run(source_of(source), COPY)
    found = await other.migrations.verify(source_of(source), COPY)

    assert (True, True) == (report.is_complete, found.is_sound)
    assert (await other.checkpoints.verify()).is_whole
    latest = await other.checkpoints.latest("t")
    assert latest is not None
    assert 4 == latest.state["step"]
    assert ["a", "b"] == list((await other.sessions.get("s")).tags)


@pytest.mark.seed("7.5")
async def test_a_copy_can_be_taken_back(stores: list[Storage]) -> None:
    """The target is empty again, but for the journal of what was done to it."""
    source, target, *_ = stores
    report = await target.migrations.run(source_of(source), COPY)

    await target.migrations.rollback(report.run)

    assert {"migration": 1} == await target.kinds()


async def test_whoever_wants_states_gets_what_they_consist_of(stores: list[Storage]) -> None:
    """A plan for checkpoints alone brings their nodes, and the states can be read."""
    source, target, *_ = stores
    plan = replace(COPY, kinds=("thread", "checkpoint"))

    await target.migrations.run(source_of(source), plan)

    assert (await target.migrations.verify(source_of(source), plan)).is_sound
    latest = await target.checkpoints.latest("t")
    assert latest is not None
    assert 4 == latest.state["step"]
    assert "message" not in await target.kinds()


async def test_stamps_go_their_own_way_in_the_copy(stores: list[Storage]) -> None:
    """Both are written to and collected: a later copy neither turns back stamps nor minds them."""
    source, target, *_ = stores
    await target.migrations.run(source_of(source), COPY)
    for _ in range(3):
        await target.checkpoints.collect()
    await source.checkpoints.collect()

    delta = await target.migrations.run(source_of(source), COPY, since_last=True)

    assert 0 == delta.changes
    assert (await target.migrations.verify(source_of(source), COPY)).is_sound
    assert (await target.checkpoints.verify()).is_whole
