"""Threads as whole documents, in whichever of the two shapes they were handed over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from ...domain.errors import Corrupt
from ...domain.legacy.fields import Fields, Times, fit, is_id
from ...domain.legacy.keeping import difference, join, part
from ...domain.legacy.shapes import own_thread, thread_document, thread_parts
from ...domain.legacy.values import JsonObject, as_object
from ...domain.limits import MAX_LABEL_BYTES
from ...domain.thread import Thread, ThreadStatus
from ..entities.plain import json_copy
from .door import named, row_of, status_of

if TYPE_CHECKING:
    from ...services.modules import Modules
    from ..interfaces.unified import Row

_TYPE: Final = "thread"


class ThreadRoom:
    """Takes documents apart into threads, and puts them together again."""

    def __init__(self, modules: Modules, times: Times) -> None:
        """Work over `modules`; `times` says which zone naive times are in."""
        self._modules = modules
        self._times = times

    async def save(self, row: Row) -> str:
        """Replace the whole document of a thread; its line and its content stay."""
        id_ = named(row, "id")
        document = as_object(json_copy(row.get("data"), what="a thread")) or {}
        old = await self._modules.threads.find(id_)
        known, metadata, kept = thread_parts(document)
        fields = Fields(known, self._times)
        now = datetime.now(UTC)
        created = fields.moment("created_at") or (old.created_at if old else now)
        thread = Thread(
            id=id_,
            session_id=_session(metadata, row, old),
            title=_title(metadata),
            graph_id=fields.word_or_none("graph_id"),
            status=status_of(ThreadStatus, known.get("status"), otherwise=ThreadStatus.ACTIVE),
            root_id=old.root_id if old else id_,
            origin=old.origin if old else None,
            gaps=old.gaps if old else (),
            created_at=created,
            updated_at=max(created, now),
        )
        kept |= difference(known, own_thread(thread, self._times))
        await self._modules.statements.write(replace(thread, metadata=join(metadata, kept)))
        return id_

    async def load(self, id: str) -> Row | None:
        """Return a thread, or `None`."""
        thread = await self._modules.threads.find(id)
        return None if thread is None else self._row(thread)

    async def remove(self, id: str) -> bool:
        """Delete a thread with everything on it; raise `Conflict` where it has forks."""
        if await self._modules.threads.find(id) is None:
            return False
        await self._modules.threads.delete(id)
        return True

    async def rows(self, *, session_id: str | None, thread_id: str | None) -> AsyncIterator[Row]:
        """Go through the threads, oldest first; one that is damaged does not stop the others."""
        if thread_id is not None:
            row = await self.load(thread_id)
            if row is not None and session_id in (None, row["session_id"]):
                yield row
            return
        damaged: list[Corrupt] = []
        found = self._modules.records.stream(
            {"type": _TYPE} | ({"session_id": session_id} if session_id else {}),
            on_corrupt=damaged.append,
        )
        async for record in found:
            thread = await self._modules.threads.find(record["id"])
            if thread is not None:
                yield self._row(thread)

    def _row(self, thread: Thread) -> Row:
        document = thread_document(thread, times=self._times)
        if not part(thread.metadata)[1]:
            self._complete(thread, document)
        return row_of(
            _TYPE,
            thread.id,
            document,
            session_id=thread.session_id,
            thread_id=thread.id,
            created_at=thread.created_at,
            updated_at=thread.updated_at,
            version=thread.version,
        )

    def _complete(self, thread: Thread, document: JsonObject) -> None:
        """Add what a thread that was never a document has no fields for."""
        if thread.session_id is not None:
            document.setdefault("session_id", thread.session_id)
        if thread.title:
            document.setdefault("title", thread.title)
        document["updated_at"] = self._times.write(thread.updated_at)


def _session(metadata: JsonObject, row: Row, old: Thread | None) -> str | None:
    for value in (metadata.get("session_id"), row.get("session_id")):
        if isinstance(value, str) and is_id(value):
            return value
    return old.session_id if old else None


def _title(metadata: JsonObject) -> str:
    titles = (metadata.get(name) for name in ("title", "thread_name"))
    found = next((title for title in titles if isinstance(title, str) and title), "")
    return fit(found, MAX_LABEL_BYTES)
