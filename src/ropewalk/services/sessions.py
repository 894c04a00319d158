"""`Sessions`: create, change, list, close and delete sessions, and note what happened in them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Unpack

from ..domain.cascade import Cascade
from ..domain.errors import Conflict
from ..domain.limits import MAX_LABEL_NAME_BYTES, check_text
from ..domain.query import AnyOf, Condition, Order
from ..domain.record import check_name
from ..domain.session import Interaction, Session, SessionStatus
from ..stores.base import Find, check_metadata
from ..stores.sessions import TAG, InteractionStore, SessionStore
from . import manager
from .manager import as_status, created_between, equals, pick
from .policies.settling import Settling

if TYPE_CHECKING:
    from datetime import datetime

    from ..domain.change import Change
    from ..domain.page import Page
    from .dependants import Dependants
    from .desk import Desk

WHAT: Final = "session"


class Sessions:
    """Visits of users.

    Responsible for who is here, since when, under which title and tags, and for interactions
    outside any conversation. Threads and what is said on them belong to a session by their
    `session_id`; they are not the sessions' to keep.
    """

    def __init__(self, desk: Desk, dependants: Dependants) -> None:
        """Work at `desk`; `dependants` answers for the other modules when one is deleted."""
        self._desk = desk
        self._dependants = dependants
        self._store = SessionStore(desk.backend, desk.sealer, space=desk.space)
        self._interactions = InteractionStore(desk.backend, desk.sealer, space=desk.space)

    async def create(
        self,
        *,
        title: str = "",
        user_id: str | None = None,
        tags: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        status: SessionStatus | str = SessionStatus.ACTIVE,
        id: str | None = None,
        created_at: datetime | None = None,
    ) -> Session:
        """Begin a session and return it; raise `Conflict` where `id` is taken."""
        session = Session(
            id=id or self._desk.clock.new_id(),
            title=title,
            user_id=None if user_id is None else check_name(user_id, field="user_id"),
            status=as_status(SessionStatus, status),
            tags=_tags(tags),
            metadata=check_metadata(metadata),
            created_at=self._desk.moment(created_at),
            updated_at=self._desk.now(),
        )
        await self.adopt(session)
        return await self.get(session.id)

    async def adopt(self, *sessions: Session) -> None:
        """Write sessions that were made elsewhere, with their own ids and times.

        All or none; raises `Conflict` where one of the ids is taken.
        """
        await manager.add(self._desk, self._store, sessions)

    async def get(self, session_id: str) -> Session:
        """Return a session; raise `NotFound` where there is none."""
        return await manager.get(self._desk, self._store, WHAT, session_id)

    async def find(self, session_id: str) -> Session | None:
        """Return a session, or `None`."""
        return await self._store.find(session_id)

    async def exists(self, session_id: str) -> bool:
        """Tell whether there is such a session, without reading its body."""
        return await self._store.exists(session_id)

    async def update(
        self,
        session_id: str,
        *,
        title: str | None = None,
        user_id: str | None = None,
        status: SessionStatus | str | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        expected_version: int | None = None,
        **how: Unpack[Settling[Session]],
    ) -> Session:
        """Change what is given, merge `metadata`, and return the session as it is now.

        With `expected_version`, raises `Conflict` where somebody changed it since, unless a
        `policy` says otherwise; `Merge` needs as `base` the session that was read. Without,
        nobody's change is lost: this one is made on top of theirs.
        """
        given = pick(
            title=title,
            user_id=None if user_id is None else check_name(user_id, field="user_id"),
            status=None if status is None else as_status(SessionStatus, status),
            tags=None if tags is None else _tags(tags),
        )
        extra = check_metadata(metadata)
        return await manager.change(
            self._desk,
            self._store,
            WHAT,
            session_id,
            lambda old: replace(old, **given, metadata={**old.metadata, **extra}),
            expected_version=expected_version,
            how=how,
        )

    async def close(self, session_id: str) -> Session:
        """Close a session: its work is done. Closing it again changes nothing."""
        session = await self.get(session_id)
        if session.status is SessionStatus.CLOSED:
            return session
        now = self._desk.now()
        return await manager.change(
            self._desk,
            self._store,
            WHAT,
            session_id,
            lambda old: replace(old, status=SessionStatus.CLOSED, closed_at=now),
            expected_version=None,
        )

    async def archive(self, session_id: str) -> Session:
        """Put a session away: it stays readable, under the status `archived`."""
        return await self.update(session_id, status=SessionStatus.ARCHIVED)

    async def list(
        self,
        *,
        user_id: str | None = None,
        status: SessionStatus | str | None = None,
        tag: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        created_since: datetime | None = None,
        created_until: datetime | None = None,
        newest_first: bool = True,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Session]:
        """Return a page of sessions that fulfil everything given, by default the newest first."""
        find = Find(
            where=self._where(user_id, status, tag) + created_between(created_since, created_until),
            order=Order(descending=newest_first),
        )
        return await self._store.page(
            find, limit=limit, cursor=cursor, metadata=check_metadata(metadata)
        )

    async def stream(self) -> AsyncIterator[Session]:
        """Go through all sessions, oldest first, in bounded memory."""
        async for session in self._store.scan(Find()):
            yield session

    async def count(
        self,
        *,
        user_id: str | None = None,
        status: SessionStatus | str | None = None,
        tag: str | None = None,
    ) -> int:
        """Count sessions in the engine."""
        return await self._store.count(Find(where=self._where(user_id, status, tag)))

    def _where(
        self, user_id: str | None, status: SessionStatus | str | None, tag: str | None
    ) -> tuple[Condition | AnyOf, ...]:
        chosen = None if status is None else as_status(SessionStatus, status).value
        tagged = () if tag is None else (Condition(f"labels.{TAG}{tag}", "eq", value=True),)
        return equals(user_id=user_id, status=chosen) + tagged

    async def add_interaction(
        self,
        session_id: str,
        type: str,
        content: str = "",
        *,
        thread_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        id: str | None = None,
        created_at: datetime | None = None,
    ) -> Interaction:
        """Note something that happened in a session; raise `NotFound` for an unknown one."""
        if not await self.exists(session_id):
            raise manager.missing(WHAT, session_id, space=self._desk.space)
        interaction = Interaction(
            id=id or self._desk.clock.new_id(),
            session_id=session_id,
            thread_id=thread_id,
            type=check_name(type, field="type"),
            content=content,
            metadata=check_metadata(metadata),
            created_at=self._desk.moment(created_at),
        )
        await self.adopt_interactions(interaction)
        return interaction

    async def adopt_interactions(self, *interactions: Interaction) -> None:
        """Write interactions that were made elsewhere; raise `Conflict` where an id is taken."""
        await manager.add(self._desk, self._interactions, interactions)

    async def interactions(
        self,
        session_id: str,
        *,
        type: str | None = None,
        newest_first: bool = False,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Interaction]:
        """Return a page of what happened in a session, by default the oldest first."""
        find = Find(
            session_id=session_id, where=equals(type=type), order=Order(descending=newest_first)
        )
        return await self._interactions.page(find, limit=limit, cursor=cursor, metadata={})

    async def delete(self, session_id: str, *, cascade: Cascade | str = Cascade.RESTRICT) -> None:
        """Delete a session with its interactions.

        What becomes of threads, history and checkpoints is chosen: `restrict` raises `Conflict`
        while there are any; `detach` keeps them without their session; `all` deletes them too.
        Raises `NotFound` where there is no such session.
        """
        chosen = as_status(Cascade, cascade, field="cascade")
        await self.get(session_id)
        if chosen is Cascade.RESTRICT:
            found = await self._dependants.count(session_id)
            if any(found.values()):
                parts = ", ".join(f"{count} {what}" for what, count in found.items() if count)
                message = (
                    f"session {session_id!r} still has {parts}; delete with cascade='all' to "
                    "delete them too, or cascade='detach' to keep them"
                )
                raise Conflict(message, code="has_dependants", id=session_id, **found)
        changes: list[Change] = []
        if chosen is Cascade.ALL:
            changes += [c async for c in self._dependants.deletions(session_id)]
        elif chosen is Cascade.DETACH:
            changes += [c async for c in self._dependants.detachments(session_id)]
        async for record in self._interactions.headers(Find(session_id=session_id)):
            changes.append(self._interactions.remove(record.key.id))
        changes.append(self._store.remove(session_id))
        await self._desk.commit_in_parts(tuple({c.key: c for c in changes}.values()))


def _tags(tags: Sequence[str]) -> tuple[str, ...]:
    limit = MAX_LABEL_NAME_BYTES - len(TAG)
    return tuple(
        dict.fromkeys(
            check_text(tag, field="tags", limit=limit, limit_name="max_tag_bytes") for tag in tags
        )
    )
