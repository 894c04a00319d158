"""`Fenced`: a back end for the holder of a lease: no batch goes through without the lease."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...domain.errors import Conflict
from ...domain.paging import page_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from ...domain.change import Applied, Batch, Check, Commit
    from ...domain.health import Health
    from ...domain.paging import Portion
    from ...domain.ports import Backend, Capability
    from ...domain.query import Query
    from ...domain.record import Key, Record
    from ...domain.tally import Tally


class Fenced:
    """Adds one check to every batch: the lease is there, with the token of this holder.

    The store compares both where it applies the batch, so a holder that was paused and wakes up
    too late writes nothing, even where nobody has taken over yet: an expired lease is absent.
    Reading needs no lease. A batch that changes the lease itself says by its own expectations
    what it goes on from. (Fencing tokens: Kleppmann, "How to do distributed locking", 2016.)
    """

    def __init__(
        self, base: Backend, check: Check, *, refuse: Callable[[], Awaitable[Conflict]]
    ) -> None:
        """Put `check` before every batch for `base`; `refuse` makes the error where it fails."""
        self._base = base
        self._check = check
        self._refuse = refuse

    @property
    def base(self) -> Backend:
        """The store without this fence."""
        return self._base

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the store can do."""
        return self._base.capabilities

    async def open(self) -> None:
        """Do nothing: the store is open already."""

    async def close(self) -> None:
        """Do nothing: the store belongs to whoever opened it."""

    async def ping(self, *, thorough: bool = False) -> Health:
        """Ask the store."""
        return await self._base.ping(thorough=thorough)

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return records, lease or no lease."""
        return await self._base.get(keys, bodies=bodies)

    async def apply(self, batch: Batch) -> Applied:
        """Do a batch if the lease is held; raise `Conflict` with the code `lease_lost` if not."""
        if any(change.key == self._check.key for change in batch.changes):
            return await self._base.apply(batch)
        try:
            # The check stands first: without the lease, no other expectation matters.
            applied = await self._base.apply(replace(batch, changes=(self._check, *batch.changes)))
        except Conflict as error:
            if error.facts.get("key") != self._check.key:
                raise
            raise await self._refuse() from error
        return replace(applied, versions=applied.versions[1:], previous=applied.previous[1:])

    def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through records, lease or no lease."""
        return self._base.scan(query)

    async def page(self, query: Query) -> Portion | None:
        """Read the beginning of an answer, lease or no lease."""
        return await page_of(self._base, query)

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Count and sum, lease or no lease."""
        return await self._base.tally(query, sums, group_by)

    def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Tell the commits of the store."""
        return self._base.feed(after)

    async def changed(self, after: int) -> int:
        """Wait for the next commit of the store."""
        return await self._base.changed(after)

    async def trim(self, before: int) -> int:
        """Forget old commits of the store."""
        return await self._base.trim(before)


def unfenced(backend: Backend) -> Backend:
    """Return the back end beneath all fences: for giving back, which needs no right to write."""
    while isinstance(backend, Fenced):
        backend = backend.base
    return backend
