"""`Reading`: find the entities of a space by kind and id, whichever module keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from ...domain.checkpoint import Checkpoint, CheckpointHeader, PendingWrite
from ...domain.record import Key
from ...stores.checkpoints import CheckpointStore
from ...stores.history import HistoryStore
from ...stores.sessions import InteractionStore, SessionStore
from ...stores.threads import BranchStore, SnapshotStore, ThreadStore
from .plain import PlainRecords
from .stored import StoredStates

if TYPE_CHECKING:
    from ...domain.record import Record
    from ...domain.source import Entity
    from ...stores.base import EntityStore
    from ..desk import Desk
    from ..modules import Modules


WRITE: Final = "write"


class Reading:
    """Reads what was migrated as the modules would, many at once."""

    def __init__(self, desk: Desk, modules: Modules) -> None:
        """Read at `desk`; `modules` load the states."""
        self._desk = desk
        self._modules = modules
        self._stored = StoredStates(desk)
        classes: Sequence[type[EntityStore[Any]]] = (
            *(SessionStore, InteractionStore, ThreadStore, BranchStore, SnapshotStore),
            *(HistoryStore, CheckpointStore),
        )
        self._stores: Mapping[str, EntityStore[Any]] = {
            kind: cls(desk.backend, desk.sealer, space=desk.space)
            for cls in classes
            for kind in cls.kinds
        }

    async def entity(self, record: Record, *, like: Entity | None = None) -> Entity:
        """Return the entity that a record is, a checkpoint with its state.

        The values of a state are read as those of `like` were. Raises `Corrupt` where it is
        damaged.
        """
        if isinstance(like, Checkpoint | PendingWrite) and like.form:
            if record.key.kind == WRITE:
                return await self._stored.write(record)
            return await self._stored.checkpoint(record)
        if record.key.kind == WRITE:
            return await self._modules.checkpoints.pending_write(record.key.id)
        if record.key.kind not in self._stores:
            return await PlainRecords(self._desk).read(record)
        entity = await self._stores[record.key.kind].open(record)
        if not isinstance(entity, CheckpointHeader):
            return cast("Entity", entity)
        return await self._modules.checkpoints.load(entity.id)

    async def headers(self, keys: Sequence[Key]) -> dict[Key, Record]:
        """Return those of the records that are there, without their bodies."""
        found = await self._desk.backend.get(keys, bodies=False) if keys else []
        return {record.key: record for record in found if record is not None}

    async def records(self, keys: Sequence[Key]) -> dict[Key, Record]:
        """Return those of the records that are there."""
        found = await self._desk.backend.get(keys) if keys else []
        return {record.key: record for record in found if record is not None}

    def key(self, kind: str, id: str) -> Key:
        """Name a record of this space."""
        return Key(self._desk.space, kind, id)
