"""Rehearsals write nothing where they must not, and a cutover ends with nothing left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict
from ropewalk.domain.migration import Deletions, OnConflict
from ropewalk.domain.source import Finding
from ropewalk.services.storage import Storage
from ropewalk.sources.legacy.reader import LegacySource

from ...sources.ground_truth import samples, unpacked
from ...sources.legacy.whole import write_whole
from ...sources.legacy.writing import ZONE
from .shelf import PLAN, Shelf, full_shelf, message, plan, session

OVERWRITE = replace(plan(OnConflict.OVERWRITE), deletions=Deletions.APPLY)


@pytest.fixture
async def scratch() -> AsyncIterator[Storage]:
    """A store that is thrown away."""
    clock = FrozenClock(1_760_000_000_000_000)
    async with Storage(MemoryBackend(clock=clock), make_pipeline(), clock) as storage:
        yield storage


async def test_a_rehearsal_tells_what_a_run_would_do(storage: Storage, scratch: Storage) -> None:
    """The same figures as the run has, with what is in the target; and the target is untouched."""
    shelf = full_shelf()
    await storage.sessions.adopt(session("s", "theirs"))
    await storage.migrations.run(Shelf(message(3), message(77)), PLAN)
    before = (await storage.migrations.content_hash(), await storage.kinds())

    told = await scratch.migrations.rehearse(shelf, OVERWRITE, target=storage.migrations)

    assert before == (await storage.migrations.content_hash(), await storage.kinds())
    assert told.rehearsal
    done = await storage.migrations.run(shelf, OVERWRITE)
    for part in ("brought", "replaced", "present", "vanished", "removed"):
        assert getattr(done, part) == getattr(told, part), part
    assert ({"message": 1}, {"session": 1}) == (done.removed, done.replaced)


async def test_a_rehearsal_shows_conflicts(storage: Storage, scratch: Storage) -> None:
    """Where the run would fail, so does its rehearsal."""
    await storage.sessions.adopt(session("s", "theirs"))

    with pytest.raises(Conflict, match="stands in the target"):
        await scratch.migrations.rehearse(full_shelf(), PLAN, target=storage.migrations)


async def test_a_rehearsal_needs_no_target(scratch: Storage) -> None:
    """Where there is no target yet, everything is new."""
    shelf = full_shelf()

    told = await scratch.migrations.rehearse(shelf, PLAN)

    assert len(shelf) == sum(told.brought.values())


@pytest.mark.seed("7.4")
async def test_a_cutover_ends_with_nothing_left(storage: Storage) -> None:
    """Runs follow one another until nothing comes; what came before the freeze is there."""

    class Growing(Shelf):
        async def read(self) -> AsyncIterator[Finding]:
            async for finding in super().read():
                yield finding
            if self.reads < 4:
                self.put(message(100 + self.reads))

    shelf = Growing(session("s"), *(message(n) for n in range(5)))

    async def freeze() -> None:
        shelf.put(message(200))

    report = await storage.migrations.cutover(shelf, PLAN, freeze=freeze)

    assert [6, 1, 1, 1, 0, 1] == [run.changes for run in report.runs]
    assert report.is_complete
    assert len(shelf) == sum(report.verified.items.values())


@pytest.mark.seed("7.1")
@pytest.mark.seed("7.5")
@pytest.mark.parametrize(
    "archive", [None, *samples()], ids=lambda path: path.name if path else "written"
)
async def test_legacy_data_moves_in_and_out(
    storage: Storage, archive: Path | None, tmp_path: Path
) -> None:
    """Brought whole, compared without a difference, unchanged when run again, and taken back."""
    folder = tmp_path / "legacy"
    folder.mkdir()
    root = write_whole(folder).root if archive is None else unpacked(archive, folder)
    source = LegacySource(root, tz=ZONE)
    everything = replace(PLAN, allow_loss=("*",), batch=100)
    await storage.sessions.create(id="own", title="was here before")
    before = await storage.migrations.content_hash()

    report = await storage.migrations.run(source, everything)
    found = await storage.migrations.verify(source, everything)
    again = await storage.migrations.run(source, everything)

    assert (0, 0) == (found.difference_count, again.changes)
    assert report.brought == found.items
    await storage.migrations.rollback(report.run)
    assert before == await storage.migrations.content_hash()
