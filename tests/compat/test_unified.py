"""`IUnifiedStorage` and `IStorageFactory`: the nine verbs over every type, and the makers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ropewalk.compat import (
    IStorageFactory,
    IUnifiedStorage,
    StorageConnectionError,
    StorageData,
    StorageError,
    StorageFactory,
    StorageNotFoundError,
    StorageTransactionError,
    StorageValidationError,
    UnifiedStorage,
)

pytestmark = pytest.mark.seed("1.1", "1.3", "7.2")

TYPES: dict[str, dict[str, Any]] = {
    "session": {"context": {"user_id": "ada"}, "interactions": []},
    "thread": {"thread_id": "t", "graph_id": "g", "own": 1},
    "thread_branch": {"branch_id": "b", "source_thread_id": "t", "branch_name": "n"},
    "thread_snapshot": {"snapshot_id": "s", "thread_id": "t", "checkpoint_ids": []},
    "message": {"record_id": "m", "content": "hi", "timestamp": "2025-11-10T12:00:00"},
    "note": {"anything": [1, {"deep": None}]},
}


@pytest.mark.parametrize("type", TYPES)
async def test_a_row_of_every_type(unified: UnifiedStorage, type: str) -> None:
    """`save`, `load`, `exists`, `list`, `count`: what is in `data` comes back as it was."""
    assert isinstance(unified, IUnifiedStorage)
    row = {"id": "x", "type": type, "session_id": "s", "data": TYPES[type]}
    assert "x" == await unified.save(row)
    found = await unified.load("x")
    assert found is not None
    assert (type, TYPES[type]) == (found["type"], found["data"])
    assert found == await unified.load("x", type=type)
    assert await unified.exists("x")
    assert [found] == await unified.list({"type": type})
    assert [found] == await unified.list({"type": type, "id": "x"}, limit=1)
    assert [found] == await unified.list({})
    assert [] == await unified.list({"type": type}, limit=0)
    assert 1 == await unified.count({"type": type})
    assert 0 == await unified.count({"type": type, "id": "y"})
    assert datetime.now(UTC) >= found["created_at"]
    assert await unified.load("y") is None
    assert not await unified.exists("y")


@pytest.mark.parametrize("type", [type for type in TYPES if type != "message"])
async def test_rows_are_merged_and_removed(unified: UnifiedStorage, type: str) -> None:
    """`update` at any depth, `delete`; False where there is nothing."""
    await unified.save({"id": "x", "type": type, "data": {**TYPES[type], "a": {"b": 1, "c": 2}}})
    assert await unified.update("x", {"data": {"a": {"b": 3}}})
    found = await unified.load("x")
    assert found is not None
    assert {**TYPES[type], "a": {"b": 3, "c": 2}} == found["data"]
    assert await unified.delete("x")
    assert not await unified.delete("x")
    assert not await unified.update("x", {"data": {}})


async def test_what_happened_is_not_unwritten(unified: UnifiedStorage) -> None:
    """Records of the history are neither changed nor deleted, nor overwritten."""
    row = {"id": "m", "type": "message", "session_id": "s", "data": TYPES["message"]}
    ids = [await unified.save(row) for _ in range(2)]
    assert ["m", "m~2"] == ids
    for refused in (unified.update("m", {"data": {"content": "x"}}), unified.delete("m")):
        with pytest.raises(StorageValidationError, match="append-only"):
            await refused
    assert 2 == await unified.count({"type": "message", "session_id": "s"})


async def test_filters_look_into_documents(unified: UnifiedStorage) -> None:
    """The operators of plain records hold for documents; unknown keys and operators are refused."""
    for n in range(4):
        data: dict[str, Any] = {"context": {"n": n, "name": f"a{n}"}, "interactions": []}
        await unified.save({"id": f"s{n}", "type": "session", "data": data})

    async def ids(**filters: Any) -> list[str]:  # noqa: ANN401 (values of filters)
        given = {name.replace("__", "."): value for name, value in filters.items()}
        return [row["id"] for row in await unified.list({"type": "session", **given})]

    assert ["s2"] == await ids(data__context__n=2)
    assert ["s2", "s3"] == await ids(data__context__n={"$gt": 1})
    assert ["s1", "s2"] == await ids(data__context__n={"$gte": 1, "$lt": 3})
    assert ["s0", "s3"] == await ids(data__context__n={"$in": [0, 3, "x"]})
    assert ["s1"] == await ids(data__context__n={"$nin": [0, 2, 3]})
    assert ["s0", "s1", "s2"] == await ids(data__context__n={"$ne": 3, "$lte": 5})
    assert [] == await ids(data__context__name={"$gt": 1})
    assert ["s1"] == await ids(data__context__name={"$prefix": "a1"})
    assert 4 == len(await ids(data__nothing={"$exists": False}))
    for wrong in ({"content": 1}, {"data.context.n": {"$like": 1}}, {"data.n": {"$in": 1}}):
        with pytest.raises(StorageValidationError):
            await unified.list({"type": "session", **wrong})
    assert 3 == await unified.count({"type": "session", "data.context.n": {"$gt": 0}})


async def test_queries(unified: UnifiedStorage) -> None:
    """`query` answers a SELECT over one type."""
    for n in range(3):
        await unified.save({"id": f"n{n}", "type": "note", "data": {"n": n}})
    rows = await unified.query("SELECT id FROM note WHERE data.n > :n ORDER BY id", {"n": 0})
    assert ["n1", "n2"] == [row["id"] for row in rows]


async def test_all_operations_or_none(unified: UnifiedStorage) -> None:
    """`transaction` over several modules: the last one fails, and nothing has happened."""
    thread = {"id": "t", "type": "thread", "data": TYPES["thread"]}
    note = {"op": "save", "type": "note", "id": "n", "data": {"data": {"a": 1}}}
    assert await unified.transaction([{"type": "save", "data": thread}, note])
    with pytest.raises(StorageNotFoundError):
        await unified.transaction(
            [
                {"op": "delete", "type": "thread", "id": "t"},
                {"op": "update", "type": "note", "id": "n", "data": {"data": {"a": 2}}},
                {"op": "update", "type": "note", "id": "missing", "data": {}},
            ]
        )
    assert await unified.exists("t")
    stale = {**note, "expected_version": 7}
    with pytest.raises(StorageTransactionError):
        await unified.transaction([stale])
    session = {"op": "save", "type": "session", "id": "s", "data": {"data": TYPES["session"]}}
    assert await unified.transaction([{**session, "expected_version": 0}])
    with pytest.raises(StorageTransactionError, match="version 1"):
        await unified.transaction([{**session, "expected_version": 0}])
    with pytest.raises(StorageValidationError, match="operation 0"):
        await unified.transaction([{"op": "upsert", "id": "n"}])
    assert 1 == ((await unified.load("n")) or {})["data"]["a"]


async def test_updates_at_the_same_time_all_arrive(unified: UnifiedStorage) -> None:
    """Eight merges into one thread: every key is there."""
    await unified.save({"id": "t", "type": "thread", "data": TYPES["thread"]})
    await asyncio.gather(*(unified.update("t", {"data": {f"k{n}": n}}) for n in range(8)))
    found = await unified.load("t")
    assert found is not None
    assert {f"k{n}" for n in range(8)} <= found["data"].keys()


async def test_what_pydantic_checked_can_be_saved(unified: UnifiedStorage) -> None:
    """`StorageData` goes in and comes out."""
    moment = datetime(2025, 11, 10, 12, tzinfo=UTC)
    data = StorageData(id="n", type="note", data={"a": 1}, created_at=moment, updated_at=moment)
    await unified.save(data)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    found = await unified.load("n")
    assert found is not None
    assert data.model_copy(update={"metadata": {}}) == StorageData(**found)
    noon = datetime(2025, 11, 10, 12)
    naive: dict[str, Any] = {"id": "m", "type": "note", "data": {}, "created_at": noon}
    await unified.save(naive)
    assert noon.astimezone() == (await unified.load("m") or {})["created_at"]


async def test_wrong_rows_are_refused_by_name(unified: UnifiedStorage) -> None:
    """Each with the field that is wrong, in the one family of errors."""
    wrong: list[tuple[Any, str]] = [
        ({"id": "", "type": "session", "data": {}}, "id"),
        ({"id": "x", "data": {}}, "type"),
        ({"id": "x", "type": "session", "data": {"a": {1}}}, "session"),
        ({"id": "x", "type": "checkpoint", "thread_id": "t", "workflow_id": "w"}, "state"),
        ({"id": "x", "type": "thread_branch", "data": {}}, "source_thread_id"),
        ([], "dict"),
    ]
    for row, said in wrong:
        with pytest.raises(StorageValidationError, match=said):
            await unified.save(row)
    for kind in (
        StorageConnectionError,
        StorageTransactionError,
        StorageValidationError,
        StorageNotFoundError,
    ):
        assert issubclass(kind, StorageError)


class Borrowed(UnifiedStorage):
    """A storage of somebody else's, with settings of its own."""

    def __init__(self, *, inner: UnifiedStorage, size: int) -> None:
        """Work on another one."""
        super().__init__(inner.storage)
        self.size = size


