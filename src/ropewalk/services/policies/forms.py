"""`Forms`: take the record of a kind apart into fields that can be merged, and write it again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from ...stores.document import document_of
from ...stores.kinds import DOORS
from ...stores.letter import open_letter
from ...stores.sessions import SessionStore
from ...stores.threads import ThreadStore
from .settling import apart

if TYPE_CHECKING:
    from ...domain.change import Put
    from ...domain.ports import Sealer
    from ...domain.record import Record
    from ...stores.base import EntityStore
    from ..desk import Desk

E = TypeVar("E")


class Form(Protocol):
    """How the records of a kind are read for merging."""

    async def apart(self, record: Record) -> dict[str, Any]:
        """Return the fields of a record."""
        ...

    async def put(self, present: Record, merged: dict[str, Any]) -> Put:
        """Make the change that writes merged fields over the record that stands there."""
        ...


def form_of(kind: str, desk: Desk) -> Form | None:
    """Return the form of a kind, `None` where only the module that keeps it knows what it means."""
    parts = desk.backend, desk.sealer
    if kind == "session":
        return _EntityForm(SessionStore(*parts, space=desk.space))
    if kind == "thread":
        return _EntityForm(ThreadStore(*parts, space=desk.space))
    return None if kind in DOORS else _PlainForm(desk.sealer)


class _EntityForm(Generic[E]):
    """Fields are those of the entity."""

    def __init__(self, store: EntityStore[E]) -> None:
        self._store = store

    async def apart(self, record: Record) -> dict[str, Any]:
        return apart(await self._store.open(record))

    async def put(self, present: Record, merged: dict[str, Any]) -> Put:
        entity: Any = await self._store.open(present)
        return await self._store.put(replace(entity, **merged), expect=present.version)


class _PlainForm:
    """Fields are those of a plain record: `data`, `metadata`, its parents and its expiry."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    async def apart(self, record: Record) -> dict[str, Any]:
        document = document_of(record, await open_letter(self._sealer, record))
        return {name: getattr(document, name) for name in FIELDS}

    async def put(self, present: Record, merged: dict[str, Any]) -> Put:
        document = document_of(present, await open_letter(self._sealer, present))
        return await document._replace(**merged).put(self._sealer, expect=present.version)


FIELDS = ("data", "metadata", "session_id", "thread_id", "expires_at")
"""What of a plain record can be merged."""
