"""`RetryLayer`: again, with back-off, only for errors that say they are worth it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from ..domain.change import Applied, Batch, Commit
from ..domain.errors import RopewalkError
from ..domain.paging import Portion, page_of
from ..domain.ports import Backend
from ..domain.query import Query
from ..domain.record import Key, Record
from ..domain.tally import Tally
from .base import Layer, Progress, stop
from .options import check_count, check_seconds

T = TypeVar("T")


@dataclass(slots=True)
class _Course:
    """How often one call has failed, and since when it is tried (seconds)."""

    begin: float
    failures: int = 0


class RetryLayer(Layer):
    """Try an operation again where its error is `retryable`, and pass every other error on.

    A batch is sent again as it is, so its id lets the store recognise what it has applied: a lost
    answer never becomes a conflict with oneself, only `Applied.replayed` may tell of it. A scan
    goes on behind its last record and a feed behind its last commit; both begin to count anew
    with each record that arrives.

    Before the n-th repetition it waits a random time up to `first * 2 ** (n - 1)` seconds, at
    most `longest` ("full jitter": M. Brooker, Exponential Backoff And Jitter, 2015). After
    `attempts` in all, or when the next one would begin later than `deadline` seconds after the
    first, the last error is raised with a note of how often it was tried.
    """

    def __init__(
        self,
        below: Backend,
        *,
        attempts: int = 5,
        first: float = 0.05,
        longest: float = 2.0,
        deadline: float = 30.0,
    ) -> None:
        """Stand round `below`."""
        super().__init__(below)
        self._attempts = check_count(attempts, field="layer.retry.attempts")
        self._first = check_seconds(first, field="layer.retry.first")
        self._longest = check_seconds(longest, field="layer.retry.longest")
        self._deadline = check_seconds(deadline, field="layer.retry.deadline")
        self._is_closed = False

    async def open(self) -> None:
        """Open the backend below."""
        await super().open()
        self._is_closed = False

    async def close(self) -> None:
        """Close the backend below; from now on its errors are final."""
        self._is_closed = True
        await super().close()

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return the live records of `keys`, at the second attempt if need be."""
        begin = monotonic()
        try:
            return await self._below.get(keys, bodies=bodies)
        except RopewalkError as error:
            return await self._persist(
                lambda: self._below.get(keys, bodies=bodies), _Course(begin), error
            )

    async def apply(self, batch: Batch) -> Applied:
        """Do every change of the batch exactly once, however often it is sent."""
        begin = monotonic()
        try:
            return await self._below.apply(batch)
        except RopewalkError as error:
            return await self._persist(lambda: self._below.apply(batch), _Course(begin), error)

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Count and add up, at the second attempt if need be."""
        return await self._persist(
            lambda: self._below.tally(query, sums, group_by), _Course(monotonic())
        )

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through the matching records, taking it up again where the store broke off."""
        progress, course = Progress(query), _Course(monotonic())
        while True:
            found = self._below.scan(progress.rest)
            try:
                async for record in found:
                    if progress.step(record):
                        yield record
                        course = _Course(monotonic())
            except RopewalkError as error:
                await self._wait(error, course)
            else:
                return
            finally:
                await stop(found)
            if progress.is_over and query.limit:
                return

    async def page(self, query: Query) -> Portion | None:
        """Read the beginning of an answer, at the second attempt if need be."""
        begin = monotonic()
        try:
            return await page_of(self._below, query)
        except RopewalkError as error:
            return await self._persist(lambda: page_of(self._below, query), _Course(begin), error)

    async def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Go through the commits, taking it up again where the store broke off."""
        course = _Course(monotonic())
        while True:
            commits = self._below.feed(after)
            try:
                async for commit in commits:
                    after = commit.seq
                    yield commit
                    course = _Course(monotonic())
            except RopewalkError as error:
                await self._wait(error, course)
            else:
                return
            finally:
                await stop(commits)

    async def changed(self, after: int) -> int:
        """Wait for a commit, and go on waiting where the store broke off.

        However long it has waited in peace, a failure then is the first one.
        """
        course = _Course(monotonic())
        while True:
            begin = monotonic()
            try:
                return await self._below.changed(after)
            except RopewalkError as error:
                if monotonic() - begin > self._longest:
                    course = _Course(monotonic())
                await self._wait(error, course)

    async def trim(self, before: int) -> int:
        """Forget commits; one that is forgotten already is not counted again."""
        return await self._persist(lambda: self._below.trim(before), _Course(monotonic()))

    async def _persist(
        self,
        attempt: Callable[[], Awaitable[T]],
        course: _Course,
        error: RopewalkError | None = None,
    ) -> T:
        """Try until it works or is not worth it; `error` is how a first attempt has ended."""
        while True:
            if error is not None:
                await self._wait(error, course)
            try:
                return await attempt()
            except RopewalkError as failure:
                error = failure

    async def _wait(self, error: RopewalkError, course: _Course) -> None:
        """Wait before the next attempt, or raise `error` where there is to be none."""
        course.failures += 1
        if not error.retryable or self._is_closed:
            raise error
        ceiling = min(self._longest, self._first * 2 ** (course.failures - 1))
        delay = random.uniform(0, ceiling)  # noqa: S311 (it spreads callers, it hides nothing)
        spent = monotonic() - course.begin
        if course.failures >= self._attempts or spent + delay > self._deadline:
            error.add_note(f"given up after {course.failures} attempts in {spent:.3f} s")
            raise error
        await self.pause(delay)

    async def pause(self, seconds: float) -> None:
        """Let time pass between two attempts."""
        await asyncio.sleep(seconds)
