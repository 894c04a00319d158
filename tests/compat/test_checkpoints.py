"""`ICheckpointStore`, `ICheckpointManager` and `ICheckpointRepository`, method by method."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from ropewalk.compat import (
    CheckpointConfig,
    CheckpointError,
    CheckpointFactory,
    CheckpointManager,
    CheckpointNotFoundError,
    CheckpointRepository,
    CheckpointStorageAdapter,
    CheckpointStorageError,
    CheckpointStoreFactory,
    CheckpointValidationError,
    ICheckpointManager,
    ICheckpointRepository,
    ICheckpointStore,
    MemoryCheckpointStore,
    SQLiteCheckpointStore,
    UnifiedStorage,
)
from ropewalk.domain.errors import Invalid

pytestmark = pytest.mark.seed("7.2")


@pytest.fixture
def store(unified: UnifiedStorage) -> CheckpointStorageAdapter:
    """Return the store over a unified storage."""
    return CheckpointStorageAdapter(unified)


@pytest.fixture
def manager(store: CheckpointStorageAdapter) -> CheckpointManager:
    """Return a manager that saves every second state, and keeps three."""
    config = CheckpointConfig(save_interval=2, max_checkpoints=3, trigger_conditions=["tool_call"])
    return CheckpointManager(store, config)


async def saved(store: ICheckpointStore, step: int, thread: str = "t", flow: str = "w") -> str:
    """Save a state, and return the id that it was given."""
    id_ = f"{thread}-{step}"
    data = {"id": id_, "thread_id": thread, "workflow_id": flow, "state_data": {"step": step}}
    assert await store.save({**data, "metadata": {"n": step}})
    return id_


def steps(records: list[dict[str, Any]]) -> list[int]:
    """Return which steps records are of."""
    return [record["state_data"]["step"] for record in records]


async def test_a_checkpoint_comes_back_as_it_was(store: CheckpointStorageAdapter) -> None:
    """`save`, `load_by_thread`: with its workflow and metadata, under its id, and unchanged."""
    assert isinstance(store, ICheckpointStore)
    metadata = {"node_name": "plan"}
    data = {
        "id": "c",
        "thread_id": "t",
        "workflow_id": "w",
        "state_data": {"messages": [{"content": "你好"}], "n": None},
        "metadata": metadata,
        "created_at": "2025-11-10T12:00:00.000001",
    }
    assert await store.save(data)
    assert {"node_name": "plan"} == metadata
    record = await store.load_by_thread("t", "c")
    assert record is not None
    assert 7 == len(record)
    assert ("w", data["state_data"]) == (record["workflow_id"], record["state_data"])
    assert {"node_name": "plan", "workflow_id": "w"} == record["metadata"]
    assert "2025-11-10T12:00:00.000001" == record["created_at"]
    assert await store.load_by_thread("other", "c") is None
    assert await store.load_by_thread("t", "nothing") is None


@pytest.mark.parametrize("state", [None, [], "text", 7, {"deep": [{"er": [1.5]}]}])
async def test_a_state_may_be_any_json(store: CheckpointStorageAdapter, state: object) -> None:
    """Also nothing at all, and it comes back as what it was."""
    assert await store.save({"thread_id": "t", "workflow_id": "w", "state_data": state})
    assert [state] == [record["state_data"] for record in await store.list_by_thread("t")]


async def test_what_is_missing_is_named(store: CheckpointStorageAdapter) -> None:
    """`save` raises, and writes nothing."""
    whole: dict[str, Any] = {"thread_id": "t", "workflow_id": "w", "state_data": {}}
    for name in whole:
        part = {key: value for key, value in whole.items() if key != name}
        with pytest.raises(CheckpointValidationError, match=name):
            await store.save(part)
    with pytest.raises(CheckpointError):
        await store.save({**whole, "state_data": {"lock": object()}})
    assert [] == await store.list_by_thread("t")


async def test_the_latest_is_the_latest(store: CheckpointStorageAdapter) -> None:
    """`list_by_thread`, `get_latest`, `load_by_thread` without an id: by time, not by id."""
    assert await store.get_latest("t") is None
    assert [] == await store.list_by_thread("t")
    for step in (9, 1, 5):
        await saved(store, step)
    await saved(store, 7, "other", "v")
    assert [5, 1, 9] == steps(await store.list_by_thread("t"))
    for latest in (await store.get_latest("t"), await store.load_by_thread("t")):
        assert latest is not None
        assert {"step": 5} == latest["state_data"]
    await saved(store, 6, flow="v")
    assert [6] == steps(await store.get_checkpoints_by_workflow("t", "v"))
    assert [5, 1, 9] == steps(await store.get_checkpoints_by_workflow("t", "w"))
    assert 4 == await store.get_checkpoint_count("t")


async def test_deleting_leaves_the_others_as_they_were(store: CheckpointStorageAdapter) -> None:
    """`delete_by_thread`: one, with ids, times and order of the rest untouched; then all."""
    for step in range(4):
        await saved(store, step)
    before = await store.list_by_thread("t")
    assert await store.delete_by_thread("t", "t-2")
    assert not await store.delete_by_thread("t", "t-2")
    assert not await store.delete_by_thread("other", "t-1")
    assert [each for each in before if each["id"] != "t-2"] == await store.list_by_thread("t")
    assert await store.delete_by_thread("t")
    assert [] == await store.list_by_thread("t")
    assert not await store.delete_by_thread("t")


async def test_cleaning_up_keeps_the_newest(store: CheckpointStorageAdapter) -> None:
    """`cleanup_old_checkpoints` returns how many went; again and again the newest stay."""
    for step in range(8):
        await saved(store, step)
        await store.cleanup_old_checkpoints("t", 3)
    assert [7, 6, 5] == steps(await store.list_by_thread("t"))
    assert 0 == await store.cleanup_old_checkpoints("t", 3)
    assert 2 == await store.cleanup_old_checkpoints("t", 1)
    assert 1 == await store.cleanup_old_checkpoints("t", 0)


async def test_a_full_thread_makes_room(unified: UnifiedStorage) -> None:
    """The cap of a thread holds at every save."""
    store = CheckpointStorageAdapter(unified, max_checkpoints_per_thread=2)
    for step in range(4):
        await saved(store, step)
    assert [3, 2] == steps(await store.list_by_thread("t"))


async def test_where_a_fork_begins_stays(
    store: CheckpointStorageAdapter, unified: UnifiedStorage
) -> None:
    """Neither deletion nor clean-up takes from a fork what it continues."""
    for step in range(3):
        await saved(store, step)
    await unified.storage.threads.fork("t", at="t-0")
    assert not await store.delete_by_thread("t", "t-0")
    assert 1 == await store.cleanup_old_checkpoints("t", 1)
    assert [2, 0] == steps(await store.list_by_thread("t"))


class Colour(Enum):
    """Something that JSON has no form for."""

    RED = "red"


class Said:
    """An object with attributes, as messages are."""

    def __init__(self) -> None:
        self.content = "hi"
        self._private = 1


async def test_the_returned_id_is_the_id(manager: CheckpointManager) -> None:
    """`create_checkpoint`, `get_checkpoint`, `restore_from_checkpoint`, `delete_checkpoint`."""
    assert isinstance(manager, ICheckpointManager)
    state = {"at": datetime(2025, 1, 1), "c": Colour.RED, "t": (1, 2), 3: {4}, "m": [Said()]}
    id_ = await manager.create_checkpoint("t", "w", state, {"why": Colour.RED})
    plain = {
        "at": "2025-01-01T00:00:00",
        "c": "red",
        "t": [1, 2],
        "3": "{4}",
        "m": [{"content": "hi"}],
    }
    record = await manager.get_checkpoint("t", id_)
    assert record is not None
    assert (id_, plain) == (record["id"], record["state_data"])
    assert "red" == record["metadata"]["why"]
    assert plain == await manager.restore_from_checkpoint("t", id_)
    assert [record] == await manager.list_checkpoints("t")
    assert record == await manager.get_latest_checkpoint("t")
    assert [record] == await manager.get_checkpoints_by_workflow("t", "w")
    assert 1 == await manager.get_checkpoint_count("t")
    assert await manager.delete_checkpoint("t", id_)
    assert not await manager.delete_checkpoint("t", id_)
    assert await manager.get_checkpoint("t", id_) is None
    assert await manager.restore_from_checkpoint("t", id_) is None
    assert await manager.get_latest_checkpoint("t") is None


async def test_a_state_that_contains_itself_is_refused(manager: CheckpointManager) -> None:
    """So is one with keys that JSON cannot have; both in the family of checkpoint errors."""
    endless: dict[str, Any] = {}
    endless["self"] = endless
    for state in (endless, {(1, 2): 3}):
        with pytest.raises(CheckpointValidationError):
            await manager.create_checkpoint("t", "w", state)


async def test_automatic_checkpoints(manager: CheckpointManager) -> None:
    """`auto_save_checkpoint`: for a reason that counts, else every second time; three are kept."""
    assert await manager.auto_save_checkpoint("t", "w", {"step": 0}, "other") is None
    second = await manager.auto_save_checkpoint("t", "w", {"step": 1}, "other")
    assert second is not None
    record = await manager.get_checkpoint("t", second)
    assert record is not None
    noted = record["metadata"]
    assert (second, "other", "t") == (
        noted["checkpoint_id"],
        noted["trigger_reason"],
        noted["thread_id"],
    )
    for step in range(2, 6):
        assert await manager.auto_save_checkpoint("t", "w", {"step": step}, "tool_call")
    assert [5, 4, 3] == steps(await manager.list_checkpoints("t"))
    assert 2 == await manager.cleanup_checkpoints("t", 1)
    off = CheckpointManager(MemoryCheckpointStore(), CheckpointConfig(enabled=False))
    assert await off.auto_save_checkpoint("t", "w", {}, "tool_call") is None


async def test_copies_and_exports_keep_everything(manager: CheckpointManager) -> None:
    """`copy_checkpoint`, `export_checkpoint`, `import_checkpoint`; ValueError without."""
    id_ = await manager.create_checkpoint("t", "w", {"step": 1}, {"n": 1})
    copy = await manager.copy_checkpoint("t", id_, "u")
    exported = await manager.export_checkpoint("t", id_)
    again = await manager.import_checkpoint("u", exported)
    assert 3 == len({id_, copy, again})
    for made in (copy, again):
        record = await manager.get_checkpoint("u", made)
        assert record is not None
        assert ("w", {"step": 1}, {"n": 1, "workflow_id": "w"}) == (
            record["workflow_id"],
            record["state_data"],
            record["metadata"],
        )
    for missing in (manager.copy_checkpoint("t", "no", "u"), manager.export_checkpoint("t", "no")):
        with pytest.raises(ValueError, match="no checkpoint") as told:
            await missing
        assert isinstance(told.value, CheckpointNotFoundError)
    with pytest.raises(CheckpointValidationError):
        await manager.import_checkpoint("u", {})


async def test_the_repository(store: CheckpointStorageAdapter) -> None:
    """Four methods over a store, and their answers without one."""
    repository = CheckpointRepository(store)
    assert isinstance(repository, ICheckpointRepository)
    assert await repository.save_checkpoint("t", "w", {"at": 1}, {"n": 1})
    [record] = await repository.list_checkpoints("t")
    assert record == await repository.get_checkpoint("t", record["id"])
    assert await repository.delete_checkpoint("t", record["id"])
    nowhere = CheckpointRepository()
    assert not await nowhere.save_checkpoint("t", "w", {})
    assert await nowhere.get_checkpoint("t", "c") is None
    assert [] == await nowhere.list_checkpoints("t")
    assert not await nowhere.delete_checkpoint("t", "c")


async def test_the_old_classes_and_factories(tmp_path: Path) -> None:
    """A file keeps checkpoints, also across two stores; a wrong configuration says so."""
    path = tmp_path / "storage" / "checkpoints.db"
    first = CheckpointFactory.create_production_manager(str(path))
    id_ = await first.create_checkpoint("t", "w", {"step": 1})
    second = CheckpointStoreFactory.create_store({"checkpoint": {"db_path": str(path)}})
    assert isinstance(second, SQLiteCheckpointStore)
    assert [id_] == [record["id"] for record in await second.list_by_thread("t")]
    await second.storage.close()
    await first.close()
    with pytest.raises(CheckpointStorageError, match="is not open"):
        await first.create_checkpoint("t", "w", {"step": 2})
    memory = CheckpointFactory.create_test_manager()
    assert await memory.auto_save_checkpoint("t", "w", {}, "any") is not None
    await memory.close()
    with pytest.raises(Invalid, match="save_interval must be 1 or more"):
        CheckpointFactory.create_from_config({"save_interval": 0})
    assert ["storage_type must be one of sqlite, memory"] == CheckpointConfig(
        storage_type="redis"
    ).validate()
    config = CheckpointConfig(db_path="x")
    assert config == CheckpointConfig.from_dict({**config.to_dict(), "unknown": 1})
