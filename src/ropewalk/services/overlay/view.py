"""`View`: the store below a unit of work, with what the unit has gathered on top."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from ...domain.change import ABSENT
from ...domain.errors import Invalid
from ...domain.seen import Counted
from ...domain.tally import Tally, check_tally, tally_records

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ...domain.change import Commit, Ensure
    from ...domain.health import Health
    from ...domain.ports import Backend, Capability, Clock
    from ...domain.query import Query
    from ...domain.record import Key, Record
    from .reads import Listing, Reads


@dataclass(slots=True)
class Pending:
    """What will become of one key: the record as it is within the unit, `None` if deleted."""

    base: int
    record: Record | None
    ensure: Ensure | None = None
    carried: int | None = None
    """The version that the record is to carry, where a change names one."""
    made: int | None = None
    """When the record below was created, `None` where there is none."""

    def is_over(self, present: Record | None) -> bool:
        """Tell whether what stands below is still what this was made over."""
        if present is None:
            return self.base == ABSENT
        return (present.version, present.created_at) == (self.base, self.made)


class View:
    """The reading half of a unit's back end; what it reads below is written down in `reads`.

    A record that was read once is the same at every later look.
    """

    def __init__(
        self, base: Backend, clock: Clock, pending: Mapping[Key, Pending], reads: Reads
    ) -> None:
        """Show `base` with `pending` on top."""
        self._base = base
        self._clock = clock
        self._pending = pending
        self.reads = reads

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the back end below can do."""
        return self._base.capabilities

    async def open(self) -> None:
        """Do nothing: the back end below is open already."""

    async def close(self) -> None:
        """Do nothing: the back end below belongs to somebody else."""

    async def ping(self, *, thorough: bool = False) -> Health:
        """Ask the back end below."""
        return await self._base.ping(thorough=thorough)

    def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Tell the commits below; what is gathered is in none of them yet."""
        return self._base.feed(after)

    async def changed(self, after: int) -> int:
        """Wait for a commit below."""
        return await self._base.changed(after)

    async def trim(self, before: int) -> int:
        """Refuse: a unit that fails could not bring them back."""
        message = (
            f"commits before {before} cannot be forgotten within a unit of work: "
            "do it outside of it"
        )
        raise Invalid(message, code="not_in_unit", field="before")

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return records as they are within the unit."""
        await self.look(keys, bodies=bodies)
        found = [self.current(key) for key in keys]
        return found if bodies else [record and replace(record, body=None) for record in found]

    async def look(self, keys: Sequence[Key], *, bodies: bool) -> None:
        """Read below what is not known yet of some keys."""
        wanted = [
            key
            for key in keys
            if key not in self._pending and not self.reads.knows(key, bodies=bodies)
        ]
        if wanted:
            records = await self._base.get(wanted, bodies=bodies)
            self.reads.ask(dict(zip(wanted, records, strict=True)))

    def has(self, key: Key) -> bool:
        """Tell whether a record was read or changed within the unit."""
        return key in self._pending or self.reads.knows(key, bodies=False)

    def current(self, key: Key) -> Record | None:
        """Return a record that was looked for, as it is within the unit."""
        pending = self._pending.get(key)
        return pending.record if pending else self.reads.get(key)

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through the matching records as they are within the unit."""
        if query.limit == 0:
            return
        now = self._clock.now()
        # What is gathered while the list is gone through is not a reason to miss a record of it.
        hidden = frozenset(self._pending)
        own = [p.record for p in self._pending.values() if p.record is not None]
        mine = sorted(
            (r for r in own if query.matches(r, now) and query.within(r)),
            key=lambda record: query.cursor(record).key,
            reverse=query.order.descending,
        )
        asked = replace(query, limit=None if query.limit is None else query.limit + len(hidden))
        left = query.limit
        below = cast("AsyncGenerator[Record, None]", self._base.scan(asked))
        fresh = self._fresh(below, query, hidden, self.reads.begin(asked))
        async with aclosing(below), aclosing(fresh):
            async for record in _merged(fresh, mine, query):
                yield record if query.bodies else replace(record, body=None)
                left = None if left is None else left - 1
                if left == 0:
                    return

    async def _fresh(
        self,
        below: AsyncIterator[Record],
        query: Query,
        hidden: frozenset[Key],
        listing: Listing,
    ) -> AsyncGenerator[tuple[Record, Record | None], None]:
        """Go through what the store below has, each record with what it is by now in the unit."""
        async for record in below:
            listing.note(record)
            if record.key in hidden:
                continue
            self.reads.remember(record.key, record)
            pending = self._pending.get(record.key)
            shown = pending.record if pending else record
            matching = shown is not None and query.matches(shown, self._clock.now())
            yield record, shown if matching or pending is None else None
        listing.is_ended = True

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Count and sum as it is within the unit: by a scan of headers if anything is pending."""
        check_tally(sums, group_by)
        if not self._pending:
            rows = await self._base.tally(query, sums, group_by)
            self.reads.count(Counted(query, tuple(sums), tuple(group_by), tuple(rows)))
            return rows
        whole = replace(query, limit=None, bodies=False)
        return tally_records([record async for record in self.scan(whole)], sums, group_by)


async def _merged(
    fresh: AsyncIterator[tuple[Record, Record | None]], mine: list[Record], query: Query
) -> AsyncGenerator[Record, None]:
    """Go through both in the order of `query`; each of `fresh` stands where it is below."""
    ahead = list(reversed(mine))
    sign = -1 if query.order.descending else 1
    async for record, shown in fresh:
        while ahead and sign * _compare(query, ahead[-1], record) < 0:
            yield ahead.pop()
        if shown is not None:
            yield shown
    while ahead:
        yield ahead.pop()


def _compare(query: Query, left: Record, right: Record) -> int:
    a, b = query.cursor(left).key, query.cursor(right).key
    return (a > b) - (a < b)
