"""`StoredStates`: checkpoints and pending writes with their values as they are stored."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

from ...domain.checkpoint import Checkpoint, CheckpointHeader, PendingWrite
from ..checkpoints.grove import Grove
from ..checkpoints.pending import header_of

if TYPE_CHECKING:
    from ...domain.record import Record
    from ..checkpoints.planter import Planter
    from ..desk import Desk

_FIELDS: Final = tuple(f.name for f in fields(CheckpointHeader) if f.name != "trunk")
_DEFAULT: Final = "msgpack"


class StoredStates:
    """Reads no typed value as what it is: so none has to be known, and each comes out the same.

    The form of what is read is never empty, and `schema` is the one that it was written with.
    """

    def __init__(self, desk: Desk) -> None:
        """Read in the space of `desk`."""
        self._desk = desk
        self._grove = Grove(desk)
        self._planters: dict[str, Planter] = {}

    async def checkpoint(self, record: Record) -> Checkpoint:
        """Return a checkpoint with its state; raise `Corrupt` where it is damaged."""
        header = await self._grove.store.open(record)
        form, schema, state = await self._value(header)
        known = {name: getattr(header, name) for name in _FIELDS}
        return Checkpoint(**known, state=state, form=form, schema=schema)

    async def write(self, record: Record) -> PendingWrite:
        """Return a pending write with its value; raise `Corrupt` where it is damaged."""
        stored = await self._grove.writes.open(record)
        form, _, value = await self._value(header_of(stored))
        return PendingWrite(
            checkpoint_id=stored.checkpoint_id,
            thread_id=stored.thread_id,
            task_id=stored.task_id,
            index=stored.index,
            channel=stored.channel,
            value=value,
            task_path=stored.task_path,
            created_at=stored.created_at,
            form=form,
        )

    async def _value(self, header: CheckpointHeader) -> tuple[str, int, object]:
        form = self._planter(_DEFAULT).root(header).values or _DEFAULT
        root, value = await self._planter(form).state(header)
        return form, root.schema, value

    def _planter(self, form: str) -> Planter:
        if form not in self._planters:
            self._planters[form] = self._grove.planter(self._desk.sealer.foreign(form))
        return self._planters[form]
