"""`CheckpointStorageAdapter`: checkpoints with their states in a unified storage."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from ...domain.errors import Conflict, RopewalkError
from ...domain.legacy.fields import Times
from ..answers import read
from ..errors import CheckpointValidationError, as_checkpoint_error
from ..interfaces.checkpoints import ICheckpointStore
from ..storage import UnifiedStorage
from .rows import Shelf
from .threads import removed

if TYPE_CHECKING:
    from ..interfaces.unified import IUnifiedStorage, Row, Rows

_NEWEST_FIRST: Final = (
    "SELECT id FROM checkpoint WHERE thread_id = :thread ORDER BY created_at DESC, id DESC"
)
_NEEDED: Final = ("thread_id", "workflow_id", "state_data")


class Serializer(Protocol):
    """Turns a state into something that can be kept, and back."""

    def serialize(self, data: Any, /) -> str | bytes:  # noqa: ANN401 (a program's state)
        """Return what is to be kept of a state."""
        ...

    def deserialize(self, data: Any, /) -> Any:  # noqa: ANN401 (a program's state)
        """Return the state of what was kept."""
        ...


class CheckpointStorageAdapter(ICheckpointStore):
    """The checkpoint store; without a serializer, states keep the types that Ropewalk knows.

    `max_checkpoints_per_thread` is how many a thread has at most: the oldest make room.
    """

    def __init__(
        self,
        storage: IUnifiedStorage,
        serializer: Serializer | None = None,
        *,
        max_checkpoints_per_thread: int = 1000,
    ) -> None:
        """Keep checkpoints in `storage`."""
        self._storage = storage
        self._serializer = serializer
        self._most = max_checkpoints_per_thread
        self._times = storage.times if isinstance(storage, UnifiedStorage) else Times()
        self._shelf = Shelf(storage, "checkpoint")

    async def save(self, checkpoint_data: dict[str, Any]) -> bool:
        """Write a checkpoint; return True, or raise `CheckpointError`.

        An `id` that is given is kept, and so is `created_at`; the dictionary stays as it is.
        """
        await self.put(checkpoint_data)
        return True

    async def put(self, checkpoint_data: dict[str, Any]) -> str:
        """Write a checkpoint as `save` does, and return its id."""
        for name in _NEEDED:
            if name not in checkpoint_data:
                message = f"a checkpoint needs {name}"
                raise CheckpointValidationError(message, code="missing", field=name)
        row: Row = {
            "type": "checkpoint",
            "thread_id": checkpoint_data["thread_id"],
            "workflow_id": checkpoint_data["workflow_id"],
            "state_data": self._serialized(checkpoint_data["state_data"]),
            "metadata": dict(checkpoint_data.get("metadata") or {}),
        }
        for name in ("id", "created_at", "updated_at"):
            if checkpoint_data.get(name) is not None:
                row[name] = checkpoint_data[name]
        try:
            if await self.get_checkpoint_count(row["thread_id"]) >= self._most:
                await self.cleanup_old_checkpoints(row["thread_id"], self._most - 1)
            return await self._storage.save(row)
        except RopewalkError as error:
            raise as_checkpoint_error(error) from error

    async def list_by_thread(self, thread_id: str) -> list[dict[str, Any]]:
        """Return the checkpoints of a thread, newest first."""
        return [self._record(row) for row in await self._rows(thread_id)]

    async def load_by_thread(
        self, thread_id: str, checkpoint_id: str | None = None
    ) -> dict[str, Any] | None:
        """Return a checkpoint of a thread, the latest where none is named, or `None`."""
        if checkpoint_id is None:
            return await self.get_latest(thread_id)
        what = f"checkpoint {checkpoint_id!r}"
        row = await read(self._shelf.find(checkpoint_id), what, otherwise=None)
        return self._record(row) if row and row["thread_id"] == thread_id else None

    async def delete_by_thread(self, thread_id: str, checkpoint_id: str | None = None) -> bool:
        """Remove a checkpoint of a thread, all where none is named; return whether any was there.

        Those that a fork begins at stay; then the answer is False.
        """
        ids = await self._ids(thread_id)
        if checkpoint_id is not None:
            ids = [checkpoint_id] if checkpoint_id in ids else []
        gone = [await removed(self._shelf.remove(id_), f"checkpoint {id_!r}") for id_ in ids]
        return bool(gone) and all(gone)

    async def get_latest(self, thread_id: str) -> dict[str, Any] | None:
        """Return the latest checkpoint of a thread, or `None`."""
        what = f"the latest checkpoint of thread {thread_id!r}"
        rows = await read(self._rows(thread_id, limit=1), what, otherwise=None)
        return self._record(rows[0]) if rows else None

    async def cleanup_old_checkpoints(self, thread_id: str, max_count: int) -> int:
        """Remove all but the newest `max_count` checkpoints of a thread; return how many.

        Those that a fork begins at stay.
        """
        old = (await self._ids(thread_id))[max(max_count, 0) :]
        count = 0
        for id_ in reversed(old):
            try:
                count += await self._shelf.remove(id_)
            except Conflict as error:
                if error.code != "fork_point":
                    raise
        return count

    async def get_checkpoints_by_workflow(
        self, thread_id: str, workflow_id: str
    ) -> list[dict[str, Any]]:
        """Return the checkpoints of a thread that a workflow made, newest first."""
        rows = await self._shelf.all(thread_id=thread_id, workflow_id=workflow_id)
        return [self._record(row) for row in rows]

    async def get_checkpoint_count(self, thread_id: str) -> int:
        """Count the checkpoints of a thread."""
        return await self._shelf.count(thread_id=thread_id)

    async def _rows(self, thread_id: str, *, limit: int | None = None) -> Rows:
        return await self._shelf.all(limit, thread_id=thread_id)

    async def _ids(self, thread_id: str) -> list[str]:
        """Return the ids of a thread's checkpoints, newest first; no state is read."""
        return [
            row["id"] for row in await self._storage.query(_NEWEST_FIRST, {"thread": thread_id})
        ]

    def _serialized(self, state: Any) -> Any:  # noqa: ANN401 (a program's state)
        return state if self._serializer is None else self._serializer.serialize(state)

    def _record(self, row: Row) -> dict[str, Any]:
        state = row["state_data"]
        return {
            "id": row["id"],
            "thread_id": row["thread_id"],
            "workflow_id": row["workflow_id"],
            "state_data": state
            if self._serializer is None
            else self._serializer.deserialize(state),
            "metadata": row["metadata"],
            "created_at": self._text(row.get("created_at")),
            "updated_at": self._text(row.get("updated_at")),
        }

    def _text(self, moment: object) -> object:
        return self._times.write(moment) if isinstance(moment, datetime) else moment
