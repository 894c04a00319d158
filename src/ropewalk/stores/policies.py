"""`PolicyStore`: the policies of a space, one for each kind of record, as records."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from ..domain.errors import Corrupt, Invalid
from ..domain.moment import from_micros
from ..domain.policy import KindPolicy, as_names, from_names
from .base import Draft, EntityStore

if TYPE_CHECKING:
    from ..domain.record import Record
    from .letter import Letter

POLICY: Final = "policy"


class PolicyStore(EntityStore[KindPolicy]):
    """Keeps policies that can be said by names; the id is the kind that one is for."""

    kinds: ClassVar[tuple[str, ...]] = (POLICY,)

    def draft(self, entity: KindPolicy) -> Draft:
        """Take a policy apart."""
        return Draft(
            kind=POLICY,
            id=entity.id,
            data=as_names(entity.policy),
            metadata={},
            created_at=entity.created_at,
        )

    def build(self, record: Record, letter: Letter) -> KindPolicy:
        """Put a policy together again."""
        try:
            policy = from_names(letter.data, field=str(record.key))
        except Invalid as error:
            message = f"the policy {record.key} cannot be read: {error.message}; drop it"
            raise Corrupt(message, code="bad_policy", key=record.key) from error
        return KindPolicy(
            id=record.key.id,
            policy=policy,
            created_at=from_micros(record.created_at),
            version=record.version,
        )
