"""Rollbacks: what a run wrote is gone, what it replaced is back byte for byte, or nothing is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ropewalk.domain.errors import Conflict, NotFound
from ropewalk.domain.migration import JOURNAL, OnConflict, RunStatus, UndoReport
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key, Record
from ropewalk.services.migration import ledger
from ropewalk.services.storage import Storage
from ropewalk.testing.samples import everything

from .shelf import PLAN, Shelf, checkpoint, full_shelf, message, plan, session, thread

OVERWRITE = plan(OnConflict.OVERWRITE)
STAMP = "family"
"""Its version rises with every look for what nothing needs; it holds nothing."""


async def _records(backend: Backend) -> dict[Key, Record]:
    found = await everything(backend, Query(space=None))
    return {r.key: r for r in found if r.key.kind not in JOURNAL}


async def _lived_in(storage: Storage) -> None:
    """Fill the store with what is there before the migration: partly under the same ids."""
    await storage.sessions.create(id="other", title="not on the shelf")
    await storage.sessions.adopt(session("s", "the title before"))
    await storage.sessions.update("s", tags=["kept"])
    await storage.threads.adopt(thread("own", "other"))
    for number in range(3):
        await storage.checkpoints.save("own", {"step": number, "rows": list(range(100))})
    await storage.history.adopt(message(3, "the text before"))


@pytest.mark.seed("7.5")
async def test_everything_is_as_it_was(storage: Storage, backend: Backend) -> None:
    """Records, versions, times and sealed bodies: not a bit differs, wherever it was replaced."""
    await _lived_in(storage)
    before = await _records(backend)
    report = await storage.migrations.run(full_shelf(), OVERWRITE)
    assert {"session": 1, "message": 1} == report.replaced

    undone = await storage.migrations.rollback(report.run)

    assert before == await _records(backend)
    assert (31, 2) == (undone.removed, undone.restored)
    assert RunStatus.UNDONE == (await storage.migrations.get(report.run)).status
    assert {"migration"} == JOURNAL & set(await storage.kinds())
    own = await storage.checkpoints.latest("own")
    assert own is not None
    assert 2 == own.state["step"]


@pytest.mark.seed("7.5")
async def test_an_empty_store_is_empty_again(storage: Storage, backend: Backend) -> None:
    """Nodes and the secret go as well; and whoever saves a state then can read it."""
    report = await storage.migrations.run(full_shelf(), PLAN)
    assert await storage.checkpoints.latest("t") is not None

    undone = await storage.migrations.rollback(report.run)

    assert {} == await _records(backend)
    assert undone.nodes > 0
    await storage.threads.create(id="t2")
    await storage.checkpoints.save("t2", {"rows": list(range(1_000))})
    async with Storage(backend, storage._desk.sealer, storage._desk.clock) as again:  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        latest = await again.checkpoints.latest("t2")
        assert latest is not None
        assert list(range(1_000)) == latest.state["rows"]


@pytest.mark.seed("7.5")
async def test_what_was_changed_since_stops_it(storage: Storage, backend: Backend) -> None:
    """A changed record, and one that belongs to a migrated thread, are named; nothing happens."""
    report = await storage.migrations.run(full_shelf(), PLAN)
    await storage.sessions.update("s", title="changed since")
    added = await storage.history.add_message(role="user", content="added since", thread_id="t")
    before = await _records(backend)

    with pytest.raises(Conflict, match="changed or added since") as caught:
        await storage.migrations.rollback(report.run)

    assert "changed_since" == caught.value.code
    assert ("default/session/s", f"default/message/{added.id}") == caught.value.facts["keys"]
    assert before == await _records(backend)


@pytest.mark.seed("7.5")
async def test_force_takes_it_back_all_the_same(storage: Storage, backend: Backend) -> None:
    """What was changed since goes too, and what was there before is back."""
    await storage.sessions.adopt(session("s", "the title before"))
    before = await _records(backend)
    report = await storage.migrations.run(full_shelf(), OVERWRITE)
    await storage.sessions.update("s", title="changed since")

    undone = await storage.migrations.rollback(report.run, force=True)

    assert ("default/session/s",) == undone.changed
    assert before == await _records(backend)


async def test_a_later_run_goes_first(storage: Storage, backend: Backend) -> None:
    """Runs come off in the reverse of their order; after each, the one before stands as it did."""
    shelf = full_shelf()
    first = await storage.migrations.run(shelf, PLAN)
    middle = await _records(backend)
    shelf.put(session("s", "Paris"), message(3, "other"), message(99), checkpoint(6))
    second = await storage.migrations.run(shelf, PLAN, since_last=True)
    assert 4 == second.changes

    with pytest.raises(Conflict, match="later runs"):
        await storage.migrations.rollback(first.run)
    await storage.migrations.rollback(second.run)
    now = await _records(backend)

    assert _without_stamps(middle) == _without_stamps(now)
    delta = await storage.migrations.run(shelf, PLAN, since_last=True)
    assert 4 == delta.changes
    await storage.migrations.rollback(delta.run)
    await storage.migrations.rollback(first.run)
    assert {} == await _records(backend)


def _without_stamps(records: dict[Key, Record]) -> dict[Key, Record]:
    return {key: record for key, record in records.items() if key.kind != STAMP}


async def test_a_thread_that_others_share_keeps_its_nodes(storage: Storage) -> None:
    """What later states need of a family that a run wrote into stays, and can be read."""
    shelf = Shelf(session("s"), thread("t"), checkpoint(0, size=400))
    first = await storage.migrations.run(shelf, PLAN)
    shelf.put(checkpoint(1, size=400))
    second = await storage.migrations.run(shelf, PLAN)
    await storage.checkpoints.append("t", {"messages": ["later"]})

    undone = await storage.migrations.rollback(second.run, force=True)

    latest = await storage.checkpoints.latest("t")
    assert latest is not None
    assert (1, 402) == (undone.removed, len(latest.state["messages"]))
    assert first.run != second.run


class Lost(Exception):
    """The process ends here."""


@pytest.mark.seed("7.5", "5.1")
async def test_it_may_be_broken_off_behind_every_batch(
    storage: Storage, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is stopped, calling it again ends where one call would have ended."""
    await _lived_in(storage)
    before = await _records(backend)
    report = await storage.migrations.run(full_shelf(), OVERWRITE)
    desk = type(storage._desk)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    commit = desk.commit
    left = [0]

    async def mortal(self: object, changes: object) -> object:
        answer = await commit(self, changes)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        left[0] -= 1
        if left[0] == 0:
            raise Lost
        return answer

    monkeypatch.setattr(desk, "commit", mortal)
    deaths = 0
    while True:
        left[0] = 2 + deaths // 4
        try:
            await storage.migrations.rollback(report.run)
        except Lost:
            deaths += 1
        else:
            break
        assert deaths < 50

    assert deaths > 3
    assert before == await _records(backend)


