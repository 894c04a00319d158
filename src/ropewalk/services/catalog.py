"""`Catalog`: what there is, told from headers alone: names by their beginning, counts, sizes."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

from ..domain.history import EntryKind
from ..domain.moment import from_micros
from ..domain.query import NEWEST_FIRST, Condition, Order, Query
from ..domain.record import Key
from ..stores.base import Find
from ..stores.checkpoints import CheckpointStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from ..domain.checkpoint import CheckpointHeader
    from ..domain.page import Page
    from ..domain.record import Record
    from .desk import Desk

ENTRIES: Final = tuple(kind.value for kind in EntryKind)
"""The kinds of history entries."""

WORK: Final = (*ENTRIES, "interaction", "checkpoint")
"""The kinds of records that are left behind by somebody's work."""

NAMED: Final = ("session", "thread", "branch", "snapshot", "checkpoint", *ENTRIES)
"""The kinds of records that people speak of by id."""

_BY_ID: Final = Order("id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Something that has an id: its kind, its parents and when it was made."""

    kind: str
    id: str
    session_id: str | None
    thread_id: str | None
    created_at: datetime


class Catalog:
    """Answers for lists and look-ups; no body is opened, and every answer is one query.

    Each count is of the whole space unless a session or a thread is given; a thread's are of its
    own records, without what it was forked from.
    """

    def __init__(self, desk: Desk) -> None:
        """Look into the space of `desk`."""
        self._desk = desk
        self._checkpoints = CheckpointStore(desk.backend, desk.sealer, space=desk.space)

    async def named(
        self, prefix: str, *, kinds: Sequence[str] = NAMED, limit: int = 10
    ) -> tuple[Named, ...]:
        """Return up to `limit` things whose id begins with `prefix`, sorted by id."""
        query = replace(self._query(kinds), order=_BY_ID, limit=limit)
        rows = self._desk.backend.scan(query.only(Condition("id", "prefix", prefix)))
        return tuple([_named(record) async for record in rows])

    async def exactly(self, id: str, *, kinds: Sequence[str] = NAMED) -> tuple[Named, ...]:
        """Return everything that has this very id, at most one thing of each kind."""
        keys = [Key(self._desk.space, kind, id) for kind in kinds]
        records = await self._desk.backend.get(keys, bodies=False)
        return tuple(_named(record) for record in records if record is not None)

    async def turns(self, *, session_id: str | None = None, thread_id: str | None = None) -> int:
        """Count the messages of users."""
        query = self._query(("message",), session_id, thread_id)
        return await self._count(query.only(Condition("labels.role", "eq", "user")))

    async def forks(self, *, session_id: str | None = None, thread_id: str | None = None) -> int:
        """Count the threads that were forked: those of a session, or those from a thread."""
        query = self._query(("thread",), session_id)
        wanted = (
            Condition("labels.parent", "exists", value=True)
            if thread_id is None
            else Condition("labels.parent", "eq", thread_id)
        )
        return await self._count(query.only(wanted))

    async def threads(self, session_id: str) -> int:
        """Count the threads of a session."""
        return await self._count(self._query(("thread",), session_id))

    async def last_work(
        self, *, session_id: str | None = None, thread_id: str | None = None
    ) -> datetime | None:
        """Return when the newest of its entries, interactions and checkpoints was made."""
        query = replace(self._query(WORK, session_id, thread_id), order=NEWEST_FIRST, limit=1)
        rows = cast("AsyncGenerator[Record, None]", self._desk.backend.scan(query))
        async with aclosing(rows):
            async for record in rows:
                return from_micros(record.created_at)
        return None

    async def checkpoint_bytes(
        self, *, session_id: str | None = None, thread_id: str | None = None
    ) -> int:
        """Add up the sealed states of checkpoints, in bytes."""
        query = self._query(("checkpoint",), session_id, thread_id)
        [row] = await self._desk.backend.tally(query, ["size"])
        return int(row.sums[0])

    async def checkpoints(
        self,
        *,
        session_id: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[CheckpointHeader]:
        """Return a page of checkpoints of all threads, newest first, without states."""
        find = Find(session_id=session_id, order=NEWEST_FIRST)
        return await self._checkpoints.page(find, limit=limit, cursor=cursor, metadata={})

    async def _count(self, query: Query) -> int:
        [row] = await self._desk.backend.tally(query)
        return row.count

    def _query(
        self,
        kinds: Sequence[str],
        session_id: str | None = None,
        thread_id: str | None = None,
    ) -> Query:
        return Query(
            space=self._desk.space,
            kinds=tuple(kinds),
            session_id=session_id,
            thread_id=thread_id,
            bodies=False,
        )


def _named(record: Record) -> Named:
    return Named(
        kind=record.key.kind,
        id=record.key.id,
        session_id=record.session_id,
        thread_id=record.thread_id,
        created_at=from_micros(record.created_at),
    )
