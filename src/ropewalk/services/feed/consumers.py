"""`Consumers`: who works through the commits of a space, and how far each of them is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from ...domain.consumer import Consumer, Lag
from ...domain.errors import Conflict
from ...domain.interest import ANYTHING, Interest
from ...domain.limits import check_int64
from ...domain.moment import from_micros
from ...domain.ports import Capability, require
from ...domain.record import check_name
from ...stores.base import Find
from ...stores.consumers import ConsumerStore, consumer_of
from ..manager import ATTEMPTS, missing
from .subscription import Subscription, fenced
from .watching import wanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..desk import Desk

_WHAT: Final = "consumer"


class Consumers:
    """Cursors with names, kept in the store: whoever dies goes on where he was.

    Responsible for how far each consumer is, and whose turn it is; not for what consumers do.
    """

    def __init__(self, desk: Desk) -> None:
        """Keep the consumers of the desk's space."""
        self._desk = desk
        self._store = ConsumerStore(desk.backend, desk.sealer, space=desk.space)

    def open(
        self, name: str, interest: Interest = ANYTHING, *, start: int | None = 0
    ) -> Subscription:
        """Go through the commits that `interest` wants, from behind the cursor of `name`.

        A consumer that is not there yet is made, and begins behind the commit `start`: by default
        with the oldest that is kept, and with `None` with what comes from now on. Whoever had it
        open loses it.
        """
        check_name(name, field="name")
        return Subscription(
            self._desk, interest, name, claim=lambda: self._claim(name, start), cursors=self
        )

    async def list(self) -> tuple[Consumer, ...]:
        """Return the consumers of this space, oldest first."""
        return tuple([consumer_of(record) async for record in self._store.headers(Find())])

    async def get(self, name: str) -> Consumer:
        """Return a consumer; raise `NotFound` where there is none."""
        found = await self._store.look(check_name(name, field="name"))
        if found is None:
            raise missing(_WHAT, name, space=self._desk.space)
        return found

    async def lag(self, name: str, interest: Interest = ANYTHING) -> Lag:
        """Count what a consumer has not acknowledged yet; reads the feed from its cursor on.

        Raises `NotFound` for an unknown consumer, and where what it has not read was forgotten.
        """
        position = (await self.get(name)).seq
        count, since = 0, None
        async for commit in self._desk.backend.feed(position):
            if await wanted(self._desk, interest, commit) is not None:
                count += 1
                since = since or from_micros(commit.at)
        return Lag(count, since)

    async def advance(self, name: str, seq: int, *, token: str) -> None:
        """Move a cursor forward, if `token` is still the consumer's; backward it does not go.

        Raises `Conflict` with the code `fenced` where it is not, and `NotFound` where the
        consumer was deleted.
        """

        def moved(consumer: Consumer) -> Consumer | None:
            if consumer.token != token:
                raise fenced(name)
            return replace(consumer, seq=seq) if seq > consumer.seq else None

        await self._change(name, moved)

    async def reset(self, name: str, to: int | None = 0) -> Consumer:
        """Set a cursor behind the commit `to`, or behind all there is now; return the consumer.

        Whoever has it open loses it. Raises `NotFound` for an unknown consumer.
        """
        seq = await self._place(to)
        await self._change(name, lambda c: replace(c, seq=seq, token=uuid4().hex))
        return await self.get(name)

    async def delete(self, name: str) -> None:
        """Forget a consumer; raise `NotFound` where there is none."""
        applied = await self._desk.commit([self._store.remove(check_name(name, field="name"))])
        if applied.previous == (0,):
            raise missing(_WHAT, name, space=self._desk.space)

    async def _claim(self, name: str, start: int | None) -> Consumer:
        require(self._desk.backend, Capability.FEED)
        if await self._store.look(name) is None:
            fresh = Consumer(
                name=name,
                seq=await self._place(start),
                token=uuid4().hex,
                created_at=self._desk.now(),
            )
            try:
                await self._desk.commit([await self._store.put(fresh, expect=0)])
            except Conflict:
                # Somebody else was first: the last to come has it.
                return await self._claimed(name)
            return fresh
        return await self._claimed(name)

    async def _claimed(self, name: str) -> Consumer:
        return await self._change(name, lambda consumer: replace(consumer, token=uuid4().hex))

    async def _place(self, seq: int | None) -> int:
        if seq is None:
            return await self._desk.backend.changed(-1)
        return max(check_int64(seq, field="seq"), 0)

    async def _change(self, name: str, edit: Callable[[Consumer], Consumer | None]) -> Consumer:
        """Write a consumer as `edit` says, from what it is now; `None` leaves it as it is."""
        attempt = 1
        while True:
            consumer = await self.get(name)
            edited = edit(consumer)
            if edited is None:
                return consumer
            try:
                await self._desk.commit([await self._store.put(edited, expect=consumer.version)])
            except Conflict:
                if attempt == ATTEMPTS:
                    raise
                attempt += 1
            else:
                return edited
