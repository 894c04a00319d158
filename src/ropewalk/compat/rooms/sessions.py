"""Sessions as whole documents, over the sessions and their interactions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Final, cast

from ...domain.legacy.fields import Fields, Times, fit, is_id
from ...domain.legacy.keeping import ABSENT, difference, join, part
from ...domain.legacy.shapes import (
    CONTEXT,
    INDEX,
    own_context,
    own_interaction,
    session_document,
)
from ...domain.legacy.values import JsonObject, as_list, as_object, canonical
from ...domain.limits import MAX_LABEL_BYTES
from ...domain.session import Interaction, Session, SessionStatus
from ..entities.plain import json_copy
from .door import named, row_of, status_of

if TYPE_CHECKING:
    from ...services.modules import Modules
    from ..interfaces.unified import Row

_TYPE: Final = "session"
_DOCUMENT: Final = "~document"
"""Kept with a session: its document, where that is in no shape that we know."""

_INTERACTIONS: Final = "interactions"


class SessionRoom:
    """Takes documents apart into a session and its interactions, and puts them together again."""

    def __init__(self, modules: Modules, times: Times) -> None:
        """Work over `modules`; `times` says which zone naive times are in."""
        self._modules = modules
        self._times = times

    async def save(self, row: Row) -> str:
        """Replace the whole document of a session."""
        id_ = named(row, "id")
        document = as_object(json_copy(row.get("data"), what="a session")) or {}
        old = await self._modules.sessions.find(id_)
        before = {each.id: each async for each in self._interactions(id_)}
        session, interactions = await self._apart(id_, document, old, before)
        changed = [each for each in interactions if not _same(each, before.get(each.id))]
        await self._modules.statements.write(session, *changed)
        gone = before.keys() - {each.id for each in interactions}
        await self._modules.statements.remove(Interaction, *gone)
        return id_

    async def load(self, id: str) -> Row | None:
        """Return a session, or `None`."""
        session = await self._modules.sessions.find(id)
        return None if session is None else await self._row(session)

    async def remove(self, id: str) -> bool:
        """Take a session and its interactions away; what else belongs to it stays."""
        ids = [each.id async for each in self._interactions(id)]
        await self._modules.statements.remove(Interaction, *ids)
        return await self._modules.statements.remove(Session, id) > 0

    async def rows(self, *, session_id: str | None, thread_id: str | None) -> AsyncIterator[Row]:
        """Go through the sessions, oldest first."""
        if thread_id is not None or session_id is not None:
            return
        async for session in self._modules.sessions.stream():
            yield await self._row(session)

    async def _interactions(self, session_id: str) -> AsyncIterator[Interaction]:
        cursor: str | None = None
        while True:
            page = await self._modules.sessions.interactions(session_id, limit=1000, cursor=cursor)
            for each in page.items:
                yield each
            cursor = page.cursor
            if cursor is None:
                return

    async def _row(self, session: Session) -> Row:
        listed = [each async for each in self._interactions(session.id)]
        _, kept = part(session.metadata)
        document = as_object(kept.get(_DOCUMENT))
        if document is None:
            document = session_document(session, listed, times=self._times)
        if not kept:
            await self._complete(session, document)
        return row_of(
            _TYPE,
            session.id,
            document,
            created_at=session.created_at,
            updated_at=session.updated_at,
            version=session.version,
        )

    async def _complete(self, session: Session, document: JsonObject) -> None:
        """Add what a session that was never a document has no fields for."""
        created, updated = map(self._times.write, (session.created_at, session.updated_at))
        context = cast("JsonObject", document[CONTEXT])
        context["thread_ids"] = list(await self._modules.threads.ids_of(session.id))
        context["updated_at"] = updated
        if session.title:
            context["metadata"] = {
                "title": session.title,
                **(as_object(context["metadata"]) or {}),
            }
        document |= {"thread_configs": {}, "created_at": created, "updated_at": updated}

    async def _apart(
        self,
        id_: str,
        document: JsonObject,
        old: Session | None,
        before: dict[str, Interaction],
    ) -> tuple[Session, list[Interaction]]:
        context = as_object(document.get(CONTEXT))
        # The first generations kept the same fields under another name.
        fields = Fields(context or as_object(document.get("metadata")) or {}, self._times)
        outer = Fields(document, self._times)
        now = datetime.now(UTC)
        created = fields.moment("created_at") or outer.moment("created_at")
        metadata = fields.mapping("metadata") if context is not None else {}
        title = metadata.get("title")
        created = created or (old.created_at if old else now)
        session = Session(
            id=id_,
            title=fit(title, MAX_LABEL_BYTES) if isinstance(title, str) else "",
            user_id=fields.word_or_none("user_id"),
            status=status_of(
                SessionStatus, fields.raw.get("status"), otherwise=SessionStatus.ACTIVE
            ),
            tags=old.tags if old else (),
            closed_at=old.closed_at if old else None,
            created_at=created,
            updated_at=max(created, now),
        )
        if context is not None:
            interactions = await self._listed(id_, document, before, created)
            kept = {name: value for name, value in document.items() if name != CONTEXT}
            if _INTERACTIONS not in document:
                kept[ABSENT] = [_INTERACTIONS]
            elif interactions is not None:
                del kept[_INTERACTIONS]
            kept[CONTEXT] = difference(context, own_context(session, metadata, self._times))
            session = replace(session, metadata=join(metadata, kept))
            again = session_document(session, interactions or (), times=self._times)
            if canonical(document) == canonical(again):
                return session, interactions or []
        return replace(session, metadata=join(metadata, {_DOCUMENT: document})), []

    async def _listed(
        self, session_id: str, document: JsonObject, before: dict[str, Interaction], at: datetime
    ) -> list[Interaction] | None:
        """Return the interactions of a document, or `None` where they are in no known shape."""
        objects = [as_object(each) for each in as_list(document.get(_INTERACTIONS)) or ()]
        made: list[Interaction] = []
        used: set[str] = set()
        kept: list[JsonObject] = []
        for index, entry in enumerate(objects):
            if entry is None:
                return None
            wanted = entry.get("interaction_id")
            id_ = wanted if isinstance(wanted, str) and is_id(wanted) else f"{session_id}~{index}"
            id_ = await self._free(id_, used, before)
            used.add(id_)
            fields = Fields(entry, self._times)
            at = fields.moment("timestamp") or at
            interaction = Interaction(
                id=id_,
                session_id=session_id,
                thread_id=fields.link("thread_id"),
                type=fields.word("interaction_type", "unknown"),
                content=fields.text("content"),
                created_at=at,
            )
            metadata = fields.mapping("metadata")
            kept.append(difference(entry, own_interaction(interaction, metadata, self._times)))
            made.append(replace(interaction, metadata=metadata))
        order = [(each.created_at, each.id) for each in made]
        if order != sorted(order):
            kept = [{**each, INDEX: index} for index, each in enumerate(kept)]
        return [
            replace(each, metadata=join(each.metadata, rest))
            for each, rest in zip(made, kept, strict=True)
        ]

    async def _free(self, wanted: str, used: set[str], before: dict[str, Interaction]) -> str:
        """Return the id, or one like it where another session has an interaction of that id."""
        ids = (wanted if number == 1 else f"{wanted}~{number}" for number in count(1))
        for id_ in ids:
            if id_ in used:
                continue
            if id_ in before or not await self._modules.records.exists(id_, type="interaction"):
                return id_
        return wanted


def _same(new: Interaction, old: Interaction | None) -> bool:
    return old is not None and _content(new) == _content(old)


def _content(each: Interaction) -> tuple[Any, ...]:
    metadata = canonical(dict(each.metadata))
    return each.thread_id, each.type, each.content, each.created_at, metadata
