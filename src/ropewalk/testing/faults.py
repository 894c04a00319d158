"""Layers that bring trouble on purpose: `Flaky` loses answers, `Slow` gives way, `Torn` breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from enum import StrEnum
from random import Random
from typing import Final, TypeVar

from ..domain.change import Applied, Batch, Commit
from ..domain.errors import Unavailable
from ..domain.ports import Backend
from ..domain.query import Query
from ..domain.record import Key, Record
from ..domain.tally import Tally
from ..layers.base import Layer, stop

T = TypeVar("T")

Pause = Callable[[], Awaitable[object]]
"""Something to wait for between two steps: a turn of the loop, an event, a barrier."""


class Fault(StrEnum):
    """What happens to one call."""

    NONE = "none"
    """It goes through."""
    BEFORE = "before"
    """It fails before it reaches the store: nothing happened."""
    AFTER = "after"
    """It takes effect, and then the answer is lost."""


FAULTS: Final = (Fault.BEFORE, Fault.AFTER)


class Flaky(Layer):
    """Raise `Unavailable` now and then, before or after the call took effect.

    The first calls of the five verbs follow `plan`, one entry each; the calls after it fail with
    probability `rate`, drawn by `seed`, so that a run can be repeated. A scan or a feed whose
    answer is lost breaks off at its end.
    """

    def __init__(
        self, below: Backend, *, plan: Iterable[Fault] = (), rate: float = 0.0, seed: int = 0
    ) -> None:
        super().__init__(below)
        self._plan = iter(tuple(plan))
        self._rate = rate
        self._random = Random(seed)  # noqa: S311 (repeatable, not secret)
        self.failures = 0

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Read, or fail before or after it."""
        async with self._chance("get"):
            return await self.below.get(keys, bodies=bodies)

    async def apply(self, batch: Batch) -> Applied:
        """Apply, or fail before it, or fail after it was done."""
        async with self._chance("apply"):
            return await self.below.apply(batch)

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Scan, or fail at the beginning or at the end."""
        async with self._chance("scan"), _ended(self.below.scan(query)) as records:
            async for record in records:
                yield record

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Count, or fail before or after it."""
        async with self._chance("tally"):
            return await self.below.tally(query, sums, group_by)

    async def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Tell the commits, or fail at the beginning or at the end."""
        async with self._chance("feed"), _ended(self.below.feed(after)) as commits:
            async for commit in commits:
                yield commit

    @asynccontextmanager
    async def _chance(self, verb: str) -> AsyncGenerator[None]:
        fault = next(self._plan, None)
        if fault is None:
            unlucky = self._random.random() < self._rate
            fault = self._random.choice(FAULTS) if unlucky else Fault.NONE
        if fault is Fault.BEFORE:
            self._fail(f"{verb} did not reach the store")
        yield
        if fault is Fault.AFTER:
            self._fail(f"{verb} reached the store, and its answer was lost")

    def _fail(self, message: str) -> None:
        self.failures += 1
        raise Unavailable(f"{message}: try again", code="flaky")


class Slow(Layer):
    """Wait before and after every call and between any two records, so that races come out.

    Each wait is `pause`; without one, between none and `most` turns of the event loop, drawn by
    `seed`. The wait after a write makes callers that are cancelled then lose an answer.
    """

    def __init__(
        self, below: Backend, *, pause: Pause | None = None, most: int = 3, seed: int = 0
    ) -> None:
        super().__init__(below)
        self._most = most
        self._random = Random(seed)  # noqa: S311 (repeatable, not secret)
        self._pause = self._turns if pause is None else pause

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Read, slowly."""
        return await self._slowly(lambda: self.below.get(keys, bodies=bodies))

    async def apply(self, batch: Batch) -> Applied:
        """Apply, slowly: what is applied is not yet answered."""
        return await self._slowly(lambda: self.below.apply(batch))

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Scan, with a wait before each record and at the end."""
        await self._pause()
        async with _ended(self.below.scan(query)) as records:
            async for record in records:
                yield record
                await self._pause()

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Count, slowly."""
        return await self._slowly(lambda: self.below.tally(query, sums, group_by))

    async def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Tell the commits, with a wait before each and at the end."""
        await self._pause()
        async with _ended(self.below.feed(after)) as commits:
            async for commit in commits:
                yield commit
                await self._pause()

    async def _slowly(self, call: Callable[[], Awaitable[T]]) -> T:
        await self._pause()
        answer = await call()
        await self._pause()
        return answer

    async def _turns(self) -> None:
        for _ in range(self._random.randint(0, self._most)):
            await asyncio.sleep(0)


class Torn(Layer):
    """Break in the middle: scans and feeds that stop half-way, bodies that come back damaged.

    Each of the first `tears` scans and feeds raises `Unavailable` after `after` records. Every
    body that is read passes through `damage`, such as `truncated` or `flipped`: whoever opens
    bodies above must say `Corrupt`, and never return a wrong value.
    """

    def __init__(
        self,
        below: Backend,
        *,
        after: int = 0,
        tears: int = 0,
        damage: Callable[[bytes], bytes] | None = None,
    ) -> None:
        super().__init__(below)
        self._after = after
        self._tears = tears
        self._damage = damage

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Read damaged bodies."""
        return [
            record and self._damaged(record) for record in await self.below.get(keys, bodies=bodies)
        ]

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Read damaged bodies, and break off if it is time to."""
        tear = self._next_tear()
        async with _ended(self.below.scan(query)) as records:
            tear.step()
            async for record in records:
                yield self._damaged(record)
                tear.step()

    async def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Tell the commits, and break off if it is time to."""
        tear = self._next_tear()
        async with _ended(self.below.feed(after)) as commits:
            tear.step()
            async for commit in commits:
                yield commit
                tear.step()

    def _next_tear(self) -> _Tear:
        self._tears -= 1
        return _Tear(self._after if self._tears >= 0 else -1)

    def _damaged(self, record: Record) -> Record:
        if self._damage is None or record.body is None:
            return record
        return replace(record, body=self._damage(record.body))


def truncated(body: bytes) -> bytes:
    """Return `body` without its last byte, as a write that broke off leaves it."""
    return body[:-1]


def flipped(body: bytes) -> bytes:
    """Return `body` with one bit in its middle turned over, as a failing disk leaves it."""
    middle = len(body) // 2
    return (
        body[:middle]
        + bytes(byte ^ 0x10 for byte in body[middle : middle + 1])
        + body[middle + 1 :]
    )


class _Tear:
    """Count answers, and break behind the one that is the last (-1: never)."""

    def __init__(self, last: int) -> None:
        self._left = last

    def step(self) -> None:
        if self._left == 0:
            message = "the connection broke half-way: begin again behind the last answer"
            raise Unavailable(message, code="torn")
        self._left -= 1


@asynccontextmanager
async def _ended(iterator: AsyncIterator[T]) -> AsyncGenerator[AsyncIterator[T]]:
    """Give the iterator, and end it as soon as it is left."""
    try:
        yield iterator
    finally:
        await stop(iterator)
