"""`HeldLease`: a lease in the hands of its holder: renewed by itself, and on every write."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar

from ...domain.errors import Conflict, RopewalkError, Unavailable
from ...domain.lease import LEASE_LOST, Lease
from ...stores.leases import LeaseStore
from ..unit import Unit
from .acquisition import PATIENCE, give_back
from .fenced import Fenced
from .shield import to_the_end

if TYPE_CHECKING:
    from types import TracebackType

    from ...domain.ports import Backend
    from ..desk import Desk

H = TypeVar("H")

Coat = Callable[["Backend"], "Backend"]
"""What a back end looks like to the holder of a lease."""

_LOOK: Final = 1.0
"""Seconds after which the holder looks whether it was asked to give up, or has lost the lease."""


class HeldLease(Generic[H]):
    """What the block of `storage.lease()` gets.

    Write by `storage`, a handle like any other, or by `unit()`: every batch of theirs goes
    through only while the lease is held, and raises `Conflict` with the code `lease_lost`, naming
    the holder of now, afterwards. `lost` and `interrupted` are events to wait for: the lease is
    somebody else's or expired, and somebody asked for it.
    """

    def __init__(
        self,
        desk: Desk,
        lease: Lease,
        *,
        ttl: timedelta,
        handle: Callable[[Coat], H],
        cancel_when_lost: bool,
    ) -> None:
        """Hold `lease`, which was granted at `desk`; `handle` makes handles to the store."""
        self._plain = desk
        self._lease = lease
        self._ttl = ttl
        self._handle = handle
        self._store = LeaseStore(desk.backend, desk.sealer, space=desk.space)
        self.desk: Desk = desk.over(self._fenced(desk.backend))
        """What services write at for the holder."""
        self.lost: asyncio.Event = asyncio.Event()
        self.interrupted: asyncio.Event = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._is_over = False
        self._is_lost = False
        self._cancel_when_lost = cancel_when_lost
        self._has_cancelled = False
        self._cancelling = 0
        self._task: asyncio.Task[object] | None = None
        self._guard: asyncio.Task[None] | None = None
        self._renew_at = self._due()

    @property
    def name(self) -> str:
        """What the lease is for."""
        return self._lease.name

    @property
    def owner(self) -> str:
        """Who holds it."""
        return self._lease.owner

    @property
    def token(self) -> int:
        """The fencing token: greater than that of every holder before."""
        return self._lease.token

    @property
    def since(self) -> datetime:
        """When it was granted."""
        return self._lease.since

    @property
    def until(self) -> datetime:
        """When it expires unless it is renewed."""
        return self._lease.until

    @property
    def is_held(self) -> bool:
        """Whether it is held, as far as is known without asking the store."""
        return not (self._is_over or self._is_lost) and self._plain.now() < self._lease.until

    @cached_property
    def storage(self) -> H:
        """The handle whose writes carry the fencing token."""
        return self._handle(self._fenced)

    def unit(self) -> Unit:
        """Begin a unit of work whose commit carries the fencing token."""
        return Unit(self.desk)

    async def renew(self) -> None:
        """Let the lease last its whole time from now on; it is renewed in the background anyway.

        Raises `Conflict` with the code `lease_lost` where it is held no more.
        """
        self._renew_at = self._lease.since
        while self._renew_at <= self._plain.now():
            if not await self._look():
                raise await self._refusal()

    async def release(self) -> None:
        """Give the lease back before the block ends; nothing can be written by it from then on."""
        if self._is_over:
            return
        self._is_over = True
        trouble = await self._stop_guard()
        await give_back(self._plain, self._lease)
        if trouble is not None:
            raise trouble

    async def __aenter__(self) -> Self:
        """Begin to renew."""
        self._task = asyncio.current_task()
        self._cancelling = self._task.cancelling() if self._task else 0
        self._guard = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the lease back, whatever happens meanwhile."""
        task, self._task = self._task, None
        try:
            await to_the_end(self.release(), seconds=PATIENCE)
        except RopewalkError as trouble:
            if error is None:
                raise
            # The lease expires by itself; what ended the block is what the caller must know.
            error.add_note(f"lease {self.name!r} could not be given back: {trouble}")
        except asyncio.CancelledError as cancellation:
            if not self._was_own(task):
                raise
            raise await self._refusal() from cancellation
        if self._was_own(task) and isinstance(error, asyncio.CancelledError):
            raise await self._refusal() from error

    def _was_own(self, task: asyncio.Task[object] | None) -> bool:
        """Tell whether a cancellation came from the loss of the lease and from nothing else."""
        if task is None or not self._has_cancelled:
            return False
        self._has_cancelled = False
        return task.uncancel() <= self._cancelling

    def _fenced(self, backend: Backend) -> Backend:
        check = self._store.check(self._lease)
        return Fenced(backend, check, refuse=self._refusal)

    async def _refusal(self) -> Conflict:
        """Make the error for a write without the lease, naming who has it now."""
        present, token = await self._store.look(self.name)
        self._lose()
        if present is None:
            now, owner = "nobody holds it now", None
        else:
            now, owner = f"{present.owner!r} holds it now with token {present.token}", present.owner
        how = "was given back" if self._is_over else "expired or was taken away"
        message = (
            f"lease {self.name!r} of {self.owner!r} (token {self.token}) {how}, and nothing was "
            f"written: {now}; acquire it anew and read again before you go on"
        )
        return Conflict(
            message,
            code=LEASE_LOST,
            key=self._store.key(self.name),
            lease=self.name,
            token=self.token,
            owner=owner,
            current=token,
        )

    def _lose(self) -> None:
        """Tell the holder, who may be on another event loop than the one that found out."""
        if self._is_over or self._is_lost:
            return
        self._is_lost = True
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self.lost.set()
        if self._cancel_when_lost and self._task is not None:
            self._has_cancelled = True
            self._task.cancel(f"lease {self.name!r} is lost")

    async def _watch(self) -> None:
        """Renew, and notice what happens to the lease, until it is lost."""
        while True:
            left = (self._renew_at - self._plain.now()).total_seconds()
            await asyncio.sleep(min(max(left, 0.0), _LOOK))
            try:
                if not await self._look():
                    return
            except Unavailable:
                # The store may be back before the time is up; afterwards the lease is lost.
                if self._plain.now() >= self._lease.until:
                    self._lose()
                    return
                self._renew_at = self._plain.now() + self._ttl / 20
            except RopewalkError:
                self._lose()
                raise

    async def _look(self) -> bool:
        """Look at the lease and renew it if that is due; tell whether it is still held."""
        present, _ = await self._store.look(self.name)
        if present is None or (present.token, present.since) != (self.token, self.since):
            self._lose()
            return False
        if present.wanted_by is not None:
            self.interrupted.set()
        now = self._plain.now()
        if now < self._renew_at:
            return True
        longer = replace(present, until=now + self._ttl)
        change = await self._store.put(longer, expect=present.version)
        try:
            applied = await self._plain.commit([change])
        except Conflict as error:
            if error.facts.get("key") != change.key:
                raise
            # Somebody asked for it, or took it, in this moment: look again at once.
            return True
        self._lease = replace(longer, version=applied.versions[0])
        self._renew_at = self._due()
        return True

    def _due(self) -> datetime:
        """Return when to renew: at about a third of the time, not all holders at once."""
        part = random.uniform(0.25, 0.35)  # noqa: S311
        return self._lease.until - self._ttl * (1 - part)

    async def _stop_guard(self) -> BaseException | None:
        """Stop renewing; return what the renewing stumbled on, if anything."""
        guard, self._guard = self._guard, None
        if guard is None:
            return None
        guard.cancel()
        await asyncio.wait({guard})
        return None if guard.cancelled() else guard.exception()