async def test_a_run_that_was_broken_off_can_be_taken_back(storage: Storage) -> None:
    """It need not be finished first; afterwards a new run begins anew."""
    from .test_engine import Stopping

    shelf = full_shelf()
    with pytest.raises(KeyboardInterrupt):
        await storage.migrations.run(Stopping(shelf, 25), PLAN)

    await storage.migrations.rollback("last")

    assert {"migration": 1} == await storage.kinds()
    assert len(shelf) == (await storage.migrations.run(shelf, PLAN)).changes


async def test_big_bodies_are_set_aside_and_put_back(
    storage: Storage, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replaced body that is too big for a step has a record of its own until it is back."""
    monkeypatch.setattr(ledger, "_ASIDE_BYTES", 10)
    await _lived_in(storage)
    before = await _records(backend)
    report = await storage.migrations.run(full_shelf(), OVERWRITE)
    assert (await storage.kinds())["migration_step"] > 2

    await storage.migrations.rollback(report.run)

    assert before == await _records(backend)
    assert {"migration"} == JOURNAL & set(await storage.kinds())


async def test_an_unknown_run_is_not_found(storage: Storage) -> None:
    """A run is named by its id, by the beginning of it where that is clear, or as the last."""
    with pytest.raises(NotFound, match="there is no migration"):
        await storage.migrations.rollback("last")
    report = await storage.migrations.run(full_shelf(), replace(PLAN, name="first"))
    other = await storage.migrations.run(Shelf(session("z")), replace(PLAN, name="second"))

    with pytest.raises(NotFound, match="more than one"):
        await storage.migrations.rollback(report.run[:2])
    assert other.run == (await storage.migrations.get("last")).run
    assert [other.run] == [r.run for r in await storage.migrations.runs("second")]
    assert UndoReport(run=other.run, removed=1) == await storage.migrations.rollback("last")
