"""`Passing`: a back end that hands every verb on, for those that change one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...domain.change import Applied, Batch, Commit
    from ...domain.health import Health
    from ...domain.ports import Backend, Capability
    from ...domain.query import Query
    from ...domain.record import Key, Record
    from ...domain.tally import Tally


class Passing:
    """Stands before another back end, which somebody else opens and closes."""

    def __init__(self, below: Backend) -> None:
        """Hand everything on to `below`."""
        self._below = below

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the back end below can do."""
        return self._below.capabilities

    async def open(self) -> None:
        """Do nothing: the back end below is open already."""

    async def close(self) -> None:
        """Do nothing: the back end below belongs to somebody else."""

    async def ping(self, *, thorough: bool = False) -> Health:
        """Ask the back end below."""
        return await self._below.ping(thorough=thorough)

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Ask the back end below."""
        return await self._below.get(keys, bodies=bodies)

    async def apply(self, batch: Batch) -> Applied:
        """Have the back end below do it."""
        return await self._below.apply(batch)

    def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through what the back end below has."""
        return self._below.scan(query)

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Count what the back end below has."""
        return await self._below.tally(query, sums, group_by)

    def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Tell the commits below."""
        return self._below.feed(after)

    async def changed(self, after: int) -> int:
        """Wait for a commit below."""
        return await self._below.changed(after)

    async def trim(self, before: int) -> int:
        """Have old commits forgotten below."""
        return await self._below.trim(before)
