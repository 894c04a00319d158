"""`Overlay`: a back end that gathers changes over another one, to be applied as one batch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

from ..domain.change import (
    ABSENT,
    Applied,
    Batch,
    Change,
    Check,
    Commit,
    Delete,
    Effect,
    Ensure,
    Put,
    Stamp,
    decide,
)
from ..domain.errors import Conflict
from ..domain.tally import Tally, check_tally, tally_records
from .forest import DICTIONARY, NODE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ..domain.health import Health
    from ..domain.ports import Backend, Capability, Clock
    from ..domain.query import Query
    from ..domain.record import Key, Record

_TIMELESS: Final = frozenset({NODE, DICTIONARY})
"""Kinds whose ids say what the records hold: a unit that read one need not expect anything."""


@dataclass(slots=True)
class _Pending:
    """What will become of one key: the record as it is within the unit, `None` if deleted."""

    base: int
    record: Record | None
    ensure: Ensure | None = None
    carried: int | None = None
    """The version that the record is to carry, where a change names one."""


class Overlay:
    """Reads see the back end below with the gathered changes on top; nothing is written below.

    `commit` applies everything as one batch that expects the version of every record that was
    read or changed: if somebody else wrote one of them since, it raises `Conflict` and nothing
    happens. A record that was read once is the same at every later look. Within the overlay a
    record's version rises once, however often it is changed: the batch is one write.
    """

    def __init__(self, base: Backend, clock: Clock) -> None:
        """Begin without changes over `base`."""
        self._base = base
        self._clock = clock
        self._read: dict[Key, Record | None] = {}
        self._pending: dict[Key, _Pending] = {}
        self._applied: dict[str, Applied] = {}

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the back end below can do."""
        return self._base.capabilities

    async def open(self) -> None:
        """Do nothing: the back end below is open already."""

    async def close(self) -> None:
        """Do nothing: the back end below belongs to somebody else."""

    async def ping(self) -> Health:
        """Ask the back end below."""
        return await self._base.ping()

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return records as they are within the unit."""
        await self._look(keys, bodies=bodies)
        found = [self._view(key) for key in keys]
        return found if bodies else [record and replace(record, body=None) for record in found]

    async def _look(self, keys: Sequence[Key], *, bodies: bool) -> None:
        wanted = [key for key in keys if key not in self._pending and not self._has(key, bodies)]
        if wanted:
            for key, record in zip(
                wanted, await self._base.get(wanted, bodies=bodies), strict=True
            ):
                self._remember(key, record)

    def _has(self, key: Key, bodies: bool) -> bool:  # noqa: FBT001 (private, two lines below)
        if key not in self._read:
            return False
        record = self._read[key]
        return record is None or not bodies or record.body is not None

    def _remember(self, key: Key, record: Record | None) -> None:
        known = self._read.get(key, record)
        if key.kind in _TIMELESS:
            self._read[key] = record
            return
        if (known and known.version) != (record and record.version):
            message = f"{key} was changed by somebody else during this unit of work; run it again"
            actual = record.version if record else ABSENT
            raise Conflict(message, code="version", key=key, actual=actual)
        if key not in self._read or (known and known.body is None):
            self._read[key] = record

    def _view(self, key: Key) -> Record | None:
        pending = self._pending.get(key)
        return pending.record if pending else self._read[key]

    async def apply(self, batch: Batch) -> Applied:
        """Gather the changes of `batch`, all or none; it is applied with the whole unit."""
        if batch.id in self._applied:
            return replace(self._applied[batch.id], replayed=True)
        await self._look([change.key for change in batch.changes], bodies=False)
        now = self._clock.now()
        effects = [self._decide(change, now) for change in batch.changes]
        for change, effect in zip(batch.changes, effects, strict=True):
            self._gather(change, effect, now)
        after = [self._view(change.key) for change in batch.changes]
        applied = Applied(
            0,
            now,
            tuple(record.version if record else ABSENT for record in after),
            tuple(effect.previous for effect in effects),
        )
        self._applied[batch.id] = applied
        return applied

    def _decide(self, change: Change, now: int) -> Effect:
        record = self._view(change.key)
        stamp = Stamp(record.version, record.created_at) if record else None
        return decide(change, stamp, now)

    def _gather(self, change: Change, effect: Effect, now: int) -> None:
        if effect.action == "none":
            return
        key = change.key
        known = self._pending.get(key)
        read = self._read.get(key)
        base = known.base if known else (read.version if read else ABSENT)
        record = effect.record
        if effect.action == "raise" and (old := self._view(key)) is not None:
            # The body may not have been read; an `Ensure` never needs it.
            record = replace(old, version=effect.version, updated_at=now)
        fresh = known is None or known.ensure is not None
        ensure = change if isinstance(change, Ensure) and fresh else None
        carried = change.version if isinstance(change, Put) else None
        if known is not None and carried is None and known.carried is not None:
            carried = effect.version
        if record is not None and ensure is None and carried is None:
            record = replace(record, version=base + 1)
        self._pending[key] = _Pending(base, record, ensure, carried)

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through the matching records as they are within the unit."""
        now = self._clock.now()
        own = [p.record for p in self._pending.values() if p.record is not None]
        mine = sorted(
            (r for r in own if query.matches(r, now) and query.within(r)),
            key=lambda record: query.cursor(record).key,
            reverse=query.order.descending,
        )
        limit = None if query.limit is None else query.limit + len(self._pending)
        below = cast("AsyncGenerator[Record, None]", self._base.scan(replace(query, limit=limit)))
        left = query.limit
        async with aclosing(below):
            async for record in self._merge(below, mine, query):
                if left == 0:
                    return
                left = None if left is None else left - 1
                yield record if query.bodies else replace(record, body=None)

    async def _merge(
        self, below: AsyncIterator[Record], mine: list[Record], query: Query
    ) -> AsyncIterator[Record]:
        ahead = list(reversed(mine))
        sign = -1 if query.order.descending else 1
        async for record in below:
            if record.key in self._pending:
                continue
            self._remember(record.key, record)
            while ahead and sign * _compare(query, ahead[-1], record) < 0:
                yield ahead.pop()
            yield record
        while ahead:
            yield ahead.pop()

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Count and sum as it is within the unit: by a scan of headers if anything is pending."""
        check_tally(sums, group_by)
        if not self._pending:
            return await self._base.tally(query, sums, group_by)
        whole = replace(query, limit=None, bodies=False)
        return tally_records([record async for record in self.scan(whole)], sums, group_by)

    def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Tell the commits below; what is gathered is in none of them yet."""
        return self._base.feed(after)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self._pending

    async def commit(self, *, id: str, actor: str) -> Applied | None:
        """Apply everything as one batch; return `None` where there is nothing to write.

        Raises `Conflict` where a record that was read or changed is not as it was.
        """
        changes = [self._change(key, pending) for key, pending in self._pending.items()]
        if not changes:
            return None
        for key, record in self._read.items():
            if key not in self._pending and key.kind not in _TIMELESS:
                changes.append(Check(key=key, expect=record.version if record else ABSENT))
        return await self._base.apply(Batch(tuple(changes), id=id, actor=actor))

    def _change(self, key: Key, pending: _Pending) -> Change:
        record = pending.record
        if pending.ensure is not None:
            return pending.ensure
        if record is None:
            return (
                Check(key=key, expect=ABSENT)
                if pending.base == ABSENT
                else Delete(key=key, expect=pending.base)
            )
        return replace(
            Put.of(record), updated_at=None, expect=pending.base, version=pending.carried
        )


def _compare(query: Query, left: Record, right: Record) -> int:
    a, b = query.cursor(left).key, query.cursor(right).key
    return (a > b) - (a < b)
