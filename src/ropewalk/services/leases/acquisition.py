"""`Acquisition`: get a lease, at once, in turn, or from whoever has it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ...domain.change import ABSENT, Delete
from ...domain.errors import Conflict, RopewalkError, Unavailable
from ...domain.lease import Lease, Ticket, WhenBusy
from ...domain.moment import from_micros
from ...stores.leases import LeaseStore, TicketStore, ticket_of
from ..checkpoints.saver import wait_after
from ..feed.news import News
from .fenced import unfenced
from .shield import to_the_end

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...domain.change import Change
    from ..desk import Desk

PATIENCE: Final = 5.0
"""Seconds that something which must not be left half done gets after a cancellation."""

_TICKET: Final = timedelta(seconds=5)
"""How long a place in the queue is kept for somebody who shows no sign of life."""

_NAP: Final = 1.0
"""Longest time in seconds between two looks: clocks may be set, and stores be restored."""

_BLINK: Final = 0.001

_MOST_ATTEMPTS: Final = 8
"""After so many, the time between two attempts to take over grows no more."""


@dataclass(frozen=True, slots=True)
class _View:
    """What somebody who wants a lease finds: who has it, the last token, who is first in line."""

    lease: Lease | None
    token: int
    first: Ticket | None


class Acquisition:
    """One attempt, by one task, to get the lease `name` for `owner`, for `ttl` at first."""

    def __init__(self, desk: Desk, name: str, *, owner: str, ttl: timedelta) -> None:
        """Ask for it at `desk`."""
        self._desk = desk
        self._leases = LeaseStore(desk.backend, desk.sealer, space=desk.space)
        self._tickets = TicketStore(desk.backend, desk.sealer, space=desk.space)
        self._name = name
        self._owner = owner
        self._ttl = ttl
        self._ticket: Ticket | None = None
        self._asked = 0
        self._granted: Lease | None = None

    async def run(self, when_busy: WhenBusy, *, wait: float | None) -> Lease:
        """Return the lease, once it is granted.

        `wait` is in seconds; `None` waits as long as it takes. Raises `Unavailable` with the code
        `busy`, naming the holder, where it is not granted. However this ends, neither a place in
        the queue is left behind nor a lease that nobody knows of.
        """
        try:
            return await self._until_granted(when_busy, wait)
        except BaseException as error:
            try:
                await to_the_end(self._give_back(), seconds=PATIENCE)
            except RopewalkError as trouble:
                error.add_note(f"what is left of asking for {self._name!r} expires: {trouble}")
            raise

    async def _until_granted(self, when_busy: WhenBusy, wait: float | None) -> Lease:
        loop = asyncio.get_running_loop()
        deadline = None if wait is None else loop.time() + wait
        news = News(self._desk.backend)
        attempt = 1
        while True:
            if self._ticket is not None:
                await news.begin()
            view = await self._look()
            if view.first is None:
                # The queue is empty: a place that this task had was let expire.
                self._ticket = None
            if self._may_have(view, when_busy):
                granted = await to_the_end(self._grant(view), seconds=PATIENCE)
                if granted is not None:
                    return granted
                # Somebody was quicker: look again. Only who takes over can meet many times.
                if when_busy is WhenBusy.TAKE_OVER:
                    await wait_after(min(attempt, _MOST_ATTEMPTS))
                    attempt += 1
                continue
            left = _NAP if deadline is None else deadline - loop.time()
            if when_busy is WhenBusy.REJECT or left <= 0:
                raise busy(self._name, view.lease, view.first)
            if when_busy is WhenBusy.INTERRUPT:
                await self._ask(view.lease)
            if await to_the_end(self._line_up(), seconds=PATIENCE):
                # From here on a commit cannot be missed: look once more before the first nap.
                continue
            await news.wait(min(left, self._nap(view)))

    async def _look(self) -> _View:
        first: Ticket | None = None
        async for record in self._tickets.headers(self._tickets.queue(self._name, limit=1)):
            first = ticket_of(record)
        lease, token = await self._leases.look(self._name)
        return _View(lease, token, first)

    def _may_have(self, view: _View, when_busy: WhenBusy) -> bool:
        if when_busy is WhenBusy.TAKE_OVER:
            return True
        if view.lease is not None:
            return False
        own = None if self._ticket is None else self._ticket.id
        return view.first is None or view.first.id == own

    async def _grant(self, view: _View) -> Lease | None:
        """Take the lease as `view` shows it; return `None` where somebody was quicker."""
        now = self._desk.now()
        lease = Lease(
            name=self._name,
            owner=self._owner,
            token=view.token + 1,
            since=now,
            until=now + self._ttl,
            renewed_at=now,
        )
        expected = ABSENT if view.lease is None else view.lease.version
        changes: list[Change] = [
            await self._leases.put(lease, expect=expected),
            self._leases.raised(self._name, counted=view.token),
        ]
        if self._ticket is not None:
            changes.append(
                Delete(key=self._tickets.key(self._ticket.id), expect=self._ticket.version)
            )
        try:
            applied = await self._desk.commit(changes)
        except Conflict as error:
            if not _about(error, changes):
                raise
            return None
        self._ticket = None
        self._granted = replace(lease, version=applied.versions[0])
        return self._granted

    async def _ask(self, lease: Lease | None) -> None:
        """Ask the holder to give up, once for each holder."""
        if lease is None or lease.token == self._asked:
            return
        change = await self._leases.put_wanted(lease, self._owner)
        try:
            await self._desk.commit([change])
        except Conflict as error:
            if not _about(error, [change]):
                raise
            return  # renewed or given up in this moment: the next look tells
        self._asked = lease.token

    async def _line_up(self) -> bool:
        """Take a place in the queue, or keep it; tell whether it is a new one."""
        now = self._desk.now()
        known = self._ticket
        life = min(_TICKET, max(self._ttl, timedelta(seconds=1)))
        if known is not None and known.until - now > life / 2:
            return False
        ticket = Ticket(
            id=self._desk.clock.new_id() if known is None else known.id,
            lease=self._name,
            owner=self._owner,
            since=now if known is None else known.since,
            until=now + life,
        )
        expected = ABSENT if known is None else known.version
        # From now on there may be one: whatever happens, it is given back.
        self._ticket = replace(ticket, version=expected)
        change = await self._tickets.put(ticket, expect=expected)
        try:
            applied = await self._desk.commit([change])
        except Conflict as error:
            if not _about(error, [change]):
                raise
            # It was let expire, and others have moved up: take a new one, at the end.
            self._ticket = None
            return True
        self._ticket = replace(ticket, version=applied.versions[0])
        return known is None

    def _nap(self, view: _View) -> float:
        """Return the seconds until something happens that no commit tells."""
        now = self._desk.now()
        left = [] if view.lease is None else [view.lease.until - now]
        if view.first is not None:
            left.append(view.first.until - now)
        if self._ticket is not None:
            left.append((self._ticket.until - now) / 2)
        return min(max(min(left).total_seconds(), _BLINK), _NAP) if left else _BLINK

    async def _give_back(self) -> None:
        """Leave the queue, and give back what was granted to somebody who went away."""
        if self._ticket is not None:
            await self._desk.commit([self._tickets.remove(self._ticket.id)])
        if self._granted is not None:
            await give_back(self._desk, self._granted)


async def give_back(desk: Desk, lease: Lease) -> bool:
    """Remove a lease if it is still the one with this token; tell whether it was."""
    desk = desk.over(unfenced(desk.backend))
    store = LeaseStore(desk.backend, desk.sealer, space=desk.space)
    version = lease.version
    while True:
        change = store.remove(lease.name, expect=version)
        try:
            await desk.commit([change])
        except Conflict as error:
            if not _about(error, [change]):
                raise
            present, _ = await store.look(lease.name)
            if present is None or (present.token, present.since) != (lease.token, lease.since):
                return False
            version = present.version
        else:
            return True


def _about(error: Conflict, changes: Sequence[Change]) -> bool:
    """Tell whether a conflict is about one of these changes, and not about another lease."""
    return any(error.facts.get("key") == change.key for change in changes)


def busy(name: str, lease: Lease | None, first: Ticket | None) -> Unavailable:
    """Make the error for somebody who did not get a lease, naming who has it and until when."""
    if lease is not None:
        message = (
            f"lease {name!r} is held by {lease.owner!r} until {lease.until.isoformat()}; wait "
            "longer, ask for it with when_busy='interrupt', or take it with when_busy='take_over'"
        )
        facts: dict[str, object] = {"owner": lease.owner, "until": lease.until}
        return Unavailable(message, code="busy", lease=name, token=lease.token, **facts)
    owner = "somebody else" if first is None else first.owner
    until = from_micros(0) if first is None else first.until
    message = f"lease {name!r} is free, and {owner!r} is next in line for it: wait in turn"
    return Unavailable(message, code="busy", lease=name, owner=owner, until=until)
