"""`SampleBackend`: a dictionary with a name, without a feed and without tallies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from ropewalk.domain.change import Applied, Batch, Commit, Delete
from ropewalk.domain.effect import Stamp, decide
from ropewalk.domain.errors import Invalid, Unavailable
from ropewalk.domain.health import Health, State
from ropewalk.domain.ports import Capability, Clock, require
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key, Record
from ropewalk.domain.seen import Counted
from ropewalk.domain.spelling import did_you_mean
from ropewalk.domain.tally import Tally


@dataclass(frozen=True, slots=True)
class _Done:
    """A batch that was applied, and what it was answered."""

    keys: tuple[Key, ...]
    applied: Applied


class SampleBackend:
    """Keep records in a dictionary until it is closed; at most `most` of them."""

    def __init__(self, name: str, *, clock: Clock, most: int = 100_000) -> None:
        self.name = name
        self._clock = clock
        self._most = most
        self._open = False
        self._records: dict[Key, Record] = {}
        self._done: dict[str, _Done] = {}
        self._seq = 0

    @classmethod
    def from_url(cls, url: str, *, clock: Clock, **options: object) -> SampleBackend:
        """Make a store from `sample://name?most=1000`."""
        for option in options:
            if option != "most":
                message = f"sample has no option {option!r}; {did_you_mean(option, ['most'])}"
                raise Invalid(message, code="unknown_option", field=option)
        most = options.get("most", 100_000)
        if not isinstance(most, int) or isinstance(most, bool):
            message = f"most must be a number of records, not {most!r}"
            raise Invalid(message, code="bad_option", field="most")
        return cls(url.partition("://")[2], clock=clock, most=most)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """It has none of the powers that a back end may lack."""
        return frozenset()

    async def open(self) -> None:
        """Begin."""
        await asyncio.sleep(0)
        self._open = True

    async def close(self) -> None:
        """Forget everything."""
        await asyncio.sleep(0)
        self._open = False
        self._records.clear()
        self._done.clear()

    async def ping(self, *, thorough: bool = False) -> Health:
        """Say whether the store is open."""
        del thorough
        await asyncio.sleep(0)
        if not self._open:
            return Health(State.DOWN, (f"the sample store {self.name!r} is not open: open it",))
        return Health(State.HEALTHY, (), {"records": len(self._records)})

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return the live records of `keys` in the order asked."""
        now = await self._now()
        found = [self._records.get(key) for key in keys]
        live = [record if record and record.is_live(now) else None for record in found]
        return live if bodies else [record and replace(record, body=None) for record in live]

    async def apply(self, batch: Batch) -> Applied:
        """Do every change of the batch or none."""
        now = await self._now()
        keys = tuple(change.key for change in batch.changes)
        done = self._done.get(batch.id)
        if done is not None:
            if done.keys != keys:
                message = f"the batch id {batch.id!r} was used for other keys: make a new one"
                raise Invalid(message, code="batch_id_reused", field="batch id")
            return replace(done.applied, replayed=True)
        effects = [decide(change, self._stamp(change.key, now), now) for change in batch.changes]
        self._check_seen(batch, now)
        room = self._most - len(self._records)
        if sum(effect.action == "write" and not effect.previous for effect in effects) > room:
            message = f"the sample store {self.name!r} holds at most {self._most} records"
            raise Invalid(message, code="too_many", field="changes", limit="most")
        written = [effect.record and _own(effect.record) for effect in effects]
        # From here on nothing can fail, and nobody else is let in.
        for change, effect, record in zip(batch.changes, effects, written, strict=True):
            if record is not None:
                self._records[change.key] = record
            elif effect.action == "raise":
                old = self._records[change.key]
                self._records[change.key] = replace(old, version=effect.version, updated_at=now)
            elif isinstance(change, Delete) and effect.version == 0:
                self._records.pop(change.key, None)
        versions = tuple(effect.version for effect in effects)
        previous = tuple(effect.previous for effect in effects)
        if all(effect.action == "none" for effect in effects):
            return Applied(0, now, versions, previous)
        self._seq += 1
        applied = Applied(self._seq, now, versions, previous)
        self._done[batch.id] = _Done(keys, applied)
        return applied

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through what matches now, sorted."""
        for record in self._answer(query, await self._now()):
            yield record if query.bodies else replace(record, body=None)
            await self._now()

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Raise `Invalid`: this store does not count."""
        del query, sums, group_by
        await asyncio.sleep(0)
        require(self, Capability.TALLY)
        return []

    async def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Raise `Invalid`: this store does not tell its commits."""
        await asyncio.sleep(0)
        require(self, Capability.FEED)
        yield Commit(after, 0, "", "", ())

    async def changed(self, after: int) -> int:
        """Raise `Invalid`: this store does not tell its commits."""
        await asyncio.sleep(0)
        require(self, Capability.FEED)
        return after

    async def trim(self, before: int) -> int:
        """Raise `Invalid`: this store has no commits to forget."""
        await asyncio.sleep(0)
        require(self, Capability.FEED)
        return before

    def _check_seen(self, batch: Batch, now: int) -> None:
        """Raise `Conflict` unless every list comes out as it was seen."""
        for part in batch.seen:
            if isinstance(part, Counted):
                require(self, Capability.TALLY)
            else:
                part.check(self._answer(part.again, now))

    def _answer(self, query: Query, now: int) -> list[Record]:
        found = [r for r in self._records.values() if query.matches(r, now) and query.within(r)]
        found.sort(key=lambda record: query.cursor(record).key, reverse=query.order.descending)
        return found[: query.limit]

    async def _now(self) -> int:
        """Give way once; return the time, or raise `Unavailable` where the store is closed."""
        await asyncio.sleep(0)
        if not self._open:
            message = f"the sample store {self.name!r} is not open: open it first"
            raise Unavailable(message, code="closed")
        return self._clock.now()

    def _stamp(self, key: Key, now: int) -> Stamp | None:
        record = self._records.get(key)
        if record is None or not record.is_live(now):
            return None
        return Stamp(record.version, record.created_at, record.labels)


def _own(record: Record) -> Record:
    """Return the record with labels that nobody else can change."""
    return replace(record, labels=MappingProxyType(dict(record.labels)))
