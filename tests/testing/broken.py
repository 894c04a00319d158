"""Back ends that are each wrong in one way: what a contract is worth shows on them."""

from __future__ import annotations

import asyncio
import contextlib
import unicodedata
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from uuid import uuid4

from ropewalk.domain.change import Applied, Batch, Changed, Commit, Delete, Put
from ropewalk.domain.errors import Unavailable
from ropewalk.domain.health import Health, State
from ropewalk.domain.ports import Backend, Capability
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key, Record
from ropewalk.domain.tally import Tally
from ropewalk.layers.base import Layer


class Piecemeal(Layer):
    """Apply a batch change by change."""

    async def apply(self, batch: Batch) -> Applied:
        """Apply each change for itself."""
        parts = [
            await self.below.apply(Batch((change,), id=f"{batch.id}-{n}", actor=batch.actor))
            for n, change in enumerate(batch.changes)
        ]
        versions = tuple(part.versions[0] for part in parts)
        previous = tuple(part.previous[0] for part in parts)
        return Applied(parts[-1].seq, parts[-1].at, versions, previous, parts[-1].replayed)


class Oblivious(Layer):
    """Remember no batch id."""

    async def apply(self, batch: Batch) -> Applied:
        """Apply the batch as if it were new."""
        return await self.below.apply(replace(batch, id=uuid4().hex))


class Unguarded(Layer):
    """Look at expectations before the write, not with it."""

    async def apply(self, batch: Batch) -> Applied:
        """Check, then give way, then write."""
        records = await self.below.get([change.key for change in batch.changes])
        loose = tuple(
            replace(change, expect=None)
            if isinstance(change, Put) and change.expect == (record.version if record else 0)
            else change
            for change, record in zip(batch.changes, records, strict=True)
        )
        await asyncio.sleep(0)
        return await self.below.apply(replace(batch, changes=loose))


class Sloppy(Layer):
    """Break ties the wrong way round."""

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Sort by the field alone."""
        found = [record async for record in self.below.scan(replace(query, limit=None))]
        found.sort(key=lambda record: record.key.id, reverse=not query.order.descending)
        found.sort(key=lambda r: query.cursor(r).key[0], reverse=query.order.descending)
        for record in found[: query.limit]:
            yield record


class Inclusive(Layer):
    """Begin a page with the record that ended the last one."""

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Give the record at the cursor again."""
        if query.after is not None and query.after.id:
            key = Key(query.after.space, query.after.kind, query.after.id)
            for record in await self.below.get([key]):
                if record is not None:
                    yield record
        async for record in self.below.scan(query):
            yield record


class Leaky(Layer):
    """Look into every space."""

    def scan(self, query: Query) -> AsyncIterator[Record]:
        """Forget the space."""
        return self.below.scan(replace(query, space=None))


class Undying(Layer):
    """Show what expired."""

    def scan(self, query: Query) -> AsyncIterator[Record]:
        """Ask for the expired as well."""
        return self.below.scan(replace(query, expired=True))


class Untyped(Layer):
    """Keep labels as a column without types does."""

    async def apply(self, batch: Batch) -> Applied:
        """Turn bools and whole floats into integers."""
        changes = tuple(
            replace(
                change,
                labels={
                    name: int(value) if isinstance(value, float) and value.is_integer() else value
                    for name, value in change.labels.items()
                },
            )
            if isinstance(change, Put)
            else change
            for change in batch.changes
        )
        return await self.below.apply(replace(batch, changes=changes))


class Normalising(Layer):
    """Take texts for equal that only look equal, as some file systems do."""

    async def apply(self, batch: Batch) -> Applied:
        """Write under the composed form of the id."""
        seen: dict[Key, Put] = {}
        for change in batch.changes:
            if isinstance(change, Put):
                id = unicodedata.normalize("NFC", change.key.id)
                seen[replace(change.key, id=id)] = replace(change, key=replace(change.key, id=id))
        return await self.below.apply(replace(batch, changes=tuple(seen.values())))


class OneByOne(Layer):
    """Read one key after the other."""

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Give way between two keys."""
        return [(await self.below.get([key], bodies=bodies))[0] for key in keys]


class Locking(Layer):
    """Hold a lock while a scan is suspended."""

    def __init__(self, below: Backend) -> None:
        """Begin unlocked."""
        super().__init__(below)
        self._lock = asyncio.Lock()

    async def apply(self, batch: Batch) -> Applied:
        """Wait for every scan."""
        async with self._lock:
            return await self.below.apply(batch)

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Keep writers waiting."""
        async with self._lock:
            async for record in self.below.scan(query):
                yield record


class Keyset(Layer):
    """Fetch pages by position alone, whatever moves meanwhile."""

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Begin anew behind each record."""
        rest = replace(query, limit=1)
        while found := [record async for record in self.below.scan(rest)]:
            yield found[0]
            rest = replace(rest, after=query.cursor(found[0]))


class Stubborn(Layer):
    """Swallow cancellations."""

    async def apply(self, batch: Batch) -> Applied:
        """Go on whatever happens."""
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                return await self.below.apply(batch)


class Selfish(Layer):
    """Never give way."""

    async def ping(self, *, thorough: bool = False) -> Health:
        """Answer at once."""
        del thorough
        return Health(State.HEALTHY)


class Rounding(Layer):
    """Add up in floats."""

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Round every sum."""
        return [
            replace(tally, sums=tuple(int(float(total)) for total in tally.sums))
            for tally in await self.below.tally(query, sums, group_by)
        ]


class Chatty(Layer):
    """Tell of changes that were none."""

    async def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Add a deletion of something that was never there to each row."""
        async for commit in self.below.feed(after):
            ghost = Changed(Key("lab", "note", "absent"), 0)
            yield replace(commit, changes=(*commit.changes, ghost))


class Lenient(Layer):
    """Delete whatever the guard says."""

    async def apply(self, batch: Batch) -> Applied:
        """Drop every `at_most`."""
        changes = tuple(
            Delete(key=change.key, expect=change.expect) if isinstance(change, Delete) else change
            for change in batch.changes
        )
        return await self.below.apply(replace(batch, changes=changes))


class Deaf(Layer):
    """Answer with nothing instead of refusing, once closed."""

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return absences when the store is closed."""
        try:
            return await self.below.get(keys, bodies=bodies)
        except Unavailable:
            return [None] * len(keys)


class Secretive(Layer):
    """Declare nothing, and do it all the same."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Declare no power."""
        return frozenset()


class Boastful(Layer):
    """Declare a power that nothing proves."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Claim to be durable."""
        return self.below.capabilities | {Capability.DURABLE}


class Hasty(Layer):
    """Wait for nothing."""

    async def changed(self, after: int) -> int:
        """Return what there is, new or not."""
        del after
        return await self.below.changed(-1)


class Amnesic(Layer):
    """Forget the newest commit as well, as far as anybody can see."""

    def __init__(self, below: Backend) -> None:
        """Begin with everything."""
        super().__init__(below)
        self._before = 0

    async def trim(self, before: int) -> int:
        """Hide what is older, and count it."""
        count = len([c async for c in self.below.feed() if self._before <= c.seq < before])
        self._before = max(self._before, before)
        return count

    async def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Tell what is not hidden."""
        async for commit in self.below.feed(after):
            if commit.seq >= self._before:
                yield commit
