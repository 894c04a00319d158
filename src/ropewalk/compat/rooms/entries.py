"""History records, kept in the order in which they were written, duplicate ids and all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from ...domain.errors import Conflict, Invalid
from ...domain.history import ENTRY_TYPES, Entry, EntryKind
from ...domain.legacy.entries import Common, entry_of
from ...domain.legacy.fields import Fields, Times
from ...domain.legacy.keeping import difference, join, part, restore
from ...domain.legacy.shapes import own_record
from ...domain.legacy.values import JsonObject, as_list, as_object
from ...domain.moment import to_micros
from ...domain.record import Key
from ..entities.plain import plain
from .door import named, row_of

if TYPE_CHECKING:
    from ...services.modules import Modules
    from ..interfaces.unified import Row

_KINDS: Final = {cls: kind for kind, cls in ENTRY_TYPES.items()}

_AFTER: Final = "~after"
"""Kept with an entry that was written behind a later one: the time of that, and how many stood
there: what is asked for comes in the order it was written."""


class EntryRoom:
    """Keeps the records of one type, or shows those of several: append-only."""

    def __init__(self, modules: Modules, times: Times, *kinds: EntryKind) -> None:
        """Work over `modules`; `times` says which zone naive times are in."""
        self._modules = modules
        self._times = times
        self._kinds = kinds

    async def save(self, row: Row) -> str:
        """Append a record; where its id is taken, it is kept under one like it."""
        record = as_object(plain(row.get("data"))) or {}
        wanted = named(row, "id")
        entry = await self._entry(row, record, id_=wanted)
        for number in count(1):
            id_ = wanted if number == 1 else f"{wanted}~{number}"
            if await self._modules.history.find(id_) is not None:
                continue
            if id_ != wanted:
                entry = await self._entry(row, record, id_=id_)
            try:
                await self._modules.history.adopt(entry)
            except Conflict as error:
                # Somebody else appended under the same id: both are kept.
                key = error.facts.get("key")
                if not isinstance(key, Key) or key.id != id_:
                    raise
            else:
                break
        return entry.id

    async def _entry(self, row: Row, record: JsonObject, *, id_: str) -> Entry:
        """Return the entry of a record, with what it has no field for beside its metadata."""
        session_id = named({"session_id": row.get("session_id"), **record}, "session_id")
        fields = Fields(record, self._times)
        created = fields.moment("timestamp") or datetime.now(UTC)
        common = Common(id=id_, session_id=session_id, created_at=created, metadata={})
        entry = entry_of(EntryKind(row["type"]), fields, common)
        metadata = fields.mapping("metadata")
        kept = difference(record, own_record(entry, metadata, self._times))
        after = await self._after(session_id, created)
        if after is not None:
            kept[_AFTER] = after
        thread_id = None if row.get("thread_id") is None else named(row, "thread_id")
        return replace(entry, thread_id=thread_id, metadata=join(metadata, kept))

    async def load(self, id: str) -> Row | None:
        """Return a record, or `None`."""
        entry = await self._modules.history.find(id)
        return self._row(entry) if entry is not None and kind_of(entry) in self._kinds else None

    async def remove(self, id: str) -> bool:
        """Refuse: what happened is not unwritten."""
        message = f"the history is append-only: record {id!r} cannot be deleted"
        raise Invalid(message, code="append_only", field="id", id=id)

    async def rows(self, *, session_id: str | None, thread_id: str | None) -> AsyncIterator[Row]:
        """Go through the records: those of a session as they were written, others by their time."""
        stream = self._modules.history.stream(
            session_id=session_id, thread_id=thread_id, kinds=self._kinds
        )
        if session_id is None:
            async for entry in stream:
                yield self._row(entry)
            return
        for entry in sorted([entry async for entry in stream], key=written):
            yield self._row(entry)

    async def _after(self, session_id: str, created: datetime) -> list[int] | None:
        """Say where an entry stands that is not later than all the others of its session."""
        newest = await self._modules.history.page(session_id=session_id, newest_first=True, limit=1)
        if not newest.items or newest.items[0].created_at < created:
            return None
        place = to_micros(newest.items[0].created_at)
        return [place, await self._modules.history.count(session_id=session_id)]

    def _row(self, entry: Entry) -> Row:
        metadata, kept = part(entry.metadata)
        kept.pop(_AFTER, None)
        return row_of(
            kind_of(entry).value,
            entry.id,
            restore(own_record(entry, metadata, self._times), kept),
            session_id=entry.session_id,
            thread_id=entry.thread_id,
            created_at=entry.created_at,
            updated_at=entry.created_at,
        )


def kind_of(entry: Entry) -> EntryKind:
    """Return the type of the record of an entry."""
    return _KINDS[type(entry)]


def written(entry: Entry) -> tuple[int, int]:
    """Return the place of an entry in the order of writing, to sort by."""
    after: list[Any] | None = as_list(part(entry.metadata)[1].get(_AFTER))
    if after is not None:
        return int(after[0]), int(after[1])
    return to_micros(entry.created_at), 0