@pytest.mark.seed("9.1", "9.5")
async def test_storages_are_made_by_name(tmp_path: Path) -> None:
    """`create_storage`, `register_storage`, `get_available_types`."""
    factory = StorageFactory()
    assert isinstance(factory, IStorageFactory)
    assert {"memory", "sqlite", "file"} <= set(factory.get_available_types())
    right: dict[str, dict[str, Any]] = {
        "memory": {},
        "sqlite": {"path": str(tmp_path / "a b" / "x.db")},
        "file": {"path": str(tmp_path / "files"), "space": "mine"},
    }
    for type, config in right.items():
        storage = factory.create_storage(type, config)
        assert isinstance(storage, UnifiedStorage)
        async with storage:
            await storage.save({"id": "n", "type": "note", "data": {"a": 1}})
            assert await storage.exists("n")
    factory.register_storage("borrowed", Borrowed)
    assert "borrowed" in factory.get_available_types()
    inner = factory.create_storage("memory", {})
    borrowed = factory.create_storage("borrowed", {"inner": inner, "size": 3})
    assert isinstance(borrowed, Borrowed)
    assert 3 == borrowed.size
    await borrowed.close()
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("sqlit", {}, "sqlite"),
        ("sqlite", {}, "path"),
        ("memory", {"pth": "x"}, "path"),
    ]
    for type, config, said in wrong:
        with pytest.raises(StorageValidationError, match=said):
            factory.create_storage(type, config)
    with pytest.raises(StorageValidationError, match="IUnifiedStorage"):
        factory.register_storage("wrong", dict)
