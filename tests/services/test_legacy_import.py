"""What the legacy program wrote is in a store, whole: every line of its ground truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from ropewalk.domain.checkpoint import Checkpoint
from ropewalk.domain.legacy.agents import PACKED
from ropewalk.domain.migration import EVERYTHING, Plan
from ropewalk.domain.plain import PlainRecord
from ropewalk.domain.source import Entity, SourceItem
from ropewalk.domain.thread import Thread
from ropewalk.services.storage import Storage
from ropewalk.sources.legacy.reader import LegacySource

from ..sources.ground_truth import Account, account, samples, truth_of, unpacked
from ..sources.legacy.whole import write_whole
from ..sources.legacy.writing import ZONE

PLAN: Final = Plan(name="legacy", allow_loss=(EVERYTHING,))
WRITTEN: Final = Path("written by the test")


@pytest.fixture(params=[WRITTEN, *samples()], ids=lambda path: path.name)
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a legacy folder with a ground truth: our own, and the real one if it is there."""
    archive: Path = request.param
    folder = tmp_path / "legacy"
    folder.mkdir()
    return write_whole(folder).root if archive == WRITTEN else unpacked(archive, folder)


async def _entities(storage: Storage) -> AsyncIterator[Entity]:
    async for session in storage.sessions.stream():
        yield session
        cursor = None
        while True:
            page = await storage.sessions.interactions(session.id, cursor=cursor)
            for interaction in page:
                yield interaction
            cursor = page.cursor
            if cursor is None:
                break
    async for thread in storage.threads.stream():
        yield thread
    async for entry in storage.history.stream():
        yield entry
    async for header in storage.checkpoints.stream():
        loaded: Checkpoint = await storage.checkpoints.load(header.id)
        yield loaded
    for kind in PACKED:
        async for row in storage.records.stream({"type": kind}):
            yield PlainRecord(
                id=row["id"],
                kind=kind,
                data=row["data"],
                metadata=row["metadata"],
                created_at=row["created_at"],
                updated_at=row["updated_at"],
            )


@pytest.mark.seed("7.1")
@pytest.mark.seed("7.3")
async def test_every_line_of_the_ground_truth_is_in_the_store(storage: Storage, root: Path) -> None:
    """Read again from the store and put back into its old shape, everything hashes as it did."""
    report = await storage.migrations.run(LegacySource(root, tz=ZONE), PLAN)

    truth = truth_of(root)
    accounts = account(truth, [entity async for entity in _entities(storage)], zone=ZONE)
    lines = Counter(line["kind"] for line in truth)
    assert {kind: Account(n, n) for kind, n in lines.items()} == accounts
    assert ({}, {}) == (report.refused, report.present)


@pytest.mark.seed("7.1")
async def test_times_and_links_come_along(storage: Storage, root: Path) -> None:
    """Each thread has its session, its own times, and the newest checkpoint as its latest."""
    await storage.migrations.run(LegacySource(root, tz=ZONE), PLAN)
    source = LegacySource(root, tz=ZONE)
    brought: dict[str, Thread] = {}
    async for finding in source.read():
        if isinstance(finding, SourceItem) and isinstance(finding.entity, Thread):
            brought[finding.entity.id] = finding.entity

    found = {thread.id: thread async for thread in storage.threads.stream()}

    assert brought == found
    newest: dict[str, str] = {}
    async for header in storage.checkpoints.stream():
        newest.setdefault(header.thread_id, header.id)
    for thread_id in newest.keys() & found.keys():
        latest = await storage.checkpoints.latest(thread_id)
        assert latest is not None
        assert newest[thread_id] == latest.id
