"""Checkpoints with their states, newest first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from ...domain.checkpoint import Checkpoint
from ...domain.errors import Invalid
from ...domain.legacy.fields import Times
from ...domain.legacy.keeping import part
from ..entities.moments import instant
from .door import named, row_of

if TYPE_CHECKING:
    from ...services.modules import Modules
    from ..interfaces.unified import Row

_TYPE: Final = "checkpoint"
_STATE: Final = "state_data"
_WORKFLOW: Final = "workflow_id"


class CheckpointRoom:
    """Keeps states under the id that they are saved with."""

    def __init__(self, modules: Modules, times: Times) -> None:
        """Work over `modules`; `times` says which zone naive times are in."""
        self._modules = modules
        self._times = times

    async def save(self, row: Row) -> str:
        """Write a checkpoint, in place of the one that has its id; its thread is made if needed."""
        thread_id = named(row, "thread_id")
        inner = cast("Mapping[str, Any]", row.get("data") or {})
        if _STATE not in row and _STATE not in inner:
            message = "a checkpoint needs a state: add state_data, which may be any JSON"
            raise Invalid(message, code="missing", field=_STATE)
        state = row[_STATE] if _STATE in row else inner[_STATE]
        workflow_id = named({**inner, **row}, _WORKFLOW)
        id_ = None if row.get("id") is None else named(row, "id")
        created = self._moment(row.get("created_at"))
        old = None if id_ is None else await self._modules.checkpoints.find(id_)
        if old is not None:
            if old.thread_id != thread_id:
                message = f"checkpoint {old.id!r} belongs to thread {old.thread_id!r}"
                raise Invalid(message, code="taken", field="id", id=old.id)
            created = created or old.created_at
            await self._modules.checkpoints.delete(old.id)
        await self._modules.threads.ensure(thread_id)
        header = await self._modules.checkpoints.save(
            thread_id,
            state,
            workflow_id=workflow_id,
            metadata=self._metadata(row),
            id=id_,
            created_at=created,
        )
        return header.id

    async def load(self, id: str) -> Row | None:
        """Return a checkpoint with its state, or `None`."""
        if await self._modules.checkpoints.find(id) is None:
            return None
        return self._row(await self._modules.checkpoints.load(id))

    async def remove(self, id: str) -> bool:
        """Delete a checkpoint; raise `Conflict` where a fork begins at it."""
        if await self._modules.checkpoints.find(id) is None:
            return False
        await self._modules.checkpoints.delete(id)
        return True

    async def rows(self, *, session_id: str | None, thread_id: str | None) -> AsyncIterator[Row]:
        """Go through the checkpoints of a thread, or of all, newest first."""
        headers = self._modules.checkpoints.stream(thread_id=thread_id, session_id=session_id)
        async for header in headers:
            if not header.namespace:
                yield self._row(await self._modules.checkpoints.load(header.id))

    def _metadata(self, row: Row) -> dict[str, Any]:
        """Return the caller's metadata without the copy of the state that once stood there."""
        given: object = row.get("metadata") or {}
        if not isinstance(given, Mapping):
            message = f"metadata must be a dict, not {type(given).__name__}"
            raise Invalid(message, code="bad_type", field="metadata")
        metadata = cast("Mapping[str, Any]", given)
        return {name: value for name, value in metadata.items() if name != _STATE}

    def _moment(self, value: object) -> datetime | None:
        if value is None:
            return None
        moment = instant(value) if isinstance(value, datetime) else self._times.read(value)
        if moment is None:
            message = f"created_at is no time in ISO 8601: {value!r}"
            raise Invalid(message, code="bad_time", field="created_at")
        return moment

    def _row(self, checkpoint: Checkpoint) -> Row:
        workflow = checkpoint.workflow_id or "unknown"
        parts = {_WORKFLOW: workflow, _STATE: checkpoint.state}
        metadata = {**part(checkpoint.metadata)[0]}
        metadata.setdefault(_WORKFLOW, workflow)
        row = row_of(
            _TYPE,
            checkpoint.id,
            parts,
            session_id=checkpoint.session_id,
            thread_id=checkpoint.thread_id,
            metadata=metadata,
            created_at=checkpoint.created_at,
            updated_at=checkpoint.updated_at,
            version=checkpoint.version,
        )
        return {**row, **parts}
