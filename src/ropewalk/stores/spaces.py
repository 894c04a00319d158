"""`SpaceStore`: what is known of a space, in one record inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..domain.moment import from_micros
from ..domain.space import Space
from .base import Draft, EntityStore

if TYPE_CHECKING:
    from datetime import datetime

    from ..domain.labels import Label
    from ..domain.record import Record
    from .letter import Letter

DELETING = "deleting"
"""The label of a space whose deletion was begun."""

_EPOCH: datetime = from_micros(0)


class SpaceStore(EntityStore[Space]):
    """Keep the entry of a space in that space, so that it is copied and deleted with it."""

    kinds = ("space",)

    def draft(self, entity: Space) -> Draft:
        """Take an entry apart."""
        labels: dict[str, Label] = {DELETING: True} if entity.deleting else {}
        return Draft(
            kind="space",
            id=entity.name,
            data={"description": entity.description},
            metadata={},
            created_at=entity.created_at or _EPOCH,
            labels=labels,
        )

    def build(self, record: Record, letter: Letter) -> Space:
        """Put an entry together again; what is in the space is counted by others."""
        return Space(
            name=record.key.id,
            description=letter.data["description"],
            created_at=from_micros(record.created_at),
            deleting=record.labels.get(DELETING) is True,
            version=record.version,
        )
