"""Comparisons: whatever is missing, changed or leads nowhere is named; a sound store has none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from ropewalk.domain.checkpoint import Checkpoint
from ropewalk.domain.errors import Invalid
from ropewalk.domain.source import Finding, SourceItem
from ropewalk.services.storage import Storage

from .shelf import ODDITIES, PLAN, Shelf, checkpoint, full_shelf, message, session, thread

ALL = replace(PLAN, allow_loss=("*",))


@pytest.mark.seed("7.3")
async def test_what_was_migrated_is_the_same(storage: Storage) -> None:
    """Everything is compared, states as they load; references to nothing are counted apart."""
    shelf = full_shelf()
    shelf.put(message(40, thread_id="nowhere"))
    shelf.told += ODDITIES
    await storage.migrations.run(shelf, ALL)

    found = await storage.migrations.verify(shelf, ALL)

    assert found.is_sound
    assert {"session": 1, "thread": 1, "message": 26, "checkpoint": 6} == found.items
    assert (found.items, 1, 1) == (found.compared, found.dangling, found.unreadable)


@pytest.mark.seed("7.3")
async def test_every_difference_is_named(storage: Storage) -> None:
    """Not brought, changed here, changed there, gone, vanished: each by its code and place."""
    shelf = full_shelf(6, 2)
    await storage.migrations.run(shelf, PLAN)
    shelf.put(message(50), message(1, "changed in the source"), replace(message(51), id="x" * 2000))
    shelf.take("message", "m00002")
    await storage.sessions.update("s", title="changed in the target")
    await storage.checkpoints.delete("c00001")

    found = await storage.migrations.verify(shelf, PLAN)

    assert {
        ("not_brought", "m00050"),
        ("changed_in_source", "m00001"),
        ("changed_in_target", "s"),
        ("gone", "c00001"),
        ("vanished", "m00002"),
        ("too_long", "x" * 2000),
    } == {(each.code, each.source_id) for each in found.differences}
    assert (6, False) == (found.difference_count, found.is_sound)
    assert "shelf/session/s" in {each.place for each in found.differences}


async def test_links_lead_where_they_led(storage: Storage) -> None:
    """A reference to something that was brought and is gone is a difference, not a dangling one."""
    shelf = Shelf(session("s"), thread("t"), thread("u"), message(1, thread_id="u"))
    await storage.migrations.run(shelf, PLAN)
    await storage.sessions.delete("s", cascade="detach")

    found = await storage.migrations.verify(shelf, PLAN)

    assert "gone" in {each.code for each in found.differences}
    await storage.migrations.run(shelf, PLAN)
    assert "changed_in_target" in {
        each.code for each in (await storage.migrations.verify(shelf, PLAN)).differences
    }


async def test_a_sample_is_always_the_same(storage: Storage) -> None:
    """A share of the items is compared in depth; headers and hashes of all of them are."""
    shelf = full_shelf(200, 0)
    await storage.migrations.run(shelf, PLAN)

    some = await storage.migrations.verify(shelf, PLAN, sample=0.2)
    none = await storage.migrations.verify(shelf, PLAN, sample=0)

    assert 10 < some.compared["message"] < 80
    assert some == await storage.migrations.verify(shelf, PLAN, sample=0.2)
    assert ({}, True) == (none.compared, none.is_sound)
    with pytest.raises(Invalid, match="from 0 to 1"):
        await storage.migrations.verify(shelf, PLAN, sample=5)


@pytest.mark.seed("7.3")
async def test_a_state_that_was_brought_wrongly_is_noticed(storage: Storage) -> None:
    """The state itself is compared, not only what the journal says of it."""

    class Liar(Shelf):
        """Says of another state that it is the one that was brought: its digest is the same."""

        async def read(self) -> AsyncIterator[Finding]:
            async for finding in super().read():
                if isinstance(finding, SourceItem) and isinstance(finding.entity, Checkpoint):
                    other = replace(finding.entity, state={"messages": [], "step": 1})
                    yield replace(finding, entity=other)
                else:
                    yield finding

    entities = session("s"), thread("t"), checkpoint(0)
    await storage.migrations.run(Shelf(*entities), PLAN)

    found = await storage.migrations.verify(Liar(*entities), PLAN)

    assert ["its state is not what the source says"] == [d.reason for d in found.differences]
