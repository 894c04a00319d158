"""Old data, moved in: old programs find everything through the old interfaces."""

from __future__ import annotations

from datetime import timedelta, timezone
from pathlib import Path

import pytest

from ropewalk.compat import (
    CheckpointStorageAdapter,
    ConfigService,
    HistoryManager,
    HistoryQuery,
    MigrationService,
    SessionStore,
    StorageFactory,
    StorageTransactionError,
    StorageValidationError,
    ThreadUnifiedAdapter,
    UnifiedStorage,
)
from ropewalk.domain.legacy.values import canonical
from ropewalk.sources.text import load_document

from ..sources.legacy.whole import write_whole
from ..sources.legacy.writing import Tree

pytestmark = pytest.mark.seed("7.1", "7.2", "7.3")

ZONE = timezone(timedelta(hours=8))


@pytest.fixture
def old(tmp_path: Path) -> Tree:
    """A small legacy folder with everything in it, damage included."""
    return write_whole(tmp_path / "old")


async def test_old_programs_find_their_data(old: Tree, unified: UnifiedStorage) -> None:
    """Session and thread files come back to the byte; records and checkpoints are all there."""
    service = MigrationService(unified)
    inventory = await service.analyze(old.root, tz=ZONE)
    assert inventory.kinds["session"] > 0
    report = await service.migrate(old.root, tz=ZONE)
    assert report.brought["session"] > 0
    there = UnifiedStorage(unified.storage, tz=ZONE)
    sessions, threads = SessionStore(there), ThreadUnifiedAdapter(there)
    compared = 0
    for item in old.truth:
        id_ = str(item["id"]) if "id" in item else ""
        path = next(old.root.rglob(f"{id_}.json"), None) if id_ else None
        if path is None or item["kind"] not in ("session", "thread"):
            continue
        wanted = canonical(load_document(path))
        if item["kind"] == "session":
            assert wanted == canonical(sessions.get_session(id_))
        else:
            assert wanted == canonical(await threads.metadata.get_metadata(id_))
        compared += 1
    assert compared > 0
    listed = sessions.list_sessions()
    assert report.brought["session"] == len(listed)
    history, records = HistoryManager(there), 0
    for summary in listed:
        records += (await history.query_history(HistoryQuery(summary["session_id"]))).total
    assert records > 0
    checkpoints = CheckpointStorageAdapter(there)
    found = await there.list({"type": "checkpoint"})
    assert report.brought["checkpoint"] == len(found)
    for row in found:
        record = await checkpoints.load_by_thread(row["thread_id"], row["id"])
        assert record is not None
        assert row["state_data"] == record["state_data"]


async def test_a_migration_goes_module_by_module(old: Tree, unified: UnifiedStorage) -> None:
    """Rehearsed, one module at a time, verified, and taken back."""
    service = MigrationService(unified)
    scratch = StorageFactory().create_storage("memory", {})
    assert isinstance(scratch, UnifiedStorage)
    rehearsal = await service.rehearse(old.root, tz=ZONE, scratch=scratch)
    await scratch.close()
    assert rehearsal.rehearsal
    assert 0 == await unified.count({})
    report = await service.migrate(old.root, tz=ZONE, modules=["sessions"])
    assert {"session", "interaction"} == set(report.brought)
    assert (await service.verify(old.root, tz=ZONE, modules=["sessions"])).is_sound
    later = await service.migrate(old.root, tz=ZONE, modules=["threads"])
    assert await unified.count({"type": "thread"}) > 0
    # What the other module brought names these threads: it must be said that this is known.
    with pytest.raises(StorageTransactionError):
        await service.rollback(later.run)
    undone = await service.rollback(later.run, force=True)
    assert (later.run, 0) == (undone.run, await unified.count({"type": "thread"}))
    await service.rollback(report.run, force=True)
    assert 0 == await unified.count({"type": "session"})
    with pytest.raises(StorageValidationError, match="history"):
        await service.migrate(old.root, tz=ZONE, modules=["histories"])


async def test_settings_have_a_service(tmp_path: Path) -> None:
    """`ConfigService` reads ours, checks it, understands the old, and opens the store of either."""
    service = ConfigService()
    old = tmp_path / "global.json"
    old.write_text('{"checkpoint": {"storage_type": "memory", "enabled": true}}')
    understood = service.understand(old)
    assert {"url": "memory://"} == understood.settings
    assert ["checkpoint.enabled"] == [remark.key for remark in understood.remarks]
    config = service.validate(understood.settings)
    assert "memory://" == service.describe(config)["url"]
    async with service.storage(config) as storage:
        await storage.save({"id": "n", "type": "note", "data": {}})
    ours = tmp_path / "ropewalk.toml"
    ours.write_text('url = "memory://"\nspace = "mine"\n')
    assert "mine" == service.load(ours).space
    with pytest.raises(StorageValidationError, match="ulr"):
        service.validate({"ulr": "memory://"})
