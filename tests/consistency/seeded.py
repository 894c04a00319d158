"""Layers that are each wrong in one way, now and then: what the checker is worth shows on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from random import Random
from uuid import uuid4

from ropewalk.domain.change import Applied, Batch, Delete, Ensure, Put
from ropewalk.domain.errors import Conflict
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key, Record
from ropewalk.domain.seen import Seen
from ropewalk.layers.base import Layer


class Seeded(Layer):
    """A layer whose fault shows in one of three calls, so that most of the work is sound."""

    def __init__(self, below: Backend, *, seed: int) -> None:
        """Draw the calls that go wrong by `seed`."""
        super().__init__(below)
        self._random = Random(f"fault {seed}")

    def _strikes(self) -> bool:
        return self._random.randrange(3) == 0


class LosesUpdates(Seeded):
    """Ignore what a put or a delete expects."""

    async def apply(self, batch: Batch) -> Applied:
        """Write whatever is there now."""
        changes = tuple(
            replace(change, expect=None, made=None) if isinstance(change, Put | Delete) else change
            for change in batch.changes
        )
        return await self.below.apply(replace(batch, changes=changes) if self._strikes() else batch)


class ConfusesLives(Seeded):
    """Compare versions, and not when a record was created."""

    async def apply(self, batch: Batch) -> Applied:
        """Take the record that stands there for the one that was seen."""
        changes = tuple(
            c if isinstance(c, Ensure) else replace(c, made=None) for c in batch.changes
        )
        lists = [part for part in batch.seen if isinstance(part, Seen)]
        keys = list(dict.fromkeys(key for part in lists for key, *_ in part.found))
        there = [one for one in await self.below.get(keys, bodies=False) if one is not None]
        made = {record.key: record.created_at for record in there}
        found = {
            part: tuple((key, version, made.get(key, at)) for key, version, at in part.found)
            for part in lists
        }
        seen = tuple(
            replace(part, found=found[part]) if isinstance(part, Seen) else part
            for part in batch.seen
        )
        return await self.below.apply(replace(batch, changes=changes, seen=seen))


class ReadsStale(Seeded):
    """Answer a read with what an earlier one saw."""

    def __init__(self, below: Backend, *, seed: int) -> None:
        """Remember nothing yet."""
        super().__init__(below, seed=seed)
        self._seen: dict[tuple[Key, ...], list[Record | None]] = {}

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Answer from memory, one time of three."""
        asked = tuple(keys)
        if asked in self._seen and bodies and self._strikes():
            return self._seen[asked]
        records = await self.below.get(keys, bodies=bodies)
        if bodies:
            self._seen.setdefault(asked, records)
        return records


class ReadsDirty(Seeded):
    """Show what a batch is about to write, whether it goes through or not."""

    def __init__(self, below: Backend, *, seed: int) -> None:
        """Begin without anything on its way."""
        super().__init__(below, seed=seed)
        self._coming: dict[Key, Put] = {}

    async def apply(self, batch: Batch) -> Applied:
        """Let everybody see it, wait, and then try."""
        puts = {change.key: change for change in batch.changes if isinstance(change, Put)}
        self._coming |= puts
        try:
            for _ in range(3):
                await asyncio.sleep(0)
            return await self.below.apply(batch)
        finally:
            for key in puts:
                self._coming.pop(key, None)

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Mix what is there with what is to come."""
        records = await self.below.get(keys, bodies=bodies)
        return [
            record and replace(record, body=coming.body, version=record.version + 1)
            if (coming := self._coming.get(key)) is not None and bodies
            else record
            for key, record in zip(keys, records, strict=True)
        ]


class TearsBatches(Seeded):
    """Apply a batch change by change."""

    async def apply(self, batch: Batch) -> Applied:
        """Give way between two changes; the feed shows as many commits."""
        if len(batch.changes) == 1 or not self._strikes():
            return await self.below.apply(batch)
        parts: list[Applied] = []
        for n, change in enumerate(batch.changes):
            parts.append(
                await self.below.apply(replace(batch, changes=(change,), id=_nth(batch, n)))
            )
            await asyncio.sleep(0)
        versions = tuple(part.versions[0] for part in parts)
        previous = tuple(part.previous[0] for part in parts)
        return Applied(parts[-1].seq, parts[-1].at, versions, previous)


def _nth(batch: Batch, n: int) -> str:
    return f"{batch.id}-{n}" if n else batch.id


class MissesPhantoms(Seeded):
    """Check records that were read, and not the lists that were."""

    async def apply(self, batch: Batch) -> Applied:
        """Leave the lists out."""
        changes = batch.changes
        return await self.below.apply(replace(batch, seen=()) if changes else batch)


class ReusesVersions(Seeded):
    """Write a record without raising its version, now and then."""

    def __init__(self, below: Backend, *, seed: int) -> None:
        """Begin with every version right."""
        super().__init__(below, seed=seed)
        self._behind: dict[Key, int] = {}

    async def apply(self, batch: Batch) -> Applied:
        """Translate between the versions that are shown and those below."""
        real = tuple(
            replace(change, expect=change.expect + self._behind.get(change.key, 0))
            if not isinstance(change, Ensure) and change.expect
            else change
            for change in batch.changes
        )
        applied = await self.below.apply(replace(batch, changes=real))
        shown: list[int] = []
        for change, version in zip(batch.changes, applied.versions, strict=True):
            if version == 0 or isinstance(change, Delete):
                self._behind.pop(change.key, None)
            elif isinstance(change, Put) and version > 1 and self._strikes():
                self._behind[change.key] = self._behind.get(change.key, 0) + 1
            shown.append(version - self._behind.get(change.key, 0))
        return replace(applied, versions=tuple(shown))

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Show the versions as they were given out."""
        records = await self.below.get(keys, bodies=bodies)
        return [record and self._shown(record) for record in records]

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Show the versions as they were given out."""
        async for record in self.below.scan(query):
            yield self._shown(record)

    def _shown(self, record: Record) -> Record:
        return replace(record, version=record.version - self._behind.get(record.key, 0))


class HalvesCancelled(Seeded):
    """Leave the first half of a batch behind where its caller is cancelled."""

    async def apply(self, batch: Batch) -> Applied:
        """Wait, and see whether the caller does."""
        try:
            for _ in range(5):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            half = batch.changes[: len(batch.changes) // 2]
            if half:
                await self.below.apply(Batch(half, id=batch.id, actor=batch.actor))
            raise
        return await self.below.apply(batch)


class AppliesTwice(Seeded):
    """Remember no batch: one that is sent again is applied again."""

    async def apply(self, batch: Batch) -> Applied:
        """Take it for a new one."""
        return await self.below.apply(replace(batch, id=uuid4().hex))


class LosesWrites(Seeded):
    """Acknowledge a batch that was not done."""

    async def apply(self, batch: Batch) -> Applied:
        """Say what would be so."""
        applied = await self.below.apply(batch)
        undo = [Delete(key=change.key) for change in batch.changes if isinstance(change, Put)]
        if not undo or not self._strikes():
            return applied
        await self.below.apply(Batch(tuple(undo)))
        return applied


class RefusesAtRandom(Seeded):
    """Refuse a batch for a version that the record never had."""

    async def apply(self, batch: Batch) -> Applied:
        """Say that somebody was quicker."""
        if batch.changes and self._strikes():
            key = batch.changes[0].key
            raise Conflict("somebody was quicker", key=key, expected=1, actual=99)
        return await self.below.apply(batch)
