"""The repositories of threads, branches and snapshots, and the metadata store, method by method."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ropewalk.compat import (
    FileThreadMetadataStore,
    IThreadBranchRepository,
    IThreadRepository,
    IThreadSnapshotRepository,
    MemoryThreadMetadataStore,
    Thread,
    ThreadBranch,
    ThreadMetadataStore,
    ThreadRepository,
    ThreadSnapshot,
    ThreadUnifiedAdapter,
    UnifiedStorage,
)

pytestmark = pytest.mark.seed("7.2")

NOON = datetime(2025, 11, 10, 12, 0, 0, 1)


def thread(id: str = "thread_1", **changes: object) -> Thread:
    """Return a thread as the legacy program makes them."""
    made = Thread(id, "graph", "active", NOON, NOON, {"session_id": "session_1", "title": "Rome"})
    for name, value in changes.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def adapter(unified: UnifiedStorage) -> ThreadUnifiedAdapter:
    """Return the three repositories over one storage."""
    return ThreadUnifiedAdapter(unified)


def test_entities_are_what_they_were() -> None:
    """Mutable, with times read from texts, and a last change that moves."""
    made = Thread("t", "g", created_at="2025-11-10T12:00:00", metadata={"a": 1})  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert datetime(2025, 11, 10, 12) == made.created_at
    assert made.is_active()
    before = made.updated_at
    made.update_status("error")
    made.update_metadata({"b": 2})
    assert ("error", {"a": 1, "b": 2}, True) == (made.status, made.metadata, made.is_error())
    assert before <= made.updated_at
    assert made == Thread.from_dict(made.to_dict())


async def test_a_thread_comes_back_as_it_was(adapter: ThreadUnifiedAdapter) -> None:
    """`save` (new or not), `find_by_id`, `exists`, `delete`."""
    assert isinstance(adapter, IThreadRepository)
    assert await adapter.find_by_id("thread_1") is None
    assert not await adapter.exists("thread_1")
    assert await adapter.save(thread())
    assert thread() == await adapter.find_by_id("thread_1")
    changed = thread(status="of our own", metadata={"n": [1, {"x": None}]})
    assert await adapter.save(changed)
    assert changed == await adapter.find_by_id("thread_1")
    assert await adapter.exists("thread_1")
    assert await adapter.delete("thread_1")
    assert not await adapter.delete("thread_1")
    assert await adapter.find_by_id("thread_1") is None


async def test_what_cannot_be_kept_is_answered_with_false(adapter: ThreadUnifiedAdapter) -> None:
    """A thread whose metadata are no JSON is not written, and no error is raised."""
    assert not await adapter.save(thread(metadata={"lock": asyncio.Lock()}))
    assert not await adapter.exists("thread_1")
    assert not await adapter.save(thread(""))


async def test_threads_are_found_by_filters(adapter: ThreadUnifiedAdapter) -> None:
    """`find_all`: equalities, inclusive bounds, and keys that mean nothing."""
    for number, status in enumerate(("active", "error", "active")):
        made = thread(f"t{number}", status=status, created_at=NOON + timedelta(hours=number))
        made.graph_id = "other" if number == 2 else "graph"
        made.metadata = {"n": number}
        await adapter.save(made)

    async def found(**filters: object) -> list[str]:
        return sorted(each.thread_id for each in await adapter.find_all(filters))

    assert ["t0", "t1", "t2"] == await found()
    assert ["t0", "t2"] == await found(status="active")
    assert ["t0", "t1"] == await found(graph_id="graph")
    assert ["t1"] == await found(metadata={"n": 1})
    assert ["t1", "t2"] == await found(created_after=NOON + timedelta(hours=1))
    assert ["t0", "t1"] == await found(created_before=(NOON + timedelta(hours=1)).astimezone())
    assert ["t0", "t1", "t2"] == await found(unheard_of=1)


async def test_one_odd_document_hides_no_others(adapter: ThreadUnifiedAdapter) -> None:
    """A document without a time is no thread; `find_all` returns the others."""
    await adapter.save(thread())
    assert await adapter.metadata.save_metadata("odd", {"anything": 1})
    assert ["thread_1"] == [each.thread_id for each in await adapter.find_all()]
    assert await adapter.find_by_id("odd") is None
    assert {"anything": 1} == await adapter.metadata.get_metadata("odd")


async def test_documents_of_threads(adapter: ThreadUnifiedAdapter) -> None:
    """`IThreadMetadataStore`: replace, read, merge at the top, list, remove."""
    store = adapter.metadata
    flat = {"thread_id": "t", "graph_id": "g", "created_at": "2025-11-10T12:00:00", "own": {"a": 1}}
    assert await store.save_metadata("t", flat)
    assert flat == await store.get_metadata("t")
    assert await store.update_metadata("t", {"own": {"b": 2}, "total_steps": 1})
    merged = {**flat, "own": {"b": 2}, "total_steps": 1}
    assert merged == await store.get_metadata("t")
    assert [merged] == await store.list_threads()
    assert await store.thread_exists("t")
    assert not await store.update_metadata("nobody", {"a": 1})
    assert await store.get_metadata("nobody") is None
    assert await store.delete_metadata("t")
    assert not await store.delete_metadata("t")
    assert not await store.thread_exists("t")
    assert [] == await store.list_threads()


async def test_neither_door_loses_what_the_other_wrote(adapter: ThreadUnifiedAdapter) -> None:
    """Keys at the top of a document outlive a change through the repository, and stay there."""
    await adapter.save(thread())
    await adapter.metadata.save_metadata(
        "thread_1", {**thread().to_dict(), "metadata": {"a": 1}, "last_snapshot": "s", "n": 0}
    )
    found = await adapter.find_by_id("thread_1")
    assert found is not None
    assert {"a": 1, "last_snapshot": "s", "n": 0} == found.metadata
    found.update_status("completed")
    found.update_metadata({"n": 1, "b": 2})
    assert await adapter.save(found)
    document = await adapter.metadata.get_metadata("thread_1")
    assert document is not None
    assert ("s", 1, "completed") == (document["last_snapshot"], document["n"], document["status"])
    assert {"a": 1, "b": 2} == document["metadata"]


async def test_concurrent_updates_of_one_document_all_arrive(
    adapter: ThreadUnifiedAdapter,
) -> None:
    """Twelve at once merge a key each, and every key is there."""
    await adapter.metadata.save_metadata("t", {"thread_id": "t"})
    store = adapter.metadata
    done = await asyncio.gather(*(store.update_metadata("t", {f"k{n}": n}) for n in range(12)))
    assert [True] * 12 == done
    document = await store.get_metadata("t") or {}
    assert {f"k{n}": n for n in range(12)} == {k: v for k, v in document.items() if k[0] == "k"}


async def test_branches(adapter: ThreadUnifiedAdapter) -> None:
    """`IThreadBranchRepository`: by id, by source thread in their order, replaced and removed."""
    assert isinstance(adapter.branches, IThreadBranchRepository)
    made = [
        ThreadBranch(f"b{n}", "t", f"dangling-{n}", f"name {n}", NOON + timedelta(n), {"n": n})
        for n in range(2)
    ]
    for branch in made:
        assert await adapter.branches.save(branch)
    assert made[0] == await adapter.branches.find_by_id("b0")
    assert made == await adapter.branches.find_by_thread("t")
    made[1].status, made[1].source_thread_id = "abandoned by us", "other"
    assert await adapter.save_branch(made[1])
    assert [made[1]] == await adapter.find_branches("other")
    assert [made[0]] == await adapter.find_branches("t")
    assert await adapter.branches.delete("b0")
    assert not await adapter.branches.delete("b0")
    assert await adapter.find_branch("b0") is None
    assert await adapter.delete_branch("b1")
    assert not await adapter.save_branch(ThreadBranch("", "t", "c", "n"))


async def test_snapshots(adapter: ThreadUnifiedAdapter) -> None:
    """`IThreadSnapshotRepository`: by id, by thread in their order, replaced and removed."""
    assert isinstance(adapter.snapshots, IThreadSnapshotRepository)
    made = [
        ThreadSnapshot(f"s{n}", "t", "name", None, ["gone", "too"], NOON + timedelta(n), {"n": n})
        for n in range(2)
    ]
    for snapshot in made:
        assert await adapter.snapshots.save(snapshot)
    assert made[1] == await adapter.snapshots.find_by_id("s1")
    assert made == await adapter.snapshots.find_by_thread("t")
    made[0].description, made[0].checkpoint_ids = "text", []
    assert await adapter.save_snapshot(made[0])
    assert made[0] == await adapter.find_snapshot("s0")
    assert await adapter.snapshots.delete("s0")
    assert not await adapter.snapshots.delete("s0")
    assert made[1:] == await adapter.find_snapshots("t")
    assert await adapter.delete_snapshot("s1")
    assert not await adapter.save_snapshot(ThreadSnapshot("", "t", "n"))


async def test_the_house_knows_threads_branches_and_snapshots(
    adapter: ThreadUnifiedAdapter, unified: UnifiedStorage
) -> None:
    """What old programs write are threads of their session, with branches and snapshots."""
    await adapter.save(thread())
    await adapter.save_branch(ThreadBranch("b", "thread_1", "c", "what if", NOON))
    await adapter.save_snapshot(ThreadSnapshot("s", "thread_1", "before", None, [], NOON))
    storage = unified.storage
    found = await storage.threads.get("thread_1")
    assert ("session_1", "Rome", "graph") == (found.session_id, found.title, found.graph_id)
    assert ["what if"] == [each.name for each in await storage.threads.branches("thread_1")]
    assert ["before"] == [each.name for each in await storage.threads.snapshots("thread_1")]


async def test_threads_of_the_house_are_documents(
    adapter: ThreadUnifiedAdapter, unified: UnifiedStorage
) -> None:
    """Old programs see threads, forks and snapshots that new ones make; a fork keeps its source."""
    threads = unified.storage.threads
    made = await threads.create(title="Rome", graph_id="g", metadata={"n": 1})
    fork = await threads.fork(made.id, name="b")
    await threads.snapshot(made.id, "here")
    found = await adapter.find_by_id(made.id)
    assert found is not None
    assert ("g", {"n": 1, "title": "Rome"}) == (found.graph_id, found.metadata)
    [branch] = await adapter.find_branches(made.id)
    assert ("b", made.id) == (branch.branch_name, branch.source_thread_id)
    assert ["here"] == [each.snapshot_name for each in await adapter.find_snapshots(made.id)]
    assert not await adapter.delete(made.id)
    assert await adapter.delete(fork.id)
    assert await adapter.delete(made.id)


async def test_the_old_classes(tmp_path: Path) -> None:
    """A file store keeps threads in its folder; the repository takes any metadata store."""
    for store in (FileThreadMetadataStore(tmp_path), MemoryThreadMetadataStore()):
        assert isinstance(store, ThreadMetadataStore)
        repository = ThreadRepository(store)
        assert await repository.save(thread())
        assert [thread()] == await repository.find_all({"metadata": {"title": "Rome"}})
        await store.storage.close()
    again = FileThreadMetadataStore(tmp_path)
    assert await again.thread_exists("thread_1")
    await again.storage.close()
