"""`ConsumerStore`: the cursors of consumers, as records of their space."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ..domain.consumer import CONSUMER, Consumer
from ..domain.errors import Corrupt
from ..domain.moment import from_micros
from .base import Draft, EntityStore

if TYPE_CHECKING:
    from ..domain.change import Put
    from ..domain.record import Record
    from .letter import Letter

_SEQ: Final = "seq"
_TOKEN: Final = "token"  # noqa: S105 (a label, and no secret)


class ConsumerStore(EntityStore[Consumer]):
    """Keep consumers: all that is to be known stands in the header."""

    kinds = (CONSUMER,)

    async def put(self, entity: Consumer, *, expect: int | None) -> Put:
        """Make the change that writes a consumer."""
        return replace(await super().put(entity, expect=expect), updated_at=None)

    def draft(self, entity: Consumer) -> Draft:
        """Take a consumer apart."""
        return Draft(
            kind=CONSUMER,
            id=entity.name,
            data={},
            metadata={},
            created_at=entity.created_at,
            labels={_SEQ: entity.seq, _TOKEN: entity.token},
        )

    def build(self, record: Record, letter: Letter) -> Consumer:  # noqa: ARG002 (there is none)
        """Put a consumer together again."""
        return consumer_of(record)

    async def look(self, name: str) -> Consumer | None:
        """Return a consumer by its header, or `None`."""
        (record,) = await self._backend.get([self.key(name)], bodies=False)
        return None if record is None else consumer_of(record)


def consumer_of(record: Record) -> Consumer:
    """Return the consumer that a header tells; raise `Corrupt` where it tells none."""
    seq, token = record.labels.get(_SEQ), record.labels.get(_TOKEN)
    if not isinstance(seq, int) or not isinstance(token, str):
        message = f"{record.key} does not say how far the consumer is: delete it, and begin anew"
        raise Corrupt(message, code="bad_consumer", key=record.key)
    return Consumer(
        name=record.key.id,
        seq=seq,
        token=token,
        created_at=from_micros(record.created_at),
        updated_at=from_micros(record.updated_at),
        version=record.version,
    )
