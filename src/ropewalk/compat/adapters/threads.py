"""`ThreadUnifiedAdapter`: threads, branches and snapshots in one unified storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...domain.legacy.shapes import THREAD_KEYS, thread_parts
from ...domain.legacy.values import as_object
from ..answers import read, wrote
from ..entities.moments import instant
from ..entities.threads import Thread, ThreadBranch, ThreadSnapshot
from ..interfaces.threads import (
    IThreadBranchRepository,
    IThreadMetadataStore,
    IThreadRepository,
    IThreadSnapshotRepository,
)
from .rows import Shelf

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from ..interfaces.unified import IUnifiedStorage, Row


class ThreadMetadataStore(IThreadMetadataStore):
    """Documents of threads; what several change at the same time is not lost."""

    def __init__(self, storage: IUnifiedStorage) -> None:
        """Keep threads in `storage`."""
        self._shelf = Shelf(storage, "thread")

    async def save_metadata(self, thread_id: str, metadata: dict[str, Any]) -> bool:
        """Replace the whole document; return False where it was not written."""
        return await wrote(self._shelf.save(thread_id, metadata), f"thread {thread_id!r}")

    async def get_metadata(self, thread_id: str) -> dict[str, Any] | None:
        """Return the document, or `None`."""
        row = await read(self._shelf.find(thread_id), f"thread {thread_id!r}", otherwise=None)
        return row["data"] if row else None

    async def update_metadata(self, thread_id: str, updates: dict[str, Any]) -> bool:
        """Replace the values of some keys; return False where there is no such thread."""

        def change(row: Row | None) -> dict[str, Any] | None:
            return {**row["data"], **updates} if row and row["data"] else None

        return await self.edit(thread_id, change)

    async def edit(
        self, thread_id: str, change: Callable[[Row | None], dict[str, Any] | None]
    ) -> bool:
        """Replace a document by what `change` makes of it; return False where nothing was done."""
        done = False

        async def work() -> None:
            nonlocal done
            done = await self._shelf.edit(thread_id, change)

        return await wrote(work(), f"thread {thread_id!r}") and done

    async def delete_metadata(self, thread_id: str) -> bool:
        """Remove a thread with everything on it; return False where there is none, or it has forks.

        What a fork continues must stay.
        """
        return await removed(self._shelf.remove(thread_id), f"thread {thread_id!r}")

    async def list_threads(self) -> list[dict[str, Any]]:
        """Return the documents of all threads that can be read."""
        return [row["data"] for row in await self._shelf.all()]

    async def thread_exists(self, thread_id: str) -> bool:
        """Tell whether there is such a thread."""
        return await read(self._shelf.count(id=thread_id), f"thread {thread_id!r}", otherwise=0) > 0


async def removed(work: Awaitable[bool], what: str) -> bool:
    """Return whether something was there and is gone."""
    found = False

    async def waited() -> None:
        nonlocal found
        found = await work

    return await wrote(waited(), what) and found


class ThreadRepository(IThreadRepository):
    """Threads as entities over their documents, of which nothing is lost on the way."""

    def __init__(self, metadata_store: IThreadMetadataStore) -> None:
        """Keep threads in the documents of `metadata_store`."""
        self._store = metadata_store

    async def save(self, thread: Thread) -> bool:
        """Write a thread, new or not; return False where it was not written.

        What stood at the top of its document stays there.
        """
        store = self._store
        if isinstance(store, ThreadMetadataStore):
            return await store.edit(
                thread.thread_id, lambda row: document_of(thread, row["data"] if row else {})
            )
        old = await store.get_metadata(thread.thread_id)
        return await store.save_metadata(thread.thread_id, document_of(thread, old or {}))

    async def find_by_id(self, thread_id: str) -> Thread | None:
        """Return a thread, or `None`."""
        document = await self._store.get_metadata(thread_id)
        return None if document is None else thread_of(document, thread_id)

    async def delete(self, thread_id: str) -> bool:
        """Remove a thread; return False where there is none."""
        return await self._store.delete_metadata(thread_id)

    async def find_all(self, filters: dict[str, Any] | None = None) -> list[Thread]:
        """Return the threads that fulfil the filters; a document that is none is left out."""
        found = (thread_of(each, None) for each in await self._store.list_threads())
        return [thread for thread in found if thread and _fulfils(thread, filters or {})]

    async def exists(self, thread_id: str) -> bool:
        """Tell whether there is such a thread."""
        return await self._store.thread_exists(thread_id)


def document_of(thread: Thread, old: dict[str, Any]) -> dict[str, Any]:
    """Return the document of a thread, each part of its metadata where it stood before."""
    inner = as_object(old.get("metadata")) or {}
    top = old.keys() - THREAD_KEYS - {"metadata"}
    spread = {
        name: old[name] if name in inner else thread.metadata[name]
        for name in top
        if name in inner or name in thread.metadata
    }
    own = {
        name: value for name, value in thread.metadata.items() if name in inner or name not in top
    }
    return {**spread, **thread.to_dict(), "metadata": own}


def thread_of(document: dict[str, Any], thread_id: str | None) -> Thread | None:
    """Return the thread that a document describes, in either shape; `None` where it is no thread.

    Whatever in it says nothing of the thread itself is metadata.
    """
    known, metadata, _ = thread_parts(document)
    known.setdefault("thread_id", thread_id)
    if not isinstance(known.get("created_at"), str):
        return None
    try:
        return Thread.from_dict({**known, "metadata": metadata})
    except ValueError:  # a time that cannot be read: not a thread
        return None


def _fulfils(thread: Thread, filters: dict[str, Any]) -> bool:
    after: datetime | None = filters.get("created_after")
    before: datetime | None = filters.get("created_before")
    created = instant(thread.created_at)
    return (
        filters.get("status", thread.status) == thread.status
        and filters.get("graph_id", thread.graph_id) == thread.graph_id
        and all(
            name in thread.metadata and thread.metadata[name] == value
            for name, value in filters.get("metadata", {}).items()
        )
        and (after is None or created >= instant(after))
        and (before is None or created <= instant(before))
    )


class ThreadBranchRepository(IThreadBranchRepository):
    """Branches in a unified storage."""

    def __init__(self, storage: IUnifiedStorage) -> None:
        """Keep branches in `storage`."""
        self._shelf = Shelf(storage, "thread_branch")

    async def save(self, branch: ThreadBranch) -> bool:
        """Write a branch, new or not; return False where it was not written."""
        saved = self._shelf.save(
            branch.branch_id, branch.to_dict(), thread_id=branch.source_thread_id
        )
        return await wrote(saved, f"branch {branch.branch_id!r}")

    async def find_by_id(self, branch_id: str) -> ThreadBranch | None:
        """Return a branch, or `None`."""
        row = await read(self._shelf.find(branch_id), f"branch {branch_id!r}", otherwise=None)
        return ThreadBranch.from_dict(row["data"]) if row else None

    async def find_by_thread(self, thread_id: str) -> list[ThreadBranch]:
        """Return the branches made from a thread, oldest first."""
        rows = await self._shelf.all(thread_id=thread_id)
        return [ThreadBranch.from_dict(row["data"]) for row in rows]

    async def delete(self, branch_id: str) -> bool:
        """Remove a branch; return False where there is none."""
        return await removed(self._shelf.remove(branch_id), f"branch {branch_id!r}")


class ThreadSnapshotRepository(IThreadSnapshotRepository):
    """Snapshots in a unified storage."""

    def __init__(self, storage: IUnifiedStorage) -> None:
        """Keep snapshots in `storage`."""
        self._shelf = Shelf(storage, "thread_snapshot")

    async def save(self, snapshot: ThreadSnapshot) -> bool:
        """Write a snapshot, new or not; return False where it was not written."""
        saved = self._shelf.save(
            snapshot.snapshot_id, snapshot.to_dict(), thread_id=snapshot.thread_id
        )
        return await wrote(saved, f"snapshot {snapshot.snapshot_id!r}")

    async def find_by_id(self, snapshot_id: str) -> ThreadSnapshot | None:
        """Return a snapshot, or `None`."""
        row = await read(self._shelf.find(snapshot_id), f"snapshot {snapshot_id!r}", otherwise=None)
        return ThreadSnapshot.from_dict(row["data"]) if row else None

    async def find_by_thread(self, thread_id: str) -> list[ThreadSnapshot]:
        """Return the snapshots of a thread, oldest first."""
        rows = await self._shelf.all(thread_id=thread_id)
        return [ThreadSnapshot.from_dict(row["data"]) for row in rows]

    async def delete(self, snapshot_id: str) -> bool:
        """Remove a snapshot; return False where there is none."""
        return await removed(self._shelf.remove(snapshot_id), f"snapshot {snapshot_id!r}")


class ThreadUnifiedAdapter(ThreadRepository):
    """The thread repository; `branches` and `snapshots` are the other two.

    The three share the names of their methods, so that no class can be all of them.
    """

    def __init__(self, storage: IUnifiedStorage) -> None:
        """Keep all three in `storage`."""
        self.metadata = ThreadMetadataStore(storage)
        super().__init__(self.metadata)
        self.branches = ThreadBranchRepository(storage)
        self.snapshots = ThreadSnapshotRepository(storage)

    async def save_branch(self, branch: ThreadBranch) -> bool:
        """Write a branch, new or not; return False where it was not written."""
        return await self.branches.save(branch)

    async def find_branch(self, branch_id: str) -> ThreadBranch | None:
        """Return a branch, or `None`."""
        return await self.branches.find_by_id(branch_id)

    async def find_branches(self, thread_id: str) -> list[ThreadBranch]:
        """Return the branches made from a thread, oldest first."""
        return await self.branches.find_by_thread(thread_id)

    async def delete_branch(self, branch_id: str) -> bool:
        """Remove a branch; return False where there is none."""
        return await self.branches.delete(branch_id)

    async def save_snapshot(self, snapshot: ThreadSnapshot) -> bool:
        """Write a snapshot, new or not; return False where it was not written."""
        return await self.snapshots.save(snapshot)

    async def find_snapshot(self, snapshot_id: str) -> ThreadSnapshot | None:
        """Return a snapshot, or `None`."""
        return await self.snapshots.find_by_id(snapshot_id)

    async def find_snapshots(self, thread_id: str) -> list[ThreadSnapshot]:
        """Return the snapshots of a thread, oldest first."""
        return await self.snapshots.find_by_thread(thread_id)

    async def delete_snapshot(self, snapshot_id: str) -> bool:
        """Remove a snapshot; return False where there is none."""
        return await self.snapshots.delete(snapshot_id)
