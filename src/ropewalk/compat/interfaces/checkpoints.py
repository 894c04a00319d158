"""Checkpoints: the store, the manager and the repository, and when to save one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class ICheckpointStore(ABC):
    """Keeps checkpoints as records.

    A record has `id`, `thread_id`, `workflow_id`, `state_data`, `metadata`, `created_at` and
    `updated_at`.
    """

    @abstractmethod
    async def save(self, checkpoint_data: dict[str, Any]) -> bool:
        """Write a checkpoint; return True, or raise `CheckpointError`."""

    @abstractmethod
    async def list_by_thread(self, thread_id: str) -> list[dict[str, Any]]:
        """Return the checkpoints of a thread, newest first."""

    @abstractmethod
    async def load_by_thread(
        self, thread_id: str, checkpoint_id: str | None = None
    ) -> dict[str, Any] | None:
        """Return a checkpoint of a thread, the latest where none is named, or `None`."""

    @abstractmethod
    async def delete_by_thread(self, thread_id: str, checkpoint_id: str | None = None) -> bool:
        """Remove a checkpoint of a thread, all where none is named; return whether any was there.

        Of several, those stay that a fork begins at; then the answer is False.
        """

    @abstractmethod
    async def get_latest(self, thread_id: str) -> dict[str, Any] | None:
        """Return the latest checkpoint of a thread, or `None`."""

    @abstractmethod
    async def cleanup_old_checkpoints(self, thread_id: str, max_count: int) -> int:
        """Remove all but the newest `max_count` checkpoints of a thread; return how many."""

    @abstractmethod
    async def get_checkpoints_by_workflow(
        self, thread_id: str, workflow_id: str
    ) -> list[dict[str, Any]]:
        """Return the checkpoints of a thread that a workflow made, newest first."""


class ICheckpointManager(ABC):
    """Makes checkpoints of states, and states of checkpoints."""

    @abstractmethod
    async def create_checkpoint(
        self,
        thread_id: str,
        workflow_id: str,
        state: Any,  # noqa: ANN401 (a program's state)
        metadata: dict[str, Any] | None = None,
    ) -> str:
        """Write a checkpoint and return its id; raise `CheckpointError` otherwise."""

    @abstractmethod
    async def get_checkpoint(self, thread_id: str, checkpoint_id: str) -> dict[str, Any] | None:
        """Return a checkpoint of a thread, or `None`."""

    @abstractmethod
    async def list_checkpoints(self, thread_id: str) -> list[dict[str, Any]]:
        """Return the checkpoints of a thread, newest first."""

    @abstractmethod
    async def delete_checkpoint(self, thread_id: str, checkpoint_id: str) -> bool:
        """Remove a checkpoint of a thread; return whether it was there."""

    @abstractmethod
    async def get_latest_checkpoint(self, thread_id: str) -> dict[str, Any] | None:
        """Return the latest checkpoint of a thread, or `None`."""

    @abstractmethod
    async def restore_from_checkpoint(self, thread_id: str, checkpoint_id: str) -> Any:  # noqa: ANN401 (a program's state)
        """Return the state of a checkpoint, or `None` where there is none."""

    @abstractmethod
    async def auto_save_checkpoint(
        self,
        thread_id: str,
        workflow_id: str,
        state: Any,  # noqa: ANN401 (a program's state)
        trigger_reason: str,
    ) -> str | None:
        """Write a checkpoint if the policy says so; return its id, or `None`."""

    @abstractmethod
    async def cleanup_checkpoints(self, thread_id: str, max_count: int) -> int:
        """Remove all but the newest `max_count` checkpoints of a thread; return how many."""

    @abstractmethod
    async def copy_checkpoint(
        self, source_thread_id: str, source_checkpoint_id: str, target_thread_id: str
    ) -> str:
        """Write a checkpoint again under another thread; return the id of the copy."""

    @abstractmethod
    async def export_checkpoint(self, thread_id: str, checkpoint_id: str) -> dict[str, Any]:
        """Return a checkpoint as it can be imported elsewhere."""

    @abstractmethod
    async def import_checkpoint(self, thread_id: str, checkpoint_data: dict[str, Any]) -> str:
        """Write an exported checkpoint under a thread; return its new id."""


class ICheckpointRepository(ABC):
    """Keeps states under threads, without a policy."""

    @abstractmethod
    async def save_checkpoint(
        self,
        thread_id: str,
        workflow_id: str,
        state_data: Any,  # noqa: ANN401 (a program's state)
        metadata: dict[str, Any] | None = None,
    ) -> bool:
        """Write a checkpoint; raise `CheckpointError` where it cannot be kept."""

    @abstractmethod
    async def get_checkpoint(self, thread_id: str, checkpoint_id: str) -> dict[str, Any] | None:
        """Return a checkpoint of a thread, or `None`."""

    @abstractmethod
    async def list_checkpoints(self, thread_id: str) -> list[dict[str, Any]]:
        """Return the checkpoints of a thread, newest first."""

    @abstractmethod
    async def delete_checkpoint(self, thread_id: str, checkpoint_id: str) -> bool:
        """Remove a checkpoint of a thread; return whether it was there."""


class ICheckpointPolicy(ABC):
    """Says when a state is worth a checkpoint, and what is noted beside it."""

    @abstractmethod
    def should_save_checkpoint(
        self,
        thread_id: str,
        workflow_id: str,
        state: Any,  # noqa: ANN401 (a program's state)
        context: dict[str, Any],
    ) -> bool:
        """Tell whether to save one now."""

    @abstractmethod
    def get_checkpoint_metadata(
        self,
        thread_id: str,
        workflow_id: str,
        state: Any,  # noqa: ANN401 (a program's state)
        context: dict[str, Any],
    ) -> dict[str, Any]:
        """Return the metadata of the one to be saved."""
