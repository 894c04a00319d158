"""`MemoryBackend`: records in dictionaries and sorted lists, gone when it closes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from heapq import merge, nlargest, nsmallest
from typing import Final

from ...domain.address import redacted, split_url
from ...domain.change import Applied, Batch, Changed, Commit
from ...domain.cursor import SortKey
from ...domain.effect import Effect, decide
from ...domain.errors import Invalid, Unavailable
from ...domain.health import Health, State
from ...domain.horizon import trimmed
from ...domain.limits import check_int64
from ...domain.paging import Portion
from ...domain.ports import Capability, Clock
from ...domain.query import Query
from ...domain.record import Key, Record
from ...domain.seen import Seen
from ...domain.tally import Tally, Totals, check_tally, tally_records
from ...door import Door
from ..budget import LOOP_BUDGET, milliseconds
from ..waiters import Waiters
from .contents import LOOKS, Contents, first, header, isolated, shown
from .form import MemorySchema

_STEP: Final = 128
"""Records looked at before the clock is, and under one lock."""

_COMMITS: Final = 2_048
"""Commits that are told or forgotten together."""


@dataclass(frozen=True, slots=True)
class _Done:
    """A recorded batch: what it named and what it was answered."""

    keys: tuple[Key, ...]
    applied: Applied


class MemoryBackend:
    """Keep records in this process, as long as it is open, for callers on any event loop.

    A page of a session, a thread or a kind costs what is on the page, however big the store is.
    All callers of an event loop together keep it busy for `loop_budget` milliseconds; then it gets
    its turn before the next of them goes on, and so it does in the middle of what takes longer.
    Only a batch happens at once, whatever its size. A budget of 0 gives way at every call: so races
    come out that a busy store would have.
    """

    def __init__(self, *, clock: Clock, loop_budget: float = LOOP_BUDGET) -> None:
        """Begin closed; raise `Invalid` for a budget that is no number, or less than 0."""
        self._clock = clock
        self._open = False
        self._lock = threading.Lock()
        self._waiters = Waiters()
        self._life = 0
        self._door = Door(milliseconds("loop_budget", loop_budget) / 1_000)
        self._clear()

    @classmethod
    def from_url(cls, url: str, *, clock: Clock, **options: object) -> MemoryBackend:
        """Make a store from `memory://`; raise `Invalid` for a path or an unknown option."""
        rest, asked = split_url(url)
        given = {**asked, **options}
        budget = given.pop("loop_budget", LOOP_BUDGET)
        if rest.partition("://")[2].strip("/") or given:
            named = f" ({', '.join(given)})" if given else ""
            message = (
                f"{redacted(url)}{named}: memory:// takes no path and no options but loop_budget: "
                "leave it out, or use sqlite:/// or file:/// to keep data somewhere"
            )
            raise Invalid(message, code="unknown_option", field="url")
        return cls(clock=clock, loop_budget=milliseconds("loop_budget", budget))

    @property
    def capabilities(self) -> frozenset[Capability]:
        """It tells its commits and counts by itself; nothing outlives the process."""
        return frozenset({Capability.FEED, Capability.TALLY})

    @property
    def schema(self) -> MemorySchema:
        """The form of records in memory: always that of this program."""
        return MemorySchema()

    async def open(self) -> None:
        """Begin, empty; opening twice is no error and empties nothing."""
        await asyncio.sleep(0)
        self._open = True

    async def close(self) -> None:
        """Forget everything; closing twice is no error."""
        await asyncio.sleep(0)
        with self._lock:
            self._open = False
            self._life += 1
            self._clear()
        self._waiters.fail(_closed())

    async def ping(self, *, thorough: bool = False) -> Health:
        """Say healthy while open, down otherwise; raises nothing."""
        del thorough  # There is nothing that could be damaged.
        await asyncio.sleep(0)
        if not self._open:
            return Health(State.DOWN, ("the memory store is not open: open it first",))
        facts = {
            "records": len(self._contents),
            "commits": len(self._commits),
            "parents": self._contents.parents,
        }
        return Health(State.HEALTHY, (), facts)

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return the live records of `keys` in the order asked, `None` where absent."""
        # This check stands here and not in `_turn`: most calls are answered at once.
        if not self._door.is_open():
            await self._stand_in_line()
        if not self._open:
            raise _closed()
        now = self._clock.now()
        if len(keys) > LOOKS:
            async with aclosing(self._parts(keys)) as parts:
                found = [record async for part in parts for record in part]
            live = [r if r is not None and r.is_live(now) else None for r in found]
        else:
            with self._lock:
                live = [self._contents.live(key, now) for key in keys]
        return live if bodies else [r and header(r) for r in live]

    async def apply(self, batch: Batch) -> Applied:
        """Do every change of the batch or none; a batch applied before is only answered."""
        if not self._door.is_open():
            await self._stand_in_line()
        with self._lock:
            if not self._open:
                raise _closed()
            now = self._clock.now()
            keys = tuple(change.key for change in batch.changes)
            done = self._batches.get(batch.id)
            if done is not None:
                return _answer_again(batch, done, keys)
            contents = self._contents
            effects = [decide(c, contents.stamp(c.key, now), now) for c in batch.changes]
            self._check_seen(batch, now)
            records = [isolated(effect.record) for effect in effects]
            # From here on nothing fails and nothing is awaited: the batch happens as a whole.
            for change, effect, record in zip(batch.changes, effects, records, strict=True):
                contents.perform(change, effect, record, now)
            return self._record(batch, effects, now)

    async def page(self, query: Query) -> Portion | None:
        """Read the beginning of an answer, `None` where all of it has to be sorted."""
        if not self._door.is_open():
            await self._stand_in_line()
        with self._lock:
            if not self._open:
                raise _closed()
            return self._contents.page(query, self._clock.now())

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through the matching records in the query's order, giving way between any two."""
        rest: Query | None = query
        while rest is not None:
            portion = await self.page(rest)
            if portion is None:
                break
            for record in portion.records:
                yield record
                await self._turn()
            rest = portion.rest
        if rest is None or rest.limit == 0:
            return
        count = 0
        async with aclosing(self._whole(rest, self._clock.now())) as found:
            async for record in found:
                yield shown(record, query)
                count += 1
                if count == rest.limit:
                    return
                await self._turn()

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Count the matching records and add up labels, by group, all of one moment."""
        check_tally(sums, group_by)
        await self._turn()
        now, totals = self._clock.now(), Totals(sums, group_by)
        is_bounded = query.after is not None or query.until is not None
        async with aclosing(self._parts(query)) as parts:
            async for part in parts:
                meant = [r for r in part if r is not None and query.matches(r, now)]
                totals.add([r for r in meant if query.within(r)] if is_bounded else meant)
        return totals.result()

    async def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Go through the commits with `seq` greater than `after`, up to the present, in order."""
        position = check_int64(after, field="after")
        await self._turn()
        end = self._seq
        while position < end:
            with self._lock:
                if 0 < position < self._forgotten:
                    raise trimmed(position, forgotten=self._forgotten)
                begin = max(position - self._forgotten, 0)
                commits = self._commits[begin : begin + _COMMITS]
            if not commits:
                # Closed and opened again meanwhile.
                return
            for commit in commits:
                if commit.seq > end:
                    return
                yield commit
                await self._turn()
            position = commits[-1].seq

    async def changed(self, after: int) -> int:
        """Return the number of the newest commit as soon as it is greater than `after`."""
        check_int64(after, field="after")
        await self._turn()
        return await self._waiters.wait(after, begun=self._newest)

    async def trim(self, before: int) -> int:
        """Forget the commits with `seq` less than `before`, some at a time; the newest stays."""
        check_int64(before, field="before")
        total = 0
        while True:
            await self._turn()
            with self._lock:
                count = max(min(before, self._seq) - self._forgotten - 1, 0)
                count = min(count, _COMMITS)
                for commit in self._commits[:count]:
                    del self._batches[commit.batch_id]
                del self._commits[:count]
                self._forgotten += count
            total += count
            if count < _COMMITS:
                return total

    def _newest(self) -> int:
        with self._lock:
            if not self._open:
                raise _closed()
            return self._seq

    @property
    def _seq(self) -> int:
        return self._forgotten + len(self._commits)

    async def _turn(self) -> None:
        """Give way to the event loop if it is time; raise `Unavailable` if the store is closed."""
        if not self._door.is_open():
            await self._stand_in_line()
        if not self._open:
            raise _closed()

    async def _stand_in_line(self) -> None:
        """Wait for a turn of the loop; raise `Unavailable` if the store was closed meanwhile."""
        life = self._life
        await self._door.enter()
        if self._life != life:
            raise _closed()

    def _clear(self) -> None:
        self._contents = Contents()
        self._commits: list[Commit] = []
        self._forgotten = 0
        self._batches: dict[str, _Done] = {}

    def _check_seen(self, batch: Batch, now: int) -> None:
        """Raise `Conflict` unless every list and tally comes out as it was seen."""
        for part in batch.seen:
            candidates = self._contents.candidates(part.query)
            query = part.again if isinstance(part, Seen) else part.query
            meant = [r for r in candidates if query.matches(r, now) and query.within(r)]
            if isinstance(part, Seen):
                part.check(first(query, meant))
            else:
                part.check(tally_records(meant, part.sums, part.group_by))

    def _record(self, batch: Batch, effects: Sequence[Effect], now: int) -> Applied:
        """Write the batch into the feed, unless it changed nothing."""
        versions = tuple(effect.version for effect in effects)
        previous = tuple(effect.previous for effect in effects)
        keys = tuple(change.key for change in batch.changes)
        pairs = zip(keys, effects, strict=True)
        changed = tuple(Changed(k, e.version) for k, e in pairs if e.action != "none")
        if not changed:
            return Applied(0, now, versions, previous)
        seq = self._seq + 1
        self._commits.append(Commit(seq, now, batch.id, batch.actor, changed))
        applied = Applied(seq, now, versions, previous)
        self._batches[batch.id] = _Done(keys, applied)
        self._waiters.tell(seq)
        return applied

    async def _parts(self, asked: Query | Sequence[Key]) -> AsyncGenerator[list[Record | None]]:
        """Go through what a query may mean, or through keys, all of one moment, some at a time."""
        with self._lock:
            contents = self._contents
            moment = contents.begin(asked)
        try:
            while not moment.is_over:
                with self._lock:
                    part = moment.take(_STEP)
                yield part
                await self._turn()
        finally:
            with self._lock:
                contents.end(moment)

    async def _whole(self, query: Query, now: int) -> AsyncGenerator[Record]:
        """Go through an answer that has no pages: by a declared index, or else sort it."""
        with self._lock:
            contents = self._contents
            names = contents.ordered(query)
        if names is None:
            async with aclosing(self._sorted(query, now)) as found:
                async for record in found:
                    yield record
            return
        for count, name in enumerate(names, start=1):
            there = contents.look(name)
            if there is not None and query.matches(there, now):
                yield there
            if count % _STEP == 0:
                await self._turn()

    async def _sorted(self, query: Query, now: int) -> AsyncGenerator[Record]:
        """Sort what matches part by part, or keep the first of it where few are wanted."""
        pick = nlargest if query.order.descending else nsmallest
        few = query.limit if query.limit is not None and query.limit <= _STEP else None
        runs: list[list[tuple[SortKey, Record]]] = []
        async with aclosing(self._parts(query)) as parts:
            async for part in parts:
                run = [
                    (query.cursor(record).key, record)
                    for record in part
                    if record is not None and query.matches(record, now) and query.within(record)
                ]
                if few is not None:
                    # No two have the same key, so records are never compared.
                    runs = [pick(few, [*runs[0], *run] if runs else run)]
                elif run:
                    run.sort(reverse=query.order.descending)
                    runs.append(run)
        for _, record in merge(*runs, reverse=query.order.descending):
            yield record


def _closed() -> Unavailable:
    message = "the memory store is not open: open it first, or open another one"
    return Unavailable(message, code="closed")


def _answer_again(batch: Batch, done: _Done, keys: tuple[Key, ...]) -> Applied:
    if keys != done.keys:
        message = (
            f"the batch id {batch.id!r} was used for a batch of other keys; "
            "only a retry of the same batch may carry it: make a new id"
        )
        raise Invalid(message, code="batch_id_reused", field="batch id", batch_id=batch.id)
    return replace(done.applied, replayed=True)
