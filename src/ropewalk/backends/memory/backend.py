"""`MemoryBackend`: records in dictionaries and sorted lists, gone when it closes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from heapq import nlargest, nsmallest
from itertools import islice
from types import MappingProxyType
from typing import Final

from ...domain.address import redacted
from ...domain.change import Applied, Batch, Changed, Commit, Delete
from ...domain.declared import declared_by
from ...domain.effect import Effect, Stamp, decide
from ...domain.errors import Invalid, Unavailable
from ...domain.health import Health, State
from ...domain.horizon import trimmed
from ...domain.limits import check_int64
from ...domain.ports import Capability, Clock
from ...domain.query import Query
from ...domain.record import NO_LABELS, Key, Record
from ...domain.seen import Seen
from ...domain.tally import Tally, check_tally, tally_records
from ..lists import LabelLists
from ..waiters import Waiters
from .form import MemorySchema
from .places import Index, Name, bound, lists_of, name_of, place_of

_FIRST_STEP: Final = 32
_LONGEST_STEP: Final = 512
"""Places looked at in one turn of the event loop."""


@dataclass(frozen=True, slots=True)
class _Done:
    """A recorded batch: what it named and what it was answered."""

    keys: tuple[Key, ...]
    applied: Applied


class MemoryBackend:
    """Keep records in this process, as long as it is open, for callers on any event loop.

    A page of a session, a thread or a kind costs what is on the page, however big the store is.
    Every verb gives way to the event loop once, so that races come out as with any other store;
    what changes records happens between two turns, hence all at once.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._open = False
        self._lock = threading.Lock()
        self._waiters = Waiters()
        self._clear()

    @classmethod
    def from_url(cls, url: str, *, clock: Clock, **options: object) -> MemoryBackend:
        """Make a store from `memory://`; raise `Invalid` for a path or an option: it has none."""
        rest = url.partition("://")[2]
        if rest.strip("/") or options:
            given = f" ({', '.join(options)})" if options else ""
            message = (
                f"{redacted(url)}{given}: memory:// takes no path and no options: "
                "leave it out, or use sqlite:/// or file:/// to keep data somewhere"
            )
            raise Invalid(message, code="unknown_option", field="url")
        return cls(clock=clock)

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
            self._clear()
        self._waiters.fail(_closed())

    async def ping(self, *, thorough: bool = False) -> Health:
        """Say healthy while open, down otherwise; raises nothing."""
        del thorough  # There is nothing that could be damaged.
        await asyncio.sleep(0)
        if not self._open:
            return Health(State.DOWN, ("the memory store is not open: open it first",))
        facts = {
            "records": len(self._records),
            "commits": len(self._commits),
            "parents": len(self._index),
        }
        return Health(State.HEALTHY, (), facts)

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return the live records of `keys` in the order asked, `None` where absent."""
        await self._turn()
        with self._lock:
            now = self._clock.now()
            return [self._read(key, now, bodies=bodies) for key in keys]

    async def apply(self, batch: Batch) -> Applied:
        """Do every change of the batch or none; a batch applied before is only answered."""
        await self._turn()
        with self._lock:
            now = self._clock.now()
            keys = tuple(change.key for change in batch.changes)
            done = self._batches.get(batch.id)
            if done is not None:
                return _answer_again(batch, done, keys)
            effects = [decide(c, self._stamp(c.key, now), now) for c in batch.changes]
            self._check_seen(batch, now)
            records = [_isolated(effect.record) for effect in effects]
            # From here on nothing fails and nothing is awaited: the batch happens as a whole.
            for change, effect, record in zip(batch.changes, effects, records, strict=True):
                self._perform(change.key, effect, record, now)
                if isinstance(change, Delete) and effect.previous == 0:
                    self._remove(name_of(change.key))
            return self._record(batch, effects, now)

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through the matching records in the query's order, in steps of a few hundred."""
        await self._turn()
        now = self._clock.now()
        if query.limit == 0:
            return
        found = self._way(query)(query, now)
        count = 0
        async with aclosing(found):
            async for record in found:
                yield record if query.bodies else replace(record, body=None)
                count += 1
                if count == query.limit:
                    return

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Count the matching records and add up labels, by group, all of one moment."""
        check_tally(sums, group_by)
        await self._turn()
        matching = await self._sift(query, self._clock.now())
        return tally_records(filter(query.within, matching), sums, group_by)

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
                commits = self._commits[begin : begin + _LONGEST_STEP]
            if not commits:
                # Closed and opened again meanwhile.
                return
            for commit in commits:
                if commit.seq > end:
                    return
                yield commit
            position = commits[-1].seq
            await self._turn()

    async def changed(self, after: int) -> int:
        """Return the number of the newest commit as soon as it is greater than `after`."""
        check_int64(after, field="after")
        await self._turn()
        return await self._waiters.wait(after, begun=self._newest)

    async def trim(self, before: int) -> int:
        """Forget the commits with `seq` less than `before`, all but the newest."""
        check_int64(before, field="before")
        await self._turn()
        with self._lock:
            count = max(min(before, self._seq) - self._forgotten - 1, 0)
            for commit in self._commits[:count]:
                del self._batches[commit.batch_id]
            del self._commits[:count]
            self._forgotten += count
        return count

    def _newest(self) -> int:
        with self._lock:
            if not self._open:
                raise _closed()
            return self._seq

    @property
    def _seq(self) -> int:
        return self._forgotten + len(self._commits)

    async def _turn(self) -> None:
        """Give way to the event loop once; raise `Unavailable` unless the store is open then."""
        await asyncio.sleep(0)
        if not self._open:
            raise _closed()

    def _clear(self) -> None:
        self._records: dict[Name, Record] = {}
        self._index = Index()
        self._lists = LabelLists()
        self._commits: list[Commit] = []
        self._forgotten = 0
        self._batches: dict[str, _Done] = {}

    def _live(self, key: Key, now: int) -> Record | None:
        record = self._records.get(name_of(key))
        return record if record is not None and record.is_live(now) else None

    def _read(self, key: Key, now: int, *, bodies: bool) -> Record | None:
        record = self._live(key, now)
        return replace(record, body=None) if record and not bodies else record

    def _stamp(self, key: Key, now: int) -> Stamp | None:
        record = self._live(key, now)
        return None if record is None else Stamp(record.version, record.created_at, record.labels)

    def _check_seen(self, batch: Batch, now: int) -> None:
        """Raise `Conflict` unless every list and tally comes out as it was seen."""
        for part in batch.seen:
            candidates = self._candidates(part.query)
            query = part.again if isinstance(part, Seen) else part.query
            meant = [r for r in candidates if query.matches(r, now) and query.within(r)]
            if isinstance(part, Seen):
                part.check(_first(query, meant))
            else:
                part.check(tally_records(meant, part.sums, part.group_by))

    def _perform(self, key: Key, effect: Effect, record: Record | None, now: int) -> None:
        if record is not None:
            self._store(record)
        elif effect.action == "raise":
            old = self._records[name_of(key)]
            self._store(replace(old, version=effect.version, updated_at=now))
        elif effect.action == "delete":
            self._remove(name_of(key))

    def _store(self, record: Record) -> None:
        name = name_of(record.key)
        old = self._records.get(name)
        if old is None or lists_of(old) != lists_of(record) or place_of(old) != place_of(record):
            self._remove(name)
            self._index.add(record)
            self._lists.add(record)
        elif old.labels != record.labels:
            self._lists.remove(old)
            self._lists.add(record)
        self._records[name] = record
        declared = declared_by(record)
        if declared is not None:
            everything = self._index.all(Query(space=record.key.space, kinds=(declared.kind,)))
            held = (self._records[place[1:]] for place in everything)
            self._lists.declare(record.key.space, declared, held)

    def _remove(self, name: Name) -> None:
        old = self._records.pop(name, None)
        if old is not None:
            self._index.remove(old)
            self._lists.remove(old)
            declared = declared_by(old)
            if declared is not None:
                self._lists.drop(old.key.space, declared)

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

    def _way(self, query: Query) -> Callable[[Query, int], AsyncGenerator[Record]]:
        """Return how the records of a query are found in its order."""
        if query.order.field == "created_at" and query.named_ids() is None:
            with self._lock:
                return self._sorted if self._lists.helps(query) else self._walk
        with self._lock:
            return self._listed if self._lists.has_order(query) else self._sorted

    async def _listed(self, query: Query, now: int) -> AsyncGenerator[Record]:
        """Follow a list of a declared index, as it is at the beginning."""
        with self._lock:
            ids = self._lists.ordered(query)
        for begin in range(0, len(ids), _LONGEST_STEP):
            names = [(id, query.kinds[0], query.space or "") for id in ids[begin:][:_LONGEST_STEP]]
            for record in map(self._records.get, names):
                if record is not None and query.matches(record, now):
                    yield record
            await self._turn()

    async def _walk(self, query: Query, now: int) -> AsyncGenerator[Record]:
        """Follow the lists in their own order, a longer step in each turn of the loop."""
        position = None if query.after is None else bound(query.after)
        end = None if query.until is None else bound(query.until)
        step = _FIRST_STEP
        while True:
            with self._lock:
                places = self._index.after(query, position, end)
                near = [self._records[place[1:]] for place in islice(places, step)]
            for record in near:
                if query.matches(record, now):
                    yield record
            if len(near) < step:
                return
            position = place_of(near[-1])
            step = min(step * 2, _LONGEST_STEP)
            await self._turn()

    async def _sorted(self, query: Query, now: int) -> AsyncGenerator[Record]:
        """Sort what matches, or the first of it only, where no list has the order asked for."""
        matching = await self._sift(query, now)
        for record in _first(query, [record for record in matching if query.within(record)]):
            yield record

    def _candidates(self, query: Query) -> list[Record]:
        """Return the records that `query` may mean: by their keys where it names ids."""
        named = query.named_ids()
        if named is None:
            named = self._lists.found(query)
        if named is None or query.space is None:
            return [self._records[place[1:]] for place in self._index.all(query)]
        kinds = dict.fromkeys(query.kinds) if query.kinds else self._index.kinds(query.space)
        names = [(id_, kind, query.space) for id_ in named for kind in kinds]
        return [self._records[name] for name in names if name in self._records]

    async def _sift(self, query: Query, now: int) -> list[Record]:
        """Return what matches, all of one moment, in no order and without regard to cursors."""
        with self._lock:
            records = self._candidates(query)
        matching: list[Record] = []
        for begin in range(0, len(records), _LONGEST_STEP):
            part = records[begin : begin + _LONGEST_STEP]
            matching += [record for record in part if query.matches(record, now)]
            await self._turn()
        return matching


def _closed() -> Unavailable:
    message = "the memory store is not open: open it first, or open another one"
    return Unavailable(message, code="closed")


def _first(query: Query, within: Sequence[Record]) -> list[Record]:
    """Return the first records of those that a query means, in its order, as many as it wants."""
    pick = nlargest if query.order.descending else nsmallest
    count = len(within) if query.limit is None else query.limit
    return pick(count, within, key=lambda record: query.cursor(record).key)


def _isolated(record: Record | None) -> Record | None:
    """Return the record with labels of its own, which the caller can no longer change."""
    if record is None:
        return None
    labels = MappingProxyType(dict(record.labels)) if record.labels else NO_LABELS
    return replace(record, labels=labels)


def _answer_again(batch: Batch, done: _Done, keys: tuple[Key, ...]) -> Applied:
    if keys != done.keys:
        message = (
            f"the batch id {batch.id!r} was used for a batch of other keys; "
            "only a retry of the same batch may carry it: make a new id"
        )
        raise Invalid(message, code="batch_id_reused", field="batch id", batch_id=batch.id)
    return replace(done.applied, replayed=True)
