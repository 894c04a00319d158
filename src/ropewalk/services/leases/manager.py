"""`Leases`: let one at a time change something, see who does, and take it back."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Generic

from ...domain.errors import Conflict, Invalid, NotFound
from ...domain.lease import WhenBusy, ttl_micros
from ...domain.record import check_name
from ...stores.base import Find
from ...stores.leases import LeaseStore, TicketStore, lease_of, ticket_of
from ..manager import ATTEMPTS, as_status
from .acquisition import Acquisition, give_back
from .held import Coat, H, HeldLease

if TYPE_CHECKING:
    from ...domain.lease import Lease, Ticket
    from ..desk import Desk

DEFAULT_TTL: Final = 30.0
"""Seconds that a lease lasts unless it is renewed."""


class Leases(Generic[H]):
    """Who alone may change what, by name, in one space.

    Responsible for leases, their fencing tokens and the queues for them; not for what is changed.
    """

    def __init__(self, desk: Desk, *, handle: Callable[[Coat], H]) -> None:
        """Work at `desk`; `handle` makes the handles that holders write by."""
        self._desk = desk
        self._handle = handle
        self._store = LeaseStore(desk.backend, desk.sealer, space=desk.space)
        self._tickets = TicketStore(desk.backend, desk.sealer, space=desk.space)

    @asynccontextmanager
    async def hold(
        self,
        name: str,
        *,
        ttl: float = DEFAULT_TTL,
        wait: float | None = None,
        when_busy: WhenBusy | str | None = None,
        owner: str | None = None,
        cancel_when_lost: bool = False,
    ) -> AsyncGenerator[HeldLease[H], None]:
        """Hold the lease `name` for the block; see `Storage.lease`."""
        chosen = _chosen(when_busy, wait)
        life = timedelta(microseconds=ttl_micros(ttl))
        acquisition = Acquisition(
            self._desk, check_name(name, field="name"), owner=self.owner(owner), ttl=life
        )
        granted = await acquisition.run(chosen, wait=_seconds(wait))
        async with HeldLease(
            self._desk,
            granted,
            ttl=life,
            handle=self._handle,
            cancel_when_lost=cancel_when_lost,
        ) as held:
            yield held

    def owner(self, given: str | None = None) -> str:
        """Return who asks: the name given, this handle's actor, or the process on its machine."""
        if given is not None:
            return check_name(given, field="owner")
        return self._desk.actor or f"{platform.node() or 'localhost'}:{os.getpid()}"

    async def list(self) -> tuple[Lease, ...]:
        """Return what is held now, by whom and until when, with the queues; oldest first."""
        queues: dict[str, list[Ticket]] = {}
        async for record in self._tickets.headers(self._tickets.queue()):
            ticket = ticket_of(record)
            queues.setdefault(ticket.lease, []).append(ticket)
        return tuple(
            [
                replace(lease_of(record), waiting=tuple(queues.get(record.key.id, ())))
                async for record in self._store.headers(Find())
            ]
        )

    async def held(self, names: Sequence[str]) -> dict[str, Lease]:
        """Return who holds these leases, those that are held, all of one moment; no queues."""
        keys = [self._store.key(name) for name in names]
        records = await self._desk.backend.get(keys, bodies=False) if keys else []
        return {record.key.id: lease_of(record) for record in records if record is not None}

    async def find(self, name: str) -> Lease | None:
        """Return a lease with its queue, or `None` where nobody holds it."""
        lease, _ = await self._store.look(name)
        if lease is None:
            return None
        queue = self._tickets.headers(self._tickets.queue(name))
        return replace(lease, waiting=tuple([ticket_of(record) async for record in queue]))

    async def get(self, name: str) -> Lease:
        """Return a lease with its queue; raise `NotFound` where nobody holds it."""
        found = await self.find(name)
        if found is None:
            message = f"nobody holds lease {name!r} in space {self._desk.space!r}"
            raise NotFound(message, what="lease", id=name, space=self._desk.space)
        return found

    async def release(self, name: str, *, owner: str | None = None, force: bool = False) -> bool:
        """Take a lease from its holder, whose writes are refused from then on.

        Only one that `owner` holds (by default, whoever this handle speaks for), unless `force`:
        raises `Conflict` naming the holder otherwise. Returns whether there was one.
        """
        lease, _ = await self._store.look(name)
        if lease is None:
            return False
        if not force and lease.owner != self.owner(owner):
            message = (
                f"lease {name!r} is held by {lease.owner!r} until {lease.until.isoformat()}; ask "
                "for it with interrupt(), or take it away with force=True"
            )
            raise Conflict(message, code="not_owner", lease=name, owner=lease.owner)
        return await give_back(self._desk, lease)

    async def interrupt(self, name: str, *, by: str | None = None) -> bool:
        """Ask the holder of a lease to give it up; return whether there is one.

        The holder's `interrupted` is set within about a second.
        """
        for attempt in range(1, ATTEMPTS + 1):
            lease, _ = await self._store.look(name)
            if lease is None:
                return False
            try:
                await self._desk.commit([await self._store.put_wanted(lease, self.owner(by))])
            except Conflict:
                if attempt == ATTEMPTS:
                    raise
            else:
                break
        return True


def _chosen(when_busy: WhenBusy | str | None, wait: float | None) -> WhenBusy:
    """Return what to do where it is busy: to wait, if a time to wait is all that is said."""
    if when_busy is None:
        return WhenBusy.REJECT if wait is None else WhenBusy.WAIT
    chosen = as_status(WhenBusy, when_busy, field="when_busy")
    if wait is not None and chosen in (WhenBusy.REJECT, WhenBusy.TAKE_OVER):
        message = f"when_busy={chosen.value!r} does not wait: leave out wait, or choose 'wait'"
        raise Invalid(message, code="bad_wait", field="wait")
    return chosen


def _seconds(wait: float | None) -> float | None:
    if wait is not None and (isinstance(wait, bool) or math.isnan(wait) or wait < 0):
        message = f"wait must be a number of seconds, 0 or more, or None; not {wait}"
        raise Invalid(message, code="bad_wait", field="wait")
    return None if wait is None or math.isinf(wait) else wait
