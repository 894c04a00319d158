"""`BreakerLayer`: leaves a store alone that keeps failing, so that its callers fail at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from time import monotonic
from typing import TypeVar

from ..domain.change import Applied, Batch, Commit
from ..domain.health import Health, State
from ..domain.paging import Portion, page_of
from ..domain.ports import Backend
from ..domain.query import Query
from ..domain.record import Key, Record
from ..domain.tally import Tally
from .base import Layer, stop
from .circuit import Circuit
from .options import check_count, check_seconds, check_share

T = TypeVar("T")


class BreakerLayer(Layer):
    """Refuse calls at once, with `Unavailable("circuit_open")`, while the store keeps failing.

    There are two circuits, one for `apply` and one for the verbs that read: a full disk stops
    writing, and reading goes on. `Circuit` says when they open and close, and what the options
    mean. Only `Unavailable` counts as a failure; `Conflict`, `NotFound` and `Corrupt` are answers
    of a store that works, and a cancelled call says nothing. A scan or a feed counts as answered
    with its first record. The error says until when and why, and has the last failure as its
    cause; `ping` tells both circuits, and still looks at the store itself.
    """

    def __init__(
        self,
        below: Backend,
        *,
        window: int = 5,
        rate: float = 1.0,
        pause: float = 1.0,
        longest: float = 60.0,
    ) -> None:
        """Stand round `below`."""
        super().__init__(below)
        window = check_count(window, field="layer.breaker.window")
        rate = check_share(rate, field="layer.breaker.rate")
        pause = check_seconds(pause, field="layer.breaker.pause")
        longest = check_seconds(longest, field="layer.breaker.longest")
        self._reading, self._writing = (
            Circuit(verb, window=window, rate=rate, pause=pause, longest=max(pause, longest))
            for verb in ("reading", "writing")
        )

    async def open(self) -> None:
        """Open the backend below, and begin anew with circuits that are closed."""
        await super().open()
        self._reading.reset()
        self._writing.reset()

    async def ping(self, *, thorough: bool = False) -> Health:
        """Say how the backend below is, and what is not let through to it."""
        health = await self._below.ping(thorough=thorough)
        now = self.now()
        circuits = {"reading": self._reading, "writing": self._writing}
        phases = {name: circuit.phase(now) for name, circuit in circuits.items()}
        reasons = [reason for circuit in circuits.values() if (reason := circuit.reason(now))]
        state = health.state
        if len(reasons) == len(circuits):
            state = State.DOWN
        elif reasons and state is State.HEALTHY:
            state = State.DEGRADED
        facts = {f"circuit_{name}": str(phase) for name, phase in phases.items()}
        return replace(
            health,
            state=state,
            reasons=(*health.reasons, *reasons),
            facts={**health.facts, **facts},
        )

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return the live records of `keys`, unless reading keeps failing."""
        return await self._try(self._reading, lambda: self._below.get(keys, bodies=bodies))

    async def apply(self, batch: Batch) -> Applied:
        """Do every change of the batch, unless writing keeps failing."""
        return await self._try(self._writing, lambda: self._below.apply(batch))

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Count and add up, unless reading keeps failing."""
        return await self._try(self._reading, lambda: self._below.tally(query, sums, group_by))

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through the matching records, unless reading keeps failing."""
        async with aclosing(self._follow(lambda: self._below.scan(query))) as records:
            async for record in records:
                yield record

    async def page(self, query: Query) -> Portion | None:
        """Read the beginning of an answer, unless reading keeps failing."""
        return await self._try(self._reading, lambda: page_of(self._below, query))

    async def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Go through the commits, unless reading keeps failing."""
        async with aclosing(self._follow(lambda: self._below.feed(after))) as commits:
            async for commit in commits:
                yield commit

    async def changed(self, after: int) -> int:
        """Wait for a commit, unless reading keeps failing.

        The circuit is told whether the store answers, and nothing of how long nothing happens.
        """
        newest = await self._try(self._reading, lambda: self._below.changed(-1))
        return newest if newest > after else await self._below.changed(after)

    async def trim(self, before: int) -> int:
        """Forget commits, unless writing keeps failing."""
        return await self._try(self._writing, lambda: self._below.trim(before))

    def now(self) -> float:
        """Return the seconds of a clock that never goes back."""
        return monotonic()

    async def _try(self, circuit: Circuit, call: Callable[[], Awaitable[T]]) -> T:
        leave = circuit.enter(self.now())
        try:
            answer = await call()
        except BaseException as error:
            circuit.leave(leave, error, self.now())
            raise
        circuit.leave(leave, None, self.now())
        return answer

    async def _follow(self, begin: Callable[[], AsyncIterator[T]]) -> AsyncGenerator[T]:
        circuit = self._reading
        leave = circuit.enter(self.now())
        answered = False
        items = begin()
        try:
            async for item in items:
                if not answered:
                    # Whoever follows may take hours over it: the others need not wait for him.
                    circuit.leave(leave, None, self.now())
                    answered = True
                yield item
        except BaseException as error:
            circuit.leave(leave, error, self.now())
            raise
        finally:
            await stop(items)
        if not answered:
            circuit.leave(leave, None, self.now())
