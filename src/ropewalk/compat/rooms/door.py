"""`Room`: where rows of some types are kept, and how a row is made."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from ...domain.errors import Invalid
from ...domain.legacy.fields import is_id
from ..interfaces.unified import Row

S = TypeVar("S", bound=StrEnum)


class Room(Protocol):
    """Keeps rows through the services; each of its writes is part of a unit of work."""

    async def save(self, row: Row) -> str:
        """Write a row, new or not, and return its id."""
        ...

    async def load(self, id: str) -> Row | None:
        """Return a row, or `None`."""
        ...

    async def remove(self, id: str) -> bool:
        """Take a row away; return whether it was there."""
        ...

    def rows(self, *, session_id: str | None, thread_id: str | None) -> AsyncIterator[Row]:
        """Go through the rows, of a session or a thread where one is named."""
        ...


def row_of(
    type: str,
    id: str,
    data: Mapping[str, Any],
    *,
    created_at: datetime,
    updated_at: datetime,
    session_id: str | None = None,
    thread_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    version: int = 1,
) -> Row:
    """Make the row that `IUnifiedStorage` gives out; times are aware, in UTC."""
    return {
        "id": id,
        "type": type,
        "data": dict(data),
        "session_id": session_id,
        "thread_id": thread_id,
        "metadata": dict(metadata or {}),
        "created_at": created_at,
        "updated_at": updated_at,
        "version": version,
    }


def named(row: Row, field: str) -> str:
    """Return an id out of a row; raise `Invalid`, naming the field, where there is none."""
    value = row.get(field)
    if isinstance(value, str) and is_id(value):
        return value
    message = f"{field} must be a text that is not empty and fits into an id, not {value!r}"
    raise Invalid(message, code="bad_id", field=field)


def status_of(kind: type[S], value: object, *, otherwise: S) -> S:
    """Return a status by its name; one that we have no name for is kept beside the entity."""
    return next((each for each in kind if each.value == value), otherwise)
