"""`Layer`: a backend round a backend, which passes everything on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace
from typing import Final

from ..domain.change import Applied, Batch, Commit
from ..domain.health import Health
from ..domain.paging import Portion, page_of
from ..domain.ports import Backend, Capability
from ..domain.query import Query
from ..domain.record import Key, Record
from ..domain.tally import Tally

_LASTING: Final = frozenset({"id", "created_at"})
"""Orders in which a record keeps its place when somebody writes it meanwhile."""


_VERBS: Final = ("get", "apply", "scan", "tally", "feed", "changed", "trim")


class Layer:
    """Keep what every verb promises, and add one thing; a layer overrides what it is about.

    Its options are the keyword arguments of its constructor, beside the backend `below`.
    """

    def __init__(self, below: Backend) -> None:
        """Stand round `below`, which this layer opens and closes."""
        self._below = below
        if isinstance(below, Layer):
            # What a layer is not about goes past it, without a call that only passes it on.
            for verb in _VERBS:
                if getattr(type(self), verb) is getattr(Layer, verb):
                    setattr(self, verb, getattr(below, verb))

    @property
    def below(self) -> Backend:
        """The backend that this layer stands round: a store, or the next layer."""
        return self._below

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the backend below can do."""
        return self.below.capabilities

    async def open(self) -> None:
        """Open the backend below."""
        await self.below.open()

    async def close(self) -> None:
        """Close the backend below."""
        await self.below.close()

    async def ping(self, *, thorough: bool = False) -> Health:
        """Say how the backend below is."""
        return await self.below.ping(thorough=thorough)

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return the live records of `keys` in the order asked."""
        return await self._below.get(keys, bodies=bodies)

    async def apply(self, batch: Batch) -> Applied:
        """Do every change of the batch or none."""
        return await self._below.apply(batch)

    def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through the matching records in the query's order."""
        return self._below.scan(query)

    async def page(self, query: Query) -> Portion | None:
        """Read the beginning of an answer at once, where that can be done below."""
        return await page_of(self._below, query)

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Count the matching records and add up labels, by group."""
        return await self._below.tally(query, sums, group_by)

    def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Go through the commits with `seq` greater than `after`."""
        return self._below.feed(after)

    async def changed(self, after: int) -> int:
        """Return the number of the newest commit as soon as it is greater than `after`."""
        return await self._below.changed(after)

    async def trim(self, before: int) -> int:
        """Forget the commits with `seq` less than `before`."""
        return await self._below.trim(before)


class Progress:
    """Where a scan stands, so that it can be begun anew behind the last record.

    Where the order is by something that a write can change, the keys that were seen are
    remembered: a record that moved ahead is not seen twice.
    """

    def __init__(self, query: Query) -> None:
        """Stand before the first record of `query`."""
        self._query = query
        self._last: Record | None = None
        self._count = 0
        self._seen: set[Key] | None = None if query.order.field in _LASTING else set()

    @property
    def rest(self) -> Query:
        """The query for what was not seen yet."""
        if self._last is None:
            return self._query
        limit = self._query.limit
        return replace(
            self._query,
            after=self._query.cursor(self._last),
            limit=None if limit is None else limit - self._count,
        )

    @property
    def is_over(self) -> bool:
        """Whether the query's limit is reached."""
        return self._query.limit is not None and self._count >= self._query.limit

    def step(self, record: Record) -> bool:
        """Move behind `record`; return whether it was not seen before."""
        if self._seen is not None:
            if record.key in self._seen:
                return False
            self._seen.add(record.key)
        self._last = record
        self._count += 1
        return True


async def stop(iterator: AsyncIterator[object]) -> None:
    """End an iterator that may not have been read to its end."""
    if isinstance(iterator, AsyncGenerator):
        await iterator.aclose()
