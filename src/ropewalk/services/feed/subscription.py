"""`Subscription`: work through the commits of a space under a name, from where one was before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol, Self

from ...domain.errors import Conflict, Invalid
from .watching import Watcher

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from ...domain.change import Commit
    from ...domain.consumer import Consumer
    from ...domain.interest import Interest
    from ..desk import Desk

_STRIDE: Final = 1_000
"""So many numbers that were for others move the cursor by themselves: it would hold up the log."""


class Cursors(Protocol):
    """Where the cursors of a space, or of a unit of work, are kept."""

    async def get(self, name: str) -> Consumer:
        """Return a consumer as it is now."""
        ...

    async def advance(self, name: str, seq: int, *, token: str) -> None:
        """Move the cursor of a consumer forward, if this is still its token."""
        ...


class Working(Protocol):
    """Something with cursors: the store, or a unit of work."""

    @property
    def consumers(self) -> Cursors:
        """The cursors in it."""
        ...


class Subscription:
    """Use as `async with storage.consumers.open("indexer") as commits:`, and go through it.

    Each commit comes at least once: those behind the cursor come again to whoever opens the
    consumer next. Opening takes it from whoever had it, who from then on can move it no more.
    Otherwise as a `Watcher`.
    """

    def __init__(
        self,
        desk: Desk,
        interest: Interest,
        name: str,
        *,
        claim: Callable[[], Awaitable[Consumer]],
        cursors: Cursors,
    ) -> None:
        """Begin where `claim` says; `cursors` is where the cursor is kept."""
        self._name = name
        self._desk = desk
        self._interest = interest
        self._claim = claim
        self._cursors = cursors
        self._consumer: Consumer | None = None
        self._watcher: Watcher | None = None
        self._delivered = 0

    @property
    def seq(self) -> int:
        """The last number that was acknowledged by this subscription, or before it."""
        return 0 if self._consumer is None else self._consumer.seq

    async def begin(self) -> Consumer:
        """Take the consumer, and its place in the feed; entering the block does so."""
        if self._consumer is None:
            self._consumer = await self._claim()
            self._delivered = self._consumer.seq
        return self._consumer

    async def commit(self, seq: int | None = None, *, unit: Working | None = None) -> None:
        """Acknowledge everything up to the commit `seq`; without one, all that was delivered.

        Within `unit` it happens when that is committed, or not at all: so its effects happen
        exactly once. A smaller number than the last one changes nothing. Raises `Conflict` with
        the code `fenced` where somebody else has opened the consumer since, `NotFound` where it
        was deleted, and `Invalid` for a number that was not delivered.
        """
        consumer = await self.begin()
        reached = consumer.seq if self._watcher is None else self._watcher.position or 0
        if seq is None:
            seq = reached
        elif seq > reached:
            message = (
                f"commit {seq} was not delivered to the consumer {consumer.name!r} yet, which is "
                f"at {reached}: acknowledge what has come"
            )
            raise Invalid(message, code="not_delivered", field="seq", consumer=consumer.name)
        if seq <= consumer.seq:
            return
        cursors = self._cursors if unit is None else unit.consumers
        await cursors.advance(consumer.name, seq, token=consumer.token)
        if unit is None:
            self._consumer = replace(consumer, seq=seq)

    async def aclose(self) -> None:
        """End it; the cursor stays where it was acknowledged."""
        if self._watcher is not None:
            await self._watcher.aclose()

    async def __aenter__(self) -> Self:
        """Take the consumer."""
        await self.begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""
        await self.aclose()

    def __aiter__(self) -> Self:
        """Go through the commits."""
        return self

    async def __anext__(self) -> Commit:
        """Return the next commit, as soon as there is one."""
        consumer = await self.begin()
        if self._watcher is None:
            self._watcher = Watcher(
                self._desk, self._interest, after=consumer.seq, passed=self._move_along
            )
        commit = await anext(self._watcher)
        self._delivered = commit.seq
        return commit

    async def _move_along(self, position: int) -> None:
        """Acknowledge what was for others, where there is nothing else to be acknowledged."""
        if position - self.seq < _STRIDE:
            return
        # A unit of work may have moved the cursor, too.
        consumer = await self._cursors.get(self._name)
        if self._delivered <= consumer.seq < position:
            await self.commit(position)


def fenced(name: str) -> Conflict:
    """Make the error for a consumer that somebody else has opened since."""
    message = (
        f"the consumer {name!r} was opened, or set, by somebody else since: leave it to them, or "
        "open it again to go on from where it is now"
    )
    return Conflict(message, code="fenced", consumer=name)
