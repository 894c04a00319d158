"""Runs: everything is written once with its journal, and a run that was broken off goes on."""

from __future__ import annotations

import random
import weakref
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from ropewalk.domain.errors import Conflict, Invalid
from ropewalk.domain.migration import Progress, Reject, RunStatus
from ropewalk.domain.source import Finding, SourceItem
from ropewalk.services.storage import Storage

from .shelf import ODDITIES, PLAN, Shelf, checkpoint, full_shelf, message, plan, session, thread


class Stopping(Shelf):
    """A shelf that breaks off after so many items."""

    def __init__(self, shelf: Shelf, after: int) -> None:
        """Break off after `after` items."""
        super().__init__()
        self._shelf = shelf
        self._after = after

    async def read(self) -> AsyncIterator[Finding]:
        """Bring some of it."""
        left = self._after
        async for finding in self._shelf.read():
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            yield finding


@pytest.mark.seed("7.1")
async def test_everything_is_brought_with_its_own_ids_and_times(storage: Storage) -> None:
    """Entities come back as they were on the shelf: ids, times, links and states."""
    shelf = full_shelf()

    report = await storage.migrations.run(shelf, PLAN)

    expected = {"session": 1, "thread": 1, "message": 25, "checkpoint": 6}
    assert (RunStatus.DONE, expected) == (report.status, report.brought)
    assert replace(session("s", "Rome"), version=1) == await storage.sessions.get("s")
    assert message(3) == await storage.history.get("m00003")
    latest = await storage.checkpoints.latest("t")
    assert latest is not None
    assert ("c00005", 5) == (latest.id, latest.state["step"])


@pytest.mark.seed("7.4")
async def test_a_second_run_changes_nothing(storage: Storage) -> None:
    """What was brought and is as it was is left alone: no record gets another version."""
    shelf = full_shelf()
    await storage.migrations.run(shelf, PLAN)
    before = await storage.migrations.content_hash()

    again = await storage.migrations.run(shelf, PLAN)
    delta = await storage.migrations.run(shelf, PLAN, since_last=True)

    assert (0, 0) == (again.changes, delta.changes)
    assert sum(again.present.values()) == len(shelf) == sum(delta.present.values())
    assert before == await storage.migrations.content_hash()


@pytest.mark.seed("7.4")
@pytest.mark.parametrize("after", [0, 1, 9, 10, 11, 27, 30])
async def test_a_run_that_was_broken_off_goes_on(storage: Storage, after: int) -> None:
    """The same call goes on under the same id, and the report is that of the whole."""
    shelf = full_shelf()
    with pytest.raises(KeyboardInterrupt):
        await storage.migrations.run(Stopping(shelf, after), PLAN)
    [broken] = await storage.migrations.runs()
    assert RunStatus.RUNNING == broken.status

    report = await storage.migrations.run(shelf, PLAN)

    assert (broken.run, len(shelf)) == (report.run, sum(report.brought.values()))
    assert 1 == len(await storage.migrations.runs())
    assert 25 == await storage.history.count(session_id="s")


@pytest.mark.seed("1.5")
async def test_what_cannot_be_kept_is_named_and_stops_nothing(storage: Storage) -> None:
    """One impossible id among many goes into the rejects, with the item; the others are written."""
    told: list[Reject] = []
    shelf = full_shelf()
    shelf.put(replace(message(7), id="x" * 5_000))

    report = await storage.migrations.run(
        shelf, replace(PLAN, allow_loss=("too_long",)), rejected=told.append
    )

    assert (25, {"message": 1}) == (report.brought["message"], report.refused)
    [refused] = told
    assert "max_id_bytes" in refused.reason
    assert b"hello 7" in (refused.raw or b"")
    assert RunStatus.DONE == report.status


async def test_nothing_stays_behind_unless_it_is_named(storage: Storage) -> None:
    """A loss that the plan does not name stops the run before it writes anything."""
    shelf = full_shelf()
    shelf.told += ODDITIES
    told: list[Reject] = []

    with pytest.raises(Invalid, match=r"3 x g1.* 1 x torn.*--allow-loss g1 --allow-loss torn"):
        await storage.migrations.run(shelf, plan(allow_loss=("g2",)))
    assert {} == await storage.kinds()
    report = await storage.migrations.run(
        shelf, plan(allow_loss=("g1", "torn")), rejected=told.append
    )

    assert report.is_complete
    assert {"g1": 3, "torn": 1} == {loss.code: loss.count for loss in report.losses}
    assert [("torn", b'{"id'), ("g1", None)] == [(reject.code, reject.raw) for reject in told]
    assert ["odd"] == [note.code for note in report.notes]


