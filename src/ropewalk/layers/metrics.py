"""`MetricsLayer`: counts each operation, how long it took and how it ended, for little."""

from __future__ import annotations

import asyncio
import threading
from bisect import bisect_left
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from threading import get_ident
from time import perf_counter
from types import MappingProxyType
from typing import Final, Literal, TypeVar, cast

from ..domain.change import Applied, Batch, Commit
from ..domain.errors import RopewalkError
from ..domain.metrics import BOUNDS, Metrics, VerbMetrics
from ..domain.paging import Portion, page_of
from ..domain.ports import Backend
from ..domain.query import Query
from ..domain.record import Key, Record
from ..domain.shape import Shape, shape_of
from ..domain.tally import Tally
from .base import Layer, stop
from .keeping import Keeper
from .options import check_flag, check_seconds

T = TypeVar("T")

VERBS: Final = ("get", "apply", "scan", "tally", "feed", "trim")
_MOST_SHAPES: Final = 256

_BUCKETS: Final = len(BOUNDS) + 1


class _Counter:
    """What one thread has counted of one verb: only that thread writes it."""

    __slots__ = ("begun", "buckets", "errors", "items", "longest", "seconds")

    def __init__(self) -> None:
        self.begun = 0
        self.items = 0
        self.seconds = 0.0
        self.longest = 0.0
        self.buckets = [0] * _BUCKETS
        self.errors: dict[str, int] = {}

    def done(self, spent: float) -> None:
        """Count an operation that took so many seconds."""
        self.buckets[bisect_left(BOUNDS, spent)] += 1
        self.seconds += spent
        if spent > self.longest:  # noqa: PLR1730 (a call costs more)
            self.longest = spent

    def failed(self, error: BaseException) -> None:
        """Count an operation that raised."""
        if isinstance(error, RopewalkError):
            code = error.code
        elif isinstance(error, asyncio.CancelledError):
            code = "cancelled"
        else:
            code = type(error).__name__
        self.errors[code] = self.errors.get(code, 0) + 1


class _Counters:
    """The counters of one thread."""

    __slots__ = VERBS

    def __init__(self) -> None:
        self.get = _Counter()
        self.apply = _Counter()
        self.scan = _Counter()
        self.tally = _Counter()
        self.feed = _Counter()
        self.trim = _Counter()


