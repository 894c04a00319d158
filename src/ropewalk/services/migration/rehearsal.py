"""`Rehearsal`: a back end that shows one store and writes into another, to be thrown away."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from ...domain.change import Applied, Batch, Delete, Put
from ...domain.tally import Tally, tally_records
from .passing import Passing
from .sightings import Sightings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ...domain.ports import Backend
    from ...domain.query import Query
    from ...domain.record import Key, Record


class Rehearsal(Passing):
    """Reads see what is written on top of what is there; only the store above is written to.

    A record is taken over, with its version, when it is first written to. Good for what a
    migration asks: records by key, and scans whose order does not matter between the two stores.
    """

    def __init__(self, above: Backend, shown: Backend) -> None:
        """Write into `above`, and show `shown` beneath it."""
        super().__init__(above)
        self._shown = shown
        self._gone = Sightings()

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return the records as they would be."""
        found = await self._below.get(keys, bodies=bodies)
        missing = [
            key
            for key, record in zip(keys, found, strict=True)
            if record is None and str(key) not in self._gone
        ]
        if not missing:
            return found
        shown = await self._shown.get(missing, bodies=bodies)
        beneath = {record.key: record for record in shown if record is not None}
        return [
            beneath.get(key) if record is None else record
            for key, record in zip(keys, found, strict=True)
        ]

    async def apply(self, batch: Batch) -> Applied:
        """Do every change of the batch above, or none."""
        await self._take_over([change.key for change in batch.changes])
        applied = await self._below.apply(batch)
        for change in batch.changes:
            if isinstance(change, Delete):
                self._gone.add(str(change.key))
        return applied

    async def _take_over(self, keys: Sequence[Key]) -> None:
        above = await self._below.get(keys, bodies=False)
        wanted = [
            key
            for key, record in zip(keys, above, strict=True)
            if record is None and str(key) not in self._gone
        ]
        found = await self._shown.get(wanted) if wanted else []
        puts = tuple(
            replace(Put.of(record), version=record.version, expect=0)
            for record in found
            if record is not None
        )
        if puts:
            await self._below.apply(Batch(puts))

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through what is above, and then what is beneath and not covered by it."""
        above = cast("AsyncGenerator[Record, None]", self._below.scan(query))
        left = query.limit
        async with aclosing(above):
            async for record in above:
                left = None if left is None else left - 1
                yield record
        if left == 0:
            return
        beneath = cast("AsyncGenerator[Record, None]", self._shown.scan(query))
        async with aclosing(beneath):
            async for record in beneath:
                [covering] = await self._below.get([record.key], bodies=False)
                if covering is None and str(record.key) not in self._gone:
                    yield record
                    left = None if left is None else left - 1
                    if left == 0:
                        return

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Count what a scan would bring."""
        headers = replace(query, bodies=False, limit=None)
        return tally_records([record async for record in self.scan(headers)], sums, group_by)
