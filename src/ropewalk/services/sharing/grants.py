"""`Grants`: let other spaces see or change some of this one, and take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...domain.errors import Invalid, NotFound
from ...domain.grant import Grant, Mode, Scope
from ...domain.moment import from_micros, to_micros
from ...domain.query import Condition, Query
from ...domain.record import Key, check_name
from ...stores.base import Find
from ...stores.grants import GRANT, TO, GrantStore
from ..manager import as_status, missing
from .coverage import CLOSED, PIECES, SESSION
from .reach import Reach
from .refusal import no_owner

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from ...domain.ports import Backend
    from ..desk import Desk

_WHAT: Final = "grant"


class Grants:
    """What this space gives to others, and what others have given to it.

    Responsible for who may see what of whom, and until when. A space gives what is its own, and
    nothing of what it was given.
    """

    def __init__(self, desk: Desk, ground: Backend, *, reach: Reach) -> None:
        """Work at `desk`; `ground` is the whole store, where the grants of others are found."""
        self._desk = desk
        self._ground = ground
        self._reach = reach
        self._store = GrantStore(desk.backend, desk.sealer, space=desk.space)

    async def give(
        self,
        to: str,
        *,
        kind: str | None = None,
        session_id: str | None = None,
        whole: bool = False,
        mode: Mode | str = Mode.READ,
        expires_at: datetime | None = None,
        ttl: timedelta | None = None,
        note: str = "",
    ) -> Grant:
        """Let the space `to` read, or change, records of a kind, a session, or the whole space.

        A session comes with its threads, what was said on them and their checkpoints. Given
        again, mode, time and note are replaced. It ends at `expires_at` or after `ttl`, by the
        clock of the store. Raises `NotFound` for an unknown session, and `Invalid` for what
        cannot be given.
        """
        self._check_owner("giving")
        grant = self._made(
            to, _scope(kind, session_id, whole=whole), mode, self._ending(expires_at, ttl), note
        )
        if session_id is not None:
            session = Key(self._desk.space, SESSION, session_id)
            [record] = await self._desk.backend.get([session], bodies=False)
            if record is None:
                raise missing(SESSION, session_id, space=self._desk.space)
        await self._desk.commit([await self._store.put(grant, expect=None)])
        return await self.get(grant.id)

    def _made(
        self, to: str, scope: Scope, mode: Mode | str, expires_at: datetime | None, note: str
    ) -> Grant:
        if check_name(to, field="to") == self._desk.space:
            message = f"space {to!r} has everything of its own already; give to another space"
            raise Invalid(message, code="own_space", field="to")
        return Grant(
            space=self._desk.space,
            to=to,
            scope=scope,
            mode=as_status(Mode, mode, field="mode"),
            created_at=self._desk.now(),
            expires_at=expires_at,
            note=note,
        )

    def _ending(self, expires_at: datetime | None, ttl: timedelta | None) -> datetime | None:
        field = "expires_at" if ttl is None else "ttl"
        if ttl is not None:
            if expires_at is not None:
                message = "a grant ends at expires_at or after ttl: give one of both"
                raise Invalid(message, code="bad_time", field="ttl")
            expires_at = self._desk.now() + ttl
        if expires_at is None:
            return None
        micros = to_micros(expires_at, field="expires_at")
        if micros <= self._desk.clock.now():
            message = f"the grant would have ended at {expires_at.isoformat()}: give a later time"
            raise Invalid(message, code="bad_time", field=field)
        return from_micros(micros)

    async def get(self, grant_id: str) -> Grant:
        """Return a grant that this space has given; raise `NotFound` where there is none."""
        self._check_owner("looking at what a space has given")
        found = await self._store.find(grant_id)
        if found is None:
            raise self._missing(grant_id)
        return found

    async def revoke(self, grant_id: str) -> None:
        """Take a grant back: the next call of its receiver is refused.

        A write that is under way either was before or fails. Raises `NotFound` where there is no
        such grant (any more).
        """
        self._check_owner("revoking")
        applied = await self._desk.commit([self._store.remove(check_name(grant_id, field="id"))])
        if applied.previous == (0,):
            raise self._missing(grant_id)

    async def given(self, *, to: str | None = None) -> tuple[Grant, ...]:
        """Return the grants of this space that hold now, oldest first; all, or those of one."""
        self._check_owner("looking at what a space has given")
        where = () if to is None else (Condition(f"labels.{TO}", "eq", to),)
        return tuple([grant async for grant in self._store.scan(Find(where=where))])

    async def received(self) -> tuple[Grant, ...]:
        """Return the grants that other spaces have given to this one, oldest first."""
        self._check_owner("looking at what a space has received")
        query = Query(
            space=None,
            kinds=(GRANT,),
            where=(Condition(f"labels.{TO}", "eq", self._desk.space),),
        )
        return tuple([await self._store.open(record) async for record in self._ground.scan(query)])

    def _missing(self, grant_id: str) -> NotFound:
        return missing(_WHAT, grant_id, space=self._desk.space)

    def _check_owner(self, what: str) -> None:
        if self._reach is Reach.GRANTS:
            raise no_owner(what)


def _scope(kind: str | None, session_id: str | None, *, whole: bool) -> Scope:
    given = [kind is not None, session_id is not None, whole]
    if sum(given) != 1:
        message = "say what is given, one thing: kind=..., session_id=... or whole=True"
        raise Invalid(message, code="bad_scope", field="kind")
    if kind in PIECES | CLOSED:
        message = (
            f"records of kind {kind!r} are parts of others, or not for others: give the kind they "
            "belong to, or the whole space"
        )
        raise Invalid(message, code="bad_scope", field="kind", kind=kind)
    return Scope(kind=kind, session_id=session_id)
