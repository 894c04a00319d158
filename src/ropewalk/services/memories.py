"""`Memories`: what an agent knows for good, by name, by namespace, and by likeness."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from ..domain.change import Delete, Put
from ..domain.errors import Conflict
from ..domain.lease import LEASE_LOST
from ..domain.memory import Memory, Name, namespace_of, path_of
from ..domain.moment import to_micros
from ..domain.query import Condition, Order, Query
from ..stores.base import Find
from ..stores.memories import DIMS, NAMESPACE, MemoryStore, VectorStore
from .manager import ATTEMPTS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
    from datetime import timedelta
    from typing import Any

    from ..domain.change import Change
    from ..domain.memory import Namespace, Vectors
    from ..domain.record import Record
    from .desk import Desk

AT_ONCE: Final = 256
"""How many memories are looked at, or swept away, together."""

_LATEST_FIRST: Final = Order("updated_at", descending=True)


class Memories:
    """Keep values under names, in one space.

    A namespace contains those that begin with the same whole labels. What has expired is seen
    by nobody, whether it was swept away or not.
    """

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        self._desk = desk
        self._memories = MemoryStore(desk.backend, desk.sealer, space=desk.space)
        self._vectors = VectorStore(desk.backend, desk.sealer, space=desk.space)

    def draft(
        self, name: Name, value: Mapping[str, Any], *, ttl: timedelta | None = None
    ) -> Memory:
        """Return a memory of this moment, to be written; with `ttl` it expires that much later."""
        now = self._desk.now()
        expires = None if ttl is None else now + ttl
        return Memory(
            name=name, value=value, ttl=ttl, created_at=now, updated_at=now, expires_at=expires
        )

    async def write(
        self,
        memories: Sequence[Memory],
        *,
        vectors: Sequence[Vectors] = (),
        forget: Sequence[Name] = (),
    ) -> None:
        """Write and forget memories, all or nothing; of one name there may be only one.

        A memory loses the vectors that it had, unless there are new ones for it. Up to 5,000
        memories go in one batch; more go in several.
        """
        found_by = {entry.name: entry for entry in vectors}
        changes: list[Change] = []
        for memory in memories:
            entry = found_by.get(memory.name)
            changes.append(await self._memories.put(memory, expect=None))
            changes.append(
                self._vectors.remove(memory.name.id)
                if entry is None
                else await self._vectors.put(entry, expect=None)
            )
        for name in forget:
            changes += [self._memories.remove(name.id), self._vectors.remove(name.id)]
        await self._desk.commit_in_parts(changes)

    async def get(self, names: Sequence[Name]) -> list[Memory | None]:
        """Return the memories of these names in that order, `None` where there is none."""
        return await self._memories.find_many([name.id for name in names])

    async def there(self, names: Sequence[Name]) -> list[bool]:
        """Tell which of these names have a memory; no value is read."""
        keys = [self._memories.key(name.id) for name in names]
        return [record is not None for record in await self._desk.backend.get(keys, bodies=False)]

    async def found_by(self, names: Sequence[Name], *, dims: int) -> list[bool]:
        """Tell which of these names have vectors of so many dimensions; none is read."""
        keys = [self._vectors.key(name.id) for name in names]
        records = await self._desk.backend.get(keys, bodies=False)
        return [record is not None and record.labels.get(DIMS) == dims for record in records]

    async def scan(
        self, prefix: Namespace = (), *, skip: int = 0, limit: int | None = None
    ) -> AsyncIterator[Memory]:
        """Go through a namespace and all that it contains, latest change first.

        The first `skip` are left out, and not opened.
        """
        find = replace(
            _within(prefix), order=_LATEST_FIRST, limit=None if limit is None else skip + limit
        )
        records = cast("AsyncGenerator[Record, None]", self._memories.records(find))
        async with aclosing(records):
            async for record in records:
                if skip:
                    skip -= 1
                    continue
                yield await self._memories.open(record)

    async def vectors(self, prefix: Namespace = ()) -> AsyncIterator[list[Vectors]]:
        """Go through the vectors of a namespace and all that it contains, many at a time."""
        page: list[Vectors] = []
        find = replace(_within(prefix), order=Order("id"))
        records = cast("AsyncGenerator[Record, None]", self._vectors.records(find))
        async with aclosing(records):
            async for record in records:
                page.append(await self._vectors.open(record))
                if len(page) == AT_ONCE:
                    yield page
                    page = []
        if page:
            yield page

    async def namespaces(self, prefix: Namespace = ()) -> dict[Namespace, int]:
        """Return the namespaces that hold anything, each with its number of memories."""
        rows = await self._memories.tally(_within(prefix), group_by=(f"labels.{NAMESPACE}",))
        return {namespace_of(str(row.group[0] or "")): row.count for row in rows if row.count}

    async def refresh(self, memories: Sequence[Memory]) -> None:
        """Let memories with a `ttl` live that long from now on; those gone meanwhile stay gone."""
        ttls = {memory.name.id: memory.ttl for memory in memories if memory.ttl is not None}
        for start in range(0, len(ttls), AT_ONCE):
            some = dict(list(ttls.items())[start : start + AT_ONCE])
            await self._refresh(some)

    async def _refresh(self, ttls: Mapping[str, timedelta]) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            records = await self._desk.backend.get([self._memories.key(id_) for id_ in ttls])
            now = self._desk.now()
            puts = [
                replace(
                    Put.of(record),
                    expires_at=to_micros(now + ttls[record.key.id]),
                    expect=record.version,
                )
                for record in records
                if record is not None and record.expires_at is not None
            ]
            if not puts:
                return
            try:
                await self._desk.commit(puts)
            except Conflict as error:
                if attempt == ATTEMPTS or error.code == LEASE_LOST:
                    raise
            else:
                return

    async def sweep(self) -> int:
        """Remove what has expired, and return how many memories that were.

        A memory that was written anew meanwhile stays.
        """
        count = 0
        ids: list[str] = []
        async for record in self._desk.backend.scan(self._expired()):
            ids.append(record.key.id)
            if len(ids) == AT_ONCE:
                count += await self._sweep(ids)
                ids = []
        return count + await self._sweep(ids)

    async def _sweep(self, ids: Sequence[str]) -> int:
        if not ids:
            return 0
        changes = [
            change
            for id_ in ids
            for change in (
                # An expired record counts as absent, one written anew does not.
                Delete(key=self._memories.key(id_), expect=0),
                Delete(key=self._vectors.key(id_)),
            )
        ]
        try:
            await self._desk.commit(changes)
        except Conflict as error:
            if error.code == LEASE_LOST:
                raise
            if len(ids) == 1:
                return 0
            return sum([await self._sweep([id_]) for id_ in ids])
        return len(ids)

    def _expired(self) -> Query:
        return Query(
            space=self._desk.space,
            kinds=self._memories.kinds,
            where=(Condition("expires_at", "le", self._desk.clock.now()),),
            bodies=False,
            expired=True,
        )


def _within(prefix: Namespace) -> Find:
    path = path_of(prefix)
    return Find(where=(Condition("id", "prefix", path),) if path else ())
