"""Deltas: new and changed items come, what is gone is told, and taken away where that is wanted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ropewalk.domain.errors import NotFound
from ropewalk.domain.migration import Deletions
from ropewalk.services.storage import Storage

from .shelf import ODDITIES, PLAN, full_shelf, message, session

APPLY = replace(PLAN, deletions=Deletions.APPLY, allow_loss=("*",))


@pytest.mark.seed("7.4")
async def test_only_what_changed_is_brought(storage: Storage) -> None:
    """One new, one changed, one gone: told as such, and nothing else is touched."""
    shelf = full_shelf()
    await storage.migrations.run(shelf, PLAN)
    shelf.put(message(30), message(4, "changed"))
    shelf.take("message", "m00007")

    delta = await storage.migrations.run(shelf, PLAN, since_last=True)

    assert ({"message": 1}, {"message": 1}) == (delta.brought, delta.replaced)
    assert ({"message": 1}, {}) == (delta.vanished, delta.removed)
    assert "changed 4" == (await storage.history.get("m00004")).content  # type: ignore[union-attr]
    assert await storage.history.find("m00007") is not None


async def test_a_delta_needs_an_earlier_run(storage: Storage) -> None:
    """Without one there is nothing to go by."""
    with pytest.raises(NotFound, match="no earlier run"):
        await storage.migrations.run(full_shelf(), PLAN, since_last=True)


@pytest.mark.seed("7.4")
async def test_what_is_gone_is_taken_away_on_request(storage: Storage) -> None:
    """Children first; a rollback brings it back."""
    shelf = full_shelf(3, 2)
    await storage.migrations.run(shelf, PLAN)
    before = await storage.migrations.content_hash()
    for number in range(3):
        shelf.take("message", f"m{number:05}")
    for number in range(2):
        shelf.take("checkpoint", f"c{number:05}")
    shelf.take("thread", "t")

    report = await storage.migrations.run(shelf, APPLY)

    assert {"message": 3, "checkpoint": 2, "thread": 1} == report.removed == report.vanished
    assert await storage.threads.find("t") is None
    assert await storage.sessions.exists("s")
    await storage.migrations.rollback(report.run)
    assert before == await storage.migrations.content_hash()
    latest = await storage.checkpoints.latest("t")
    assert latest is not None
    assert 1 == latest.state["step"]


async def test_what_is_in_use_or_was_changed_stays(storage: Storage) -> None:
    """A thread with later messages, and a message that was changed, are told and left."""
    shelf = full_shelf(2, 0)
    await storage.migrations.run(shelf, PLAN)
    await storage.history.add_message(role="user", content="later", thread_id="t")
    await storage.sessions.update("s", title="changed")
    for kind, id_ in (("thread", "t"), ("session", "s"), ("message", "m00000")):
        shelf.take(kind, id_)

    report = await storage.migrations.run(shelf, APPLY)

    assert {"message": 1} == report.removed
    assert {"still_used": 1, "changed_since": 1} == {n.code: n.count for n in report.notes}
    assert await storage.threads.find("t") is not None
    assert "changed" == (await storage.sessions.get("s")).title


async def test_nothing_is_taken_away_while_something_cannot_be_read(storage: Storage) -> None:
    """A torn line is not a deleted one: then deletions are only told."""
    shelf = full_shelf(3, 0)
    await storage.migrations.run(shelf, PLAN)
    shelf.take("message", "m00001")
    shelf.told += ODDITIES

    report = await storage.migrations.run(shelf, APPLY)

    assert ({"message": 1}, {}) == (report.vanished, report.removed)
    assert 3 == await storage.history.count(session_id="s")


async def test_an_item_of_a_kind_that_is_not_wanted_is_not_missed(storage: Storage) -> None:
    """A later plan for fewer kinds says nothing about the others."""
    shelf = full_shelf(2, 0)
    shelf.put(session("z"))
    await storage.migrations.run(shelf, PLAN)
    shelf.take("session", "z")

    report = await storage.migrations.run(shelf, replace(APPLY, kinds=("message",)))

    assert ({}, True) == (report.vanished, await storage.sessions.exists("z"))
