"""`GrantStore`: what a space has given to others, as records of that space."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..domain.grant import Grant, Mode, Scope
from ..domain.moment import from_micros, to_micros
from .base import Draft, EntityStore

if TYPE_CHECKING:
    from ..domain.change import Put
    from ..domain.labels import Label
    from ..domain.record import Record
    from .letter import Letter

GRANT = "grant"
"""The kind of their records."""

TO = "to"
"""The label that says who has it."""

_KIND = "kind"
_SESSION = "session"
_MODE = "mode"


class GrantStore(EntityStore[Grant]):
    """Keep grants; when one expires is when its record does."""

    kinds = (GRANT,)

    async def put(self, entity: Grant, *, expect: int | None) -> Put:
        """Make the change that writes a grant."""
        put = await super().put(entity, expect=expect)
        expires = entity.expires_at
        return replace(
            put, expires_at=None if expires is None else to_micros(expires, field="expires_at")
        )

    def draft(self, entity: Grant) -> Draft:
        """Take a grant apart: whatever decides is in the header, so that no body is opened."""
        labels: dict[str, Label] = {TO: entity.to, _MODE: entity.mode.value}
        if entity.scope.kind is not None:
            labels[_KIND] = entity.scope.kind
        if entity.scope.session_id is not None:
            labels[_SESSION] = entity.scope.session_id
        return Draft(
            kind=GRANT,
            id=entity.id,
            data={"note": entity.note},
            metadata={},
            created_at=entity.created_at,
            labels=labels,
        )

    def build(self, record: Record, letter: Letter) -> Grant:
        """Put a grant together again."""
        return replace(grant_of(record), note=letter.data["note"])


def grant_of(record: Record) -> Grant:
    """Return the grant that a header tells, without its note."""
    labels = record.labels
    kind, session = labels.get(_KIND), labels.get(_SESSION)
    return Grant(
        space=record.key.space,
        to=str(labels[TO]),
        scope=Scope(
            kind=None if kind is None else str(kind),
            session_id=None if session is None else str(session),
        ),
        mode=Mode(str(labels[_MODE])),
        created_at=from_micros(record.created_at),
        expires_at=None if record.expires_at is None else from_micros(record.expires_at),
        version=record.version,
    )
