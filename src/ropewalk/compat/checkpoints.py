"""`CheckpointManager` and `CheckpointRepository`, and the old classes that keep checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from ..domain.errors import Invalid
from .adapters.checkpoints import CheckpointStorageAdapter, Serializer
from .answers import wrote
from .entities.checkpoints import CheckpointConfig
from .entities.plain import plain
from .errors import (
    CheckpointNotFoundError,
    CheckpointValidationError,
    as_checkpoint_error,
)
from .interfaces.checkpoints import (
    ICheckpointManager,
    ICheckpointPolicy,
    ICheckpointRepository,
    ICheckpointStore,
)
from .opening import opened_file, opened_in_memory
from .policies import DefaultCheckpointPolicy

DEFAULT_PATH: Final = "storage/checkpoints.db"
"""Where the old store had its database."""


class SQLiteCheckpointStore(CheckpointStorageAdapter):
    """Checkpoints in a file; one that another program wrote is refused, not changed."""

    def __init__(
        self,
        sqlite_path: str | Path | None = None,
        serializer: Serializer | None = None,
        *,
        max_checkpoints_per_thread: int = 1000,
    ) -> None:
        """Open the store in `sqlite_path`, by default `storage/checkpoints.db`."""
        self.storage = opened_file(sqlite_path or DEFAULT_PATH)
        super().__init__(
            self.storage, serializer, max_checkpoints_per_thread=max_checkpoints_per_thread
        )


class MemoryCheckpointStore(CheckpointStorageAdapter):
    """Checkpoints that are gone at the end of the process."""

    def __init__(
        self, serializer: Serializer | None = None, *, max_checkpoints_per_thread: int = 1000
    ) -> None:
        """Open a store of its own."""
        self.storage = opened_in_memory()
        super().__init__(
            self.storage, serializer, max_checkpoints_per_thread=max_checkpoints_per_thread
        )


class CheckpointManager(ICheckpointManager):
    """Makes checkpoints in a store: states as JSON, each under the id that is returned."""

    def __init__(
        self,
        checkpoint_store: ICheckpointStore,
        config: CheckpointConfig,
        policy: ICheckpointPolicy | None = None,
    ) -> None:
        """Write into `checkpoint_store` when `policy`, or else `config`, says so."""
        self._store = checkpoint_store
        self._config = config
        self._policy = policy or DefaultCheckpointPolicy(config)

    async def close(self) -> None:
        """Close the file or the memory that a factory opened; any other store stays as it is."""
        if isinstance(self._store, SQLiteCheckpointStore | MemoryCheckpointStore):
            await self._store.storage.close()

    async def create_checkpoint(
        self,
        thread_id: str,
        workflow_id: str,
        state: Any,  # noqa: ANN401 (a program's state)
        metadata: dict[str, Any] | None = None,
    ) -> str:
        """Write a checkpoint and return its id; raise `CheckpointError` otherwise."""
        return await self._create(
            f"checkpoint_{uuid4().hex}", thread_id, workflow_id, state, metadata
        )

    async def _create(
        self,
        id_: str,
        thread_id: str,
        workflow_id: str,
        state: Any,  # noqa: ANN401 (a program's state)
        metadata: dict[str, Any] | None,
    ) -> str:
        data = {
            "id": id_,
            "thread_id": thread_id,
            "workflow_id": workflow_id,
            "state_data": _as_json(state),
            "metadata": _as_json(metadata or {}),
        }
        await self._store.save(data)
        return id_

    async def get_checkpoint(self, thread_id: str, checkpoint_id: str) -> dict[str, Any] | None:
        """Return a checkpoint of a thread, or `None`."""
        return await self._store.load_by_thread(thread_id, checkpoint_id)

    async def list_checkpoints(self, thread_id: str) -> list[dict[str, Any]]:
        """Return the checkpoints of a thread, newest first."""
        return await self._store.list_by_thread(thread_id)

    async def delete_checkpoint(self, thread_id: str, checkpoint_id: str) -> bool:
        """Remove a checkpoint of a thread; return whether it was there."""
        return await self._store.delete_by_thread(thread_id, checkpoint_id)

    async def get_latest_checkpoint(self, thread_id: str) -> dict[str, Any] | None:
        """Return the latest checkpoint of a thread, or `None`."""
        return await self._store.get_latest(thread_id)

    async def restore_from_checkpoint(self, thread_id: str, checkpoint_id: str) -> Any:  # noqa: ANN401 (a program's state)
        """Return the state of a checkpoint, or `None` where there is none."""
        record = await self.get_checkpoint(thread_id, checkpoint_id)
        return None if record is None else record["state_data"]

    async def auto_save_checkpoint(
        self,
        thread_id: str,
        workflow_id: str,
        state: Any,  # noqa: ANN401 (a program's state)
        trigger_reason: str,
    ) -> str | None:
        """Write a checkpoint if the policy says so; return its id, or `None`.

        Then the oldest beyond `max_checkpoints` make room. A checkpoint that cannot be written is
        logged: the workflow goes on.
        """
        context = {"trigger_reason": trigger_reason}
        if not self._policy.should_save_checkpoint(thread_id, workflow_id, state, context):
            return None
        said = self._policy.get_checkpoint_metadata(thread_id, workflow_id, state, context)
        id_ = str(said.get("checkpoint_id") or uuid4())
        made = self._create(id_, thread_id, workflow_id, state, said)
        if not await wrote(made, f"a checkpoint of thread {thread_id!r}"):
            return None
        await self.cleanup_checkpoints(thread_id, self._config.max_checkpoints)
        return id_

    async def cleanup_checkpoints(self, thread_id: str, max_count: int) -> int:
        """Remove all but the newest `max_count` checkpoints of a thread; return how many."""
        return await self._store.cleanup_old_checkpoints(thread_id, max_count)

    async def copy_checkpoint(
        self, source_thread_id: str, source_checkpoint_id: str, target_thread_id: str
    ) -> str:
        """Write a checkpoint again under another thread; return the id of the copy.

        Raises `CheckpointNotFoundError`, which is a `ValueError`, where there is none.
        """
        record = await self.export_checkpoint(source_thread_id, source_checkpoint_id)
        return await self.import_checkpoint(target_thread_id, record)

    async def export_checkpoint(self, thread_id: str, checkpoint_id: str) -> dict[str, Any]:
        """Return a checkpoint as it can be imported elsewhere; raise `CheckpointNotFoundError`."""
        record = await self.get_checkpoint(thread_id, checkpoint_id)
        if record is None:
            message = f"thread {thread_id!r} has no checkpoint {checkpoint_id!r}; list them"
            raise CheckpointNotFoundError(message, id=checkpoint_id, thread_id=thread_id)
        return record

    async def import_checkpoint(self, thread_id: str, checkpoint_data: dict[str, Any]) -> str:
        """Write an exported checkpoint as the latest of a thread; return its new id."""
        if "state_data" not in checkpoint_data:
            message = "what is imported has no state_data; export a checkpoint to get one"
            raise CheckpointValidationError(message, code="missing", field="state_data")
        metadata = dict(checkpoint_data.get("metadata") or {})
        workflow = checkpoint_data.get("workflow_id") or metadata.get("workflow_id") or "unknown"
        state = checkpoint_data["state_data"]
        return await self.create_checkpoint(thread_id, workflow, state, metadata)

    async def get_checkpoints_by_workflow(
        self, thread_id: str, workflow_id: str
    ) -> list[dict[str, Any]]:
        """Return the checkpoints of a thread that a workflow made, newest first."""
        return await self._store.get_checkpoints_by_workflow(thread_id, workflow_id)

    async def get_checkpoint_count(self, thread_id: str) -> int:
        """Count the checkpoints of a thread."""
        store = self._store
        if isinstance(store, CheckpointStorageAdapter):
            return await store.get_checkpoint_count(thread_id)
        return len(await store.list_by_thread(thread_id))


def _as_json(value: Any) -> Any:  # noqa: ANN401 (a program's state)
    try:
        return plain(value)
    except Invalid as error:
        raise as_checkpoint_error(error) from error


class CheckpointRepository(ICheckpointRepository):
    """States under threads; without a store nothing is kept, and every answer says so."""

    def __init__(self, checkpoint_store: ICheckpointStore | None = None) -> None:
        """Keep states in `checkpoint_store`."""
        self._store = checkpoint_store

    async def save_checkpoint(
        self,
        thread_id: str,
        workflow_id: str,
        state_data: Any,  # noqa: ANN401 (a program's state)
        metadata: dict[str, Any] | None = None,
    ) -> bool:
        """Write a checkpoint; raise `CheckpointError` where it cannot be kept."""
        if self._store is None:
            return False
        return await self._store.save(
            {
                "thread_id": thread_id,
                "workflow_id": workflow_id,
                "state_data": state_data,
                "metadata": metadata or {},
            }
        )

    async def get_checkpoint(self, thread_id: str, checkpoint_id: str) -> dict[str, Any] | None:
        """Return a checkpoint of a thread, or `None`."""
        if self._store is None:
            return None
        return await self._store.load_by_thread(thread_id, checkpoint_id)

    async def list_checkpoints(self, thread_id: str) -> list[dict[str, Any]]:
        """Return the checkpoints of a thread, newest first."""
        return [] if self._store is None else await self._store.list_by_thread(thread_id)

    async def delete_checkpoint(self, thread_id: str, checkpoint_id: str) -> bool:
        """Remove a checkpoint of a thread; return whether it was there."""
        if self._store is None:
            return False
        return await self._store.delete_by_thread(thread_id, checkpoint_id)
