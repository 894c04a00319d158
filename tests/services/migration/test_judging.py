"""Conflicts: what becomes of an item whose id is taken is what the plan says, and is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ropewalk.domain.change import Batch, Put
from ropewalk.domain.errors import Conflict
from ropewalk.domain.migration import OnConflict, Reject
from ropewalk.domain.ports import Backend
from ropewalk.domain.record import Key
from ropewalk.services.storage import Storage

from .shelf import PLAN, Shelf, full_shelf, plan, session


@pytest.mark.seed("7.4")
@pytest.mark.parametrize(
    ("policy", "minute", "title"),
    [
        (OnConflict.SKIP, 9, "theirs"),
        (OnConflict.OVERWRITE, 0, "ours"),
        (OnConflict.KEEP_NEWER, 4, "theirs"),
        (OnConflict.KEEP_NEWER, 6, "ours"),
    ],
)
async def test_the_policy_decides(
    storage: Storage, policy: OnConflict, minute: int, title: str
) -> None:
    """Theirs was changed in minute 5: ours wins by policy, or by being newer."""
    await storage.sessions.adopt(session("s", "theirs", minute=5))
    told: list[Reject] = []

    report = await storage.migrations.run(
        Shelf(session("s", "ours", minute=minute), session("z")),
        plan(policy),
        rejected=told.append,
    )

    found = await storage.sessions.get("s")
    wins = title == "ours"
    assert (title, 2 if wins else 1) == (found.title, found.version)
    assert ({"session": 1} if wins else {}) == report.replaced
    assert ({} if wins else {"session": 1}) == report.kept
    assert ([] if wins else ["exists"]) == [reject.code for reject in told]
    assert report.is_complete


async def test_to_fail_is_the_default(storage: Storage) -> None:
    """The run stops at the conflict and names it; with another policy it goes on from there."""
    await storage.sessions.adopt(session("s", "theirs"))
    shelf = Shelf(session("s", "ours"))

    with pytest.raises(Conflict, match="default/session/s stands in the target") as caught:
        await storage.migrations.run(shelf, PLAN)
    assert "exists_in_target" == caught.value.code
    assert "theirs" == (await storage.sessions.get("s")).title
    report = await storage.migrations.run(shelf, plan(OnConflict.OVERWRITE))

    assert {"session": 1} == report.replaced
    assert 1 == len(await storage.migrations.runs())


async def test_the_same_content_is_no_conflict(storage: Storage) -> None:
    """What is there already just as it is in the source is taken for brought."""
    shelf = full_shelf()
    first = await storage.migrations.run(shelf, PLAN)

    report = await storage.migrations.run(shelf, replace(PLAN, name="another name"))

    assert (0, first.brought) == (report.changes, report.present)
    assert (await storage.migrations.verify(shelf, PLAN)).is_sound


async def test_what_was_kept_is_asked_about_anew(storage: Storage) -> None:
    """Left once by policy, it is replaced when the policy says so."""
    await storage.sessions.adopt(session("s", "theirs"))
    shelf = Shelf(session("s", "ours"))
    await storage.migrations.run(shelf, plan(OnConflict.SKIP))

    again = await storage.migrations.run(shelf, plan(OnConflict.SKIP))
    other = await storage.migrations.run(shelf, plan(OnConflict.OVERWRITE), since_last=True)

    assert (0, {"session": 1}) == (again.changes, again.kept)
    assert {"session": 1} == other.replaced


@pytest.mark.seed("7.4")
async def test_what_is_gone_from_the_target_comes_back_unless_only_news_is_wanted(
    storage: Storage,
) -> None:
    """A whole run looks into the target for everything; since the last, only for news."""
    shelf = Shelf(session("s", "Rome"))
    await storage.migrations.run(shelf, PLAN)
    await storage.sessions.delete("s")

    delta = await storage.migrations.run(shelf, PLAN, since_last=True)
    whole = await storage.migrations.run(shelf, PLAN)

    assert (0, {"session": 1}) == (delta.changes, whole.brought)


async def test_a_change_in_the_target_is_no_news_of_the_source(storage: Storage) -> None:
    """What a person changed since stays; only if the source changes too is it a conflict."""
    shelf = Shelf(session("s", "Rome"))
    await storage.migrations.run(shelf, PLAN)
    await storage.sessions.update("s", title="mine")

    assert 0 == (await storage.migrations.run(shelf, PLAN)).changes
    shelf.put(session("s", "Paris"))
    with pytest.raises(Conflict, match="other content"):
        await storage.migrations.run(shelf, PLAN)
    assert "mine" == (await storage.sessions.get("s")).title


async def test_a_damaged_record_is_replaced_or_left(storage: Storage, backend: Backend) -> None:
    """What stands in the target and cannot be read stops nothing; a rollback puts it back."""
    key = Key(storage.space_name, "session", "s")
    await backend.apply(Batch((Put(key=key, body=b"damaged", seal="msgpack|crc32"),)))
    shelf = Shelf(session("s", "Rome"))

    left = await storage.migrations.run(shelf, plan(OnConflict.SKIP))
    done = await storage.migrations.run(shelf, plan(OnConflict.OVERWRITE))

    assert ({"session": 1}, {"session": 1}) == (left.kept, done.replaced)
    assert "Rome" == (await storage.sessions.get("s")).title
    await storage.migrations.rollback(done.run)
    [record] = await backend.get([key])
    assert record is not None
    assert (b"damaged", 1) == (record.body, record.version)
