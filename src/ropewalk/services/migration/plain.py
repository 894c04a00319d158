"""`PlainRecords`: write records that no module keeps rules for, as a source brings them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...domain.moment import from_micros, to_micros
from ...domain.plain import PlainRecord
from ...domain.record import Key
from ...stores.document import Document
from ...stores.letter import open_letter

if TYPE_CHECKING:
    from ...domain.record import Record
    from ..desk import Desk


class PlainRecords:
    """Keeps ids, kinds, times and links, in the form that `storage.records` has."""

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        self._desk = desk

    async def adopt(self, *records: PlainRecord) -> None:
        """Write records, all or none; raises `Conflict` where one of the ids is taken."""
        await self._desk.commit(
            [await self._document(record).put(self._desk.sealer, expect=0) for record in records]
        )

    async def read(self, record: Record) -> PlainRecord:
        """Return what a record is; raise `Corrupt` where it is damaged."""
        letter = await open_letter(self._desk.sealer, record)
        return PlainRecord(
            id=record.key.id,
            kind=record.key.kind,
            data=letter.data,
            metadata=letter.metadata,
            session_id=record.session_id,
            thread_id=record.thread_id,
            created_at=from_micros(record.created_at),
            updated_at=from_micros(record.updated_at),
            version=record.version,
        )

    def _document(self, record: PlainRecord) -> Document:
        return Document(
            key=Key(self._desk.space, record.kind, record.id),
            data=dict(record.data),
            metadata=dict(record.metadata),
            session_id=record.session_id,
            thread_id=record.thread_id,
            created_at=to_micros(record.created_at, field="created_at"),
            updated_at=to_micros(record.updated_at, field="updated_at"),
        )
