"""Threads, their branches and snapshots, and the metadata store beneath them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from ..entities.threads import Thread, ThreadBranch, ThreadSnapshot


class IThreadRepository(ABC):
    """Keeps threads as entities."""

    @abstractmethod
    async def save(self, thread: Thread) -> bool:
        """Write a thread, new or not; return False where it was not written."""

    @abstractmethod
    async def find_by_id(self, thread_id: str) -> Thread | None:
        """Return a thread, or `None`."""

    @abstractmethod
    async def delete(self, thread_id: str) -> bool:
        """Remove a thread; return False where there is none."""

    @abstractmethod
    async def find_all(self, filters: dict[str, Any] | None = None) -> list[Thread]:
        """Return the threads that fulfil the filters.

        These are `status`, `graph_id`, `metadata` (equalities on its keys), `created_after` and
        `created_before` (inclusive). Other keys mean nothing.
        """

    @abstractmethod
    async def exists(self, thread_id: str) -> bool:
        """Tell whether there is such a thread."""


class IThreadBranchRepository(ABC):
    """Keeps branches."""

    @abstractmethod
    async def save(self, branch: ThreadBranch) -> bool:
        """Write a branch, new or not; return False where it was not written."""

    @abstractmethod
    async def find_by_id(self, branch_id: str) -> ThreadBranch | None:
        """Return a branch, or `None`."""

    @abstractmethod
    async def find_by_thread(self, thread_id: str) -> list[ThreadBranch]:
        """Return the branches made from a thread, oldest first."""

    @abstractmethod
    async def delete(self, branch_id: str) -> bool:
        """Remove a branch; return False where there is none."""


class IThreadSnapshotRepository(ABC):
    """Keeps snapshots."""

    @abstractmethod
    async def save(self, snapshot: ThreadSnapshot) -> bool:
        """Write a snapshot, new or not; return False where it was not written."""

    @abstractmethod
    async def find_by_id(self, snapshot_id: str) -> ThreadSnapshot | None:
        """Return a snapshot, or `None`."""

    @abstractmethod
    async def find_by_thread(self, thread_id: str) -> list[ThreadSnapshot]:
        """Return the snapshots of a thread, oldest first."""

    @abstractmethod
    async def delete(self, snapshot_id: str) -> bool:
        """Remove a snapshot; return False where there is none."""


class IThreadMetadataStore(ABC):
    """Keeps what is known of each thread as one JSON document."""

    @abstractmethod
    async def save_metadata(self, thread_id: str, metadata: dict[str, Any]) -> bool:
        """Replace the whole document; return False where it was not written."""

    @abstractmethod
    async def get_metadata(self, thread_id: str) -> dict[str, Any] | None:
        """Return the document, or `None`."""

    @abstractmethod
    async def update_metadata(self, thread_id: str, updates: dict[str, Any]) -> bool:
        """Replace the values of some keys; return False where there is no such thread."""

    @abstractmethod
    async def delete_metadata(self, thread_id: str) -> bool:
        """Remove a thread; return False where there is none."""

    @abstractmethod
    async def list_threads(self) -> list[dict[str, Any]]:
        """Return the documents of all threads that can be read."""

    @abstractmethod
    async def thread_exists(self, thread_id: str) -> bool:
        """Tell whether there is such a thread."""