class MetricsLayer(Layer):
    """Count operations by verb: durations in buckets, items, errors by code, what is under way.

    Each thread has counters of its own, so that nobody waits for anybody and nothing is lost;
    a snapshot adds them up. A scan or a tally of `slow` seconds or more is remembered by its
    shape, without the values that it compared with. Waiting for a commit is not counted: it says
    how long nothing happened.

    With `keep`, slow shapes are written into their spaces too, once a minute at most and when the
    store closes, for `ropewalk doctor` in another process.
    """

    def __init__(self, below: Backend, *, slow: float = 0.1, keep: bool = False) -> None:
        """Stand round `below`."""
        super().__init__(below)
        self._keeper = Keeper() if check_flag(keep, field="layer.metrics.keep") else None
        self._slow = check_seconds(slow, field="layer.metrics.slow")
        self._begin = perf_counter()
        self._threads: dict[int, _Counters] = {}
        self._lock = threading.Lock()
        self._shapes: dict[object, Shape] = {}

    async def close(self) -> None:
        """Keep what is to be kept, and close the backend below."""
        await self.flush()
        await super().close()

    async def flush(self) -> None:
        """Write the slow shapes that wait to be kept, if they are to be."""
        if self._keeper is not None:
            await self._keeper.write(self._below, at_last=True)

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Pass on, and count the keys."""
        counter = (self._threads.get(get_ident()) or self._enlist()).get
        counter.begun += 1
        begin = perf_counter()
        try:
            found = await self._below.get(keys, bodies=bodies)
        except BaseException as error:
            counter.failed(error)
            raise
        # Written out here and below: a call would cost as much as all of it.
        spent = perf_counter() - begin
        counter.buckets[bisect_left(BOUNDS, spent)] += 1
        counter.seconds += spent
        counter.items += len(keys)
        if spent > counter.longest:  # noqa: PLR1730 (a call costs more)
            counter.longest = spent
        return found

    async def apply(self, batch: Batch) -> Applied:
        """Pass on, and count the changes."""
        counter = (self._threads.get(get_ident()) or self._enlist()).apply
        counter.begun += 1
        begin = perf_counter()
        try:
            applied = await self._below.apply(batch)
        except BaseException as error:
            counter.failed(error)
            raise
        spent = perf_counter() - begin
        counter.buckets[bisect_left(BOUNDS, spent)] += 1
        counter.seconds += spent
        counter.items += len(batch.changes)
        if spent > counter.longest:  # noqa: PLR1730 (a call costs more)
            counter.longest = spent
        return applied

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Pass on, and count the groups."""
        counter = self._mine().tally
        counter.begun += 1
        begin = perf_counter()
        try:
            groups = await self._below.tally(query, sums, group_by)
        except BaseException as error:
            counter.failed(error)
            raise
        spent = perf_counter() - begin
        counter.done(spent)
        counter.items += len(groups)
        if spent >= self._slow:
            self._note(query, "tally", spent)
            if self._keeper is not None:
                await self._keeper.write(self._below)
        return groups

    def scan(self, query: Query) -> AsyncIterator[Record]:
        """Pass on; count the time until the first record, and all records."""
        return self._follow(self._below.scan(query), "scan", query)

    async def page(self, query: Query) -> Portion | None:
        """Pass on, and count it as a scan: one that cannot be begun so will follow."""
        counter = (self._threads.get(get_ident()) or self._enlist()).scan
        begin = perf_counter()
        try:
            portion = await page_of(self._below, query)
        except BaseException as error:
            counter.begun += 1
            counter.failed(error)
            raise
        if portion is not None:
            counter.begun += 1
            counter.items += len(portion.records)
            self._answered(counter, query, perf_counter() - begin)
            if self._keeper is not None:
                await self._keeper.write(self._below)
        return portion

    def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Pass on; count the time until the first commit, and all commits."""
        return self._follow(self._below.feed(after), "feed")

    async def trim(self, before: int) -> int:
        """Pass on, and count the commits that were forgotten."""
        counter = self._mine().trim
        counter.begun += 1
        begin = perf_counter()
        try:
            count = await self._below.trim(before)
        except BaseException as error:
            counter.failed(error)
            raise
        counter.done(perf_counter() - begin)
        counter.items += count
        return count

    def snapshot(self) -> Metrics:
        """Return what all threads have counted since this layer was made."""
        with self._lock:
            threads = list(self._threads.values())
            shapes = sorted(self._shapes.values(), key=lambda shape: -shape.seconds)
        verbs = [
            _added(verb, [cast("_Counter", getattr(counters, verb)) for counters in threads])
            for verb in VERBS
        ]
        return Metrics(
            elapsed=perf_counter() - self._begin,
            verbs=tuple(verb for verb in verbs if verb.begun),
            slow=tuple(shapes),
        )

    def _mine(self) -> _Counters:
        return self._threads.get(get_ident()) or self._enlist()

    def _enlist(self) -> _Counters:
        """Give this thread counters; one that has ended may have left it the same number."""
        with self._lock:
            return self._threads.setdefault(get_ident(), _Counters())

    async def _follow(
        self, items: AsyncIterator[T], verb: Literal["scan", "feed"], query: Query | None = None
    ) -> AsyncGenerator[T]:
        mine = self._mine()
        counter = mine.scan if verb == "scan" else mine.feed
        counter.begun += 1
        begin = perf_counter()
        number = 0
        try:
            async for item in items:
                if not number:
                    self._answered(counter, query, perf_counter() - begin)
                number += 1
                yield item
            if not number:
                self._answered(counter, query, perf_counter() - begin)
            if self._keeper is not None:
                await self._keeper.write(self._below)
        except GeneratorExit:
            # Whoever leaves early has got what was wanted.
            raise
        except BaseException as error:
            # Answered first and broken off later, it counts as both.
            counter.begun += bool(number)
            counter.failed(error)
            raise
        finally:
            counter.items += number
            await stop(items)

    def _answered(self, counter: _Counter, query: Query | None, spent: float) -> None:
        counter.done(spent)
        if query is not None and spent >= self._slow:
            self._note(query, "scan", spent)

    def _note(self, query: Query, verb: str, spent: float) -> None:
        shape = shape_of(query, verb)
        with self._lock:
            known = self._shapes.pop(shape.key, shape)
            # The one that was slow longest ago makes room.
            while len(self._shapes) >= _MOST_SHAPES:
                del self._shapes[next(iter(self._shapes))]
            self._shapes[shape.key] = known.once_more(spent)
        if self._keeper is not None:
            self._keeper.add(shape.once_more(spent))


def _added(verb: str, counters: Sequence[_Counter]) -> VerbMetrics:
    errors: dict[str, int] = {}
    for counter in counters:
        # A copy is made at once, while the thread that owns it may count on.
        for code, count in counter.errors.copy().items():
            errors[code] = errors.get(code, 0) + count
    buckets = [0] * _BUCKETS
    for counter in counters:
        buckets = [a + b for a, b in zip(buckets, counter.buckets.copy(), strict=True)]
    return VerbMetrics(
        verb=verb,
        begun=sum(counter.begun for counter in counters),
        items=sum(counter.items for counter in counters),
        seconds=sum(counter.seconds for counter in counters),
        longest=max((counter.longest for counter in counters), default=0.0),
        buckets=tuple(buckets),
        errors=MappingProxyType(errors),
    )
