"""`SessionStore` and `InteractionStore`: sessions and what happened in them, as records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..domain.moment import from_micros, to_micros
from ..domain.session import Interaction, Session, SessionStatus
from .base import Draft, EntityStore

if TYPE_CHECKING:
    from ..domain.labels import Label
    from ..domain.record import Record
    from .letter import Letter

TAG = "tag:"
"""Prefix of the label that stands for one tag."""


class SessionStore(EntityStore[Session]):
    """Keep sessions."""

    kinds = ("session",)

    def draft(self, entity: Session) -> Draft:
        """Take a session apart: owner, status and tags can be searched."""
        labels: dict[str, Label] = {"status": entity.status.value}
        if entity.user_id is not None:
            labels["user_id"] = entity.user_id
        labels.update({TAG + tag: True for tag in entity.tags})
        return Draft(
            kind="session",
            id=entity.id,
            data={
                "title": entity.title,
                "user_id": entity.user_id,
                "status": entity.status.value,
                "tags": list(entity.tags),
                "closed_at": to_micros(entity.closed_at) if entity.closed_at else None,
            },
            metadata=entity.metadata,
            created_at=entity.created_at,
            updated_at=entity.updated_at,
            labels=labels,
        )

    def build(self, record: Record, letter: Letter) -> Session:
        """Put a session together again."""
        data = letter.data
        closed = data["closed_at"]
        return Session(
            id=record.key.id,
            title=data["title"],
            user_id=data["user_id"],
            status=SessionStatus(data["status"]),
            tags=tuple(data["tags"]),
            metadata=letter.metadata,
            created_at=from_micros(record.created_at),
            updated_at=from_micros(record.updated_at),
            closed_at=None if closed is None else from_micros(closed),
            version=record.version,
        )


class InteractionStore(EntityStore[Interaction]):
    """Keep interactions below their session."""

    kinds = ("interaction",)

    def draft(self, entity: Interaction) -> Draft:
        """Take an interaction apart: its type can be searched."""
        return Draft(
            kind="interaction",
            id=entity.id,
            data={"type": entity.type, "content": entity.content},
            metadata=entity.metadata,
            created_at=entity.created_at,
            labels={"type": entity.type},
            session_id=entity.session_id,
            thread_id=entity.thread_id,
        )

    def build(self, record: Record, letter: Letter) -> Interaction:
        """Put an interaction together again."""
        return Interaction(
            id=record.key.id,
            session_id=record.session_id or "",
            thread_id=record.thread_id,
            type=letter.data["type"],
            content=letter.data["content"],
            metadata=letter.metadata,
            created_at=from_micros(record.created_at),
            version=record.version,
        )
