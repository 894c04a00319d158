"""`Grant`: what one space lets another see or change, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING

from .errors import Invalid
from .record import check_name

if TYPE_CHECKING:
    from datetime import datetime

_ID_BYTES = 16


class Mode(StrEnum):
    """What a grant allows; whoever may write may read as well."""

    READ = "read"
    WRITE = "write"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How much of a space a grant covers: one kind, one session, or everything.

    A session means its threads, what was said on them and their checkpoints as well.
    """

    kind: str | None = None
    session_id: str | None = None

    def __post_init__(self) -> None:
        """Refuse a scope that says two things."""
        if self.kind is not None and self.session_id is not None:
            message = "a grant is for a kind or for a session, not for both; give two"
            raise Invalid(message, code="bad_scope", field="session_id")
        for name in ("kind", "session_id"):
            value = getattr(self, name)
            if value is not None:
                check_name(value, field=name)

    def __str__(self) -> str:
        """Say it as people read it in messages."""
        if self.kind is not None:
            return f"records of kind {self.kind!r}"
        return "everything" if self.session_id is None else f"session {self.session_id!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A permission that the space `space` has given to the space `to`.

    A space has at most one grant for each receiver and scope: giving it again changes it.
    """

    space: str
    to: str
    scope: Scope
    mode: Mode
    created_at: datetime
    expires_at: datetime | None = None
    note: str = ""
    version: int = 0

    @property
    def id(self) -> str:
        """The id of its record, made of receiver and scope (BLAKE2b, 16 bytes)."""
        return grant_id(self.to, self.scope)

    def allows(self, mode: Mode) -> bool:
        """Tell whether it is enough for reading or for writing."""
        return mode is Mode.READ or self.mode is Mode.WRITE


def grant_id(to: str, scope: Scope) -> str:
    """Return the id of the grant for a receiver and a scope."""
    made = blake2b(digest_size=_ID_BYTES)
    for part in (to, scope.kind, scope.session_id):
        data = b"" if part is None else part.encode()
        made.update(len(data).to_bytes(8))
        made.update(data)
    return made.hexdigest()