async def test_a_loss_that_only_shows_on_the_way_is_told(storage: Storage) -> None:
    """An item that the store refuses makes the run partly done; the rest is there."""
    shelf = full_shelf()
    shelf.put(replace(message(7), id="x" * 5_000))

    report = await storage.migrations.run(shelf, PLAN)

    assert (RunStatus.PARTLY, False) == (report.status, report.is_complete)
    assert report.problems == (await storage.migrations.get("last")).problems


async def test_only_the_kinds_of_the_plan_are_brought(storage: Storage) -> None:
    """What the plan does not name is counted and left."""
    report = await storage.migrations.run(full_shelf(), replace(PLAN, kinds=("session",)))

    assert ({"session": 1}, 25) == (report.brought, report.left_out["message"])


async def test_an_id_that_a_source_uses_twice_is_refused_the_second_time(storage: Storage) -> None:
    """The first item stays; one that says something else under its id goes into the rejects."""

    class Twice(Shelf):
        async def read(self) -> AsyncIterator[Finding]:
            async for finding in super().read():
                yield finding
                if isinstance(finding, SourceItem):
                    yield finding
                    yield replace(finding, digest="another")

    report = await storage.migrations.run(Twice(session("s", "Rome")), PLAN)

    assert ({"session": 1}, {"session": 1}) == (report.brought, report.refused)


async def test_an_item_that_contradicts_itself_is_refused(storage: Storage) -> None:
    """A kind that nobody keeps, or an id that is not the entity's, is the source's fault."""

    class Wrong(Shelf):
        async def read(self) -> AsyncIterator[Finding]:
            async for finding in super().read():
                if isinstance(finding, SourceItem):
                    yield replace(finding, kind="visit")
                    yield replace(finding, source_id="another")
                yield finding

    report = await storage.migrations.run(Wrong(session("s")), PLAN)

    assert ({"session": 1}, 2) == (report.brought, sum(report.refused.values()))
    assert {"bad_item": 2} == {loss.code: loss.count for loss in report.losses}


async def test_two_programs_do_not_go_on_with_one_run(storage: Storage) -> None:
    """Whoever finds that another one took a step stops, and says so."""
    shelf = full_shelf()

    class Shared(Shelf):
        async def read(self) -> AsyncIterator[Finding]:
            async for finding in shelf.read():
                if isinstance(finding, SourceItem) and finding.source_id == "m00015":
                    await storage.migrations.run(shelf, PLAN)
                yield finding

    with pytest.raises(Conflict) as caught:
        await storage.migrations.run(Shared(), PLAN)
    assert "run_taken" == caught.value.code
    assert 25 == await storage.history.count(session_id="s")


async def test_big_states_are_written_ahead(storage: Storage) -> None:
    """A state of more nodes than one batch may wait with is brought whole, and is journalled."""
    rows = [random.Random(n).randbytes(2_000) for n in range(1_500)]
    shelf = Shelf(session("s"), thread("t"), replace(checkpoint(0), state={"rows": rows}))

    report = await storage.migrations.run(shelf, PLAN)
    verified = await storage.migrations.verify(shelf, PLAN)

    assert (3, True) == (report.changes, verified.is_sound)
    await storage.migrations.rollback(report.run)
    assert {"migration"} == set(await storage.kinds())


async def test_items_are_let_go_of(storage: Storage) -> None:
    """However many there are, no more than a few batches of them are in memory at once."""
    alive = [0, 0]

    class Counted(SourceItem):
        __slots__ = ("__weakref__",)

    def gone() -> None:
        alive[0] -= 1

    class Long(Shelf):
        async def read(self) -> AsyncIterator[Finding]:
            for number in range(500):
                entity = message(number)
                item = Counted(
                    kind="message",
                    source_id=entity.id,
                    place="",
                    digest=str(number),
                    entity=entity,
                )
                weakref.finalize(item, gone)
                alive[0] += 1
                alive[1] = max(alive)
                yield item

    report = await storage.migrations.run(Long(), PLAN)

    assert 500 == report.changes
    assert alive[1] <= 4 * PLAN.batch


async def test_progress_is_told_with_rate_and_time_left(storage: Storage) -> None:
    """After each batch: how much is done of how much, how fast, and how long it will take."""
    told: list[Progress] = []

    await storage.migrations.run(full_shelf(18, 0), PLAN, progress=told.append)

    assert [(10, 20), (20, 20)] == [(each.done, each.total) for each in told]
    first, last = told
    assert first.left == pytest.approx(10 / first.rate)
    assert (0.0, 20) == (last.left, sum(last.kinds.values()))
