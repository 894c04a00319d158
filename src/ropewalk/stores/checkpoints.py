"""`CheckpointStore`: a checkpoint's header in one record and its state in another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..domain.change import Change, Put
from ..domain.checkpoint import CheckpointHeader
from ..domain.errors import Corrupt
from ..domain.moment import from_micros, to_micros
from .base import Draft, EntityStore
from .letter import Letter, open_letter

if TYPE_CHECKING:
    from ..domain.labels import Label
    from ..domain.record import Record

STATE = "state"
"""The kind of the record that holds a state, under the id of its checkpoint."""


class CheckpointStore(EntityStore[CheckpointHeader]):
    """Keep checkpoints so that lists never touch a state."""

    kinds = ("checkpoint",)

    def draft(self, entity: CheckpointHeader) -> Draft:
        """Take a header apart: its workflow can be searched, its size summed."""
        labels: dict[str, Label] = {"size": entity.size}
        if entity.workflow_id is not None:
            labels["workflow_id"] = entity.workflow_id
        return Draft(
            kind="checkpoint",
            id=entity.id,
            data={"parent_id": entity.parent_id, "workflow_id": entity.workflow_id},
            metadata=entity.metadata,
            created_at=entity.created_at,
            updated_at=entity.updated_at,
            labels=labels,
            session_id=entity.session_id,
            thread_id=entity.thread_id,
        )

    def build(self, record: Record, letter: Letter) -> CheckpointHeader:
        """Put a header together again."""
        size = record.labels.get("size", 0)
        return CheckpointHeader(
            id=record.key.id,
            thread_id=record.thread_id or "",
            session_id=record.session_id,
            parent_id=letter.data["parent_id"],
            workflow_id=letter.data["workflow_id"],
            metadata=letter.metadata,
            size=size if isinstance(size, int) else 0,
            created_at=from_micros(record.created_at),
            updated_at=from_micros(record.updated_at),
            version=record.version,
        )

    async def put_state(self, header: CheckpointHeader, state: object) -> Put:
        """Make the change that writes the state of a new checkpoint."""
        key = self.key(header.id, STATE)
        sealed = await Letter({"state": state}, {}).seal(self._sealer, key)
        return Put(
            key=key,
            body=sealed.body,
            seal=sealed.seal,
            session_id=header.session_id,
            thread_id=header.thread_id,
            created_at=to_micros(header.created_at, field="created_at"),
            expect=0,
        )

    async def state(self, header: CheckpointHeader) -> Any:  # noqa: ANN401 (a user's state)
        """Return the state of a checkpoint; raise `Corrupt` where it is missing or damaged."""
        key = self.key(header.id, STATE)
        [record] = await self._backend.get([key])
        if record is None:
            message = f"the state of checkpoint {header.id} is missing; restore it from a backup"
            raise Corrupt(message, code="missing_state", key=key)
        letter = await open_letter(self._sealer, record)
        return letter.data.get("state")

    def remove_all(self, id: str) -> tuple[Change, ...]:
        """Make the changes that remove a checkpoint with its state."""
        return self.remove(id), self.remove(id, kind=STATE)
