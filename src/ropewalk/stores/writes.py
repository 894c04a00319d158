"""`WriteStore`: what tasks wrote at a checkpoint, before it is part of the next one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..domain.checkpoint import PLACE_SHIFT, Trunk, write_id
from ..domain.errors import Corrupt
from ..domain.moment import from_micros
from .base import Draft, EntityStore
from .checkpoints import MAC_BYTES

if TYPE_CHECKING:
    from datetime import datetime

    from ..domain.record import Record
    from .letter import Letter

_SEPARATOR = "/"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWrite:
    """A write as it is kept: whose, where to, and where its value begins."""

    checkpoint_id: str
    thread_id: str
    task_id: str
    index: int
    channel: str
    task_path: str
    trunk: Trunk
    created_at: datetime
    version: int = 1

    @property
    def id(self) -> str:
        """The id of its record: the checkpoint's, the task's, the place."""
        return write_id(self.checkpoint_id, self.task_id, self.index)


def prefix_of(checkpoint_id: str) -> str:
    """Return what the ids of all writes at a checkpoint begin with."""
    return checkpoint_id + _SEPARATOR


class WriteStore(EntityStore[StoredWrite]):
    """Keep pending writes, each under the id of its checkpoint, its task and its place."""

    kinds = ("write",)

    def draft(self, entity: StoredWrite) -> Draft:
        """Take a write apart."""
        data: dict[str, Any] = {
            "at": entity.checkpoint_id,
            "channel": entity.channel,
            "tree": entity.trunk.mac + entity.trunk.root,
        }
        if entity.task_path:
            data["path"] = entity.task_path
        if entity.trunk.family != entity.thread_id:
            data["family"] = entity.trunk.family
        return Draft(
            kind="write",
            id=entity.id,
            data=data,
            metadata={},
            created_at=entity.created_at,
            thread_id=entity.thread_id,
        )

    def build(self, record: Record, letter: Letter) -> StoredWrite:
        """Put a write together again."""
        data, thread_id = letter.data, record.thread_id or ""
        try:
            checkpoint_id = str(data["at"])
            task_id, _, place = record.key.id[len(checkpoint_id) + 1 :].rpartition(_SEPARATOR)
            tree, family = data["tree"], str(data.get("family", thread_id))
            return StoredWrite(
                checkpoint_id=checkpoint_id,
                thread_id=thread_id,
                task_id=task_id,
                index=int(place) - PLACE_SHIFT,
                channel=str(data["channel"]),
                task_path=str(data.get("path", "")),
                trunk=Trunk(family, tree[MAC_BYTES:], tree[:MAC_BYTES]),
                created_at=from_micros(record.created_at),
                version=record.version,
            )
        except (LookupError, ValueError) as error:
            message = f"{record.key} is no write that was kept here; restore it from a backup"
            raise Corrupt(message, code="bad_write", key=record.key) from error
