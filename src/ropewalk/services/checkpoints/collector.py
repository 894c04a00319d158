"""`Collector`: find the nodes that no state needs any more, and remove them beside the writers.

Mark and sweep with a generation stamp. The collector raises the generation of a family from G to
G + 1, then marks what the roots of that moment reach, then deletes what is unmarked and whose
stamp is at most G. A batch of a writer expects the generation that its nodes are stamped with:
one that was committed after the raise stamped with G + 1 or more whatever it needs and did not
find in its parent; and its parent was there, so that by induction all of the parent's is safe.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, cast

from ...domain.change import Delete, Put
from ...domain.checkpoint import Collected
from ...domain.errors import Conflict
from ...domain.lease import LEASE_LOST
from ...domain.query import Condition, Query
from ...domain.record import Key
from ...stores.base import Find
from ...stores.trees import FAMILY, NODE
from ...trees.form import DIGEST_BYTES, Ref, children, refs_in
from ...trees.root import read_root
from ...turns import Turns

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection

    from ...domain.checkpoint import Trunk
    from ...domain.record import Record
    from ..desk import Desk
    from .grove import Grove

_AT_ONCE: Final = 500
_DIGEST_HEX: Final = 2 * DIGEST_BYTES


class Collector:
    """Removes garbage in small batches; may be stopped at any point and begun again."""

    def __init__(self, desk: Desk, grove: Grove) -> None:
        """Collect in the space of `desk`."""
        self._desk = desk
        self._grove = grove

    async def collect(
        self,
        *,
        only: Collection[str] | None = None,
        progress: Callable[[Collected], None] | None = None,
    ) -> Collected:
        """Remove every node that no checkpoint and no pending write needs; return what was done.

        Right beside writers in this and other processes: what a state needs stays. Garbage that
        is made meanwhile goes at the next time. With `only`, other families are left alone.
        """
        done = Collected()
        raised = {
            record.key.id: await self._raise(record.key)
            async for record in self._families()
            if only is None or record.key.id in only
        }
        threads = await self._threads_of_families()
        for family, generation in raised.items():
            if generation is None:
                continue
            marked = await self._mark(family, threads.get(family, ()))
            async for digests in self._unmarked(family, marked, generation):
                freed = await self._sweep(family, digests, generation)
                done += freed
                if progress is not None:
                    progress(done)
            done += Collected(families=1, kept=len(marked))
            if not marked and family not in threads:
                await self._bury(family, generation + 1)
        return done

    async def unreachable(
        self,
        families: Collection[str],
        without: Collection[str],
        *,
        weigh: Callable[[Record], int],
    ) -> Collected:
        """Say what a collection would remove if these checkpoints were gone; changes nothing.

        `weigh` tells how many bytes each node is.
        """
        told = Collected()
        threads = await self._threads_of_families()
        for family in families:
            marked = await self._mark(family, threads.get(family, ()), without=without)
            async for digests in self._unmarked(family, marked, None):
                records = await self._nodes(family, digests)
                told += Collected(removed=len(records), freed_bytes=sum(map(weigh, records)))
            told += Collected(families=1, kept=len(marked))
        return told

    async def _families(self) -> AsyncIterator[Record]:
        query = Query(space=self._desk.space, kinds=(FAMILY,), bodies=False)
        async for record in self._desk.backend.scan(query):
            yield record

    async def _raise(self, key: Key) -> int | None:
        """Raise a family's generation; return the one before, `None` where the family is gone."""
        while True:
            [record] = await self._desk.backend.get([key], bodies=False)
            if record is None:
                return None
            try:
                await self._desk.commit([Put(key=key, expect=record.version)])
            except Conflict as error:
                if error.code == LEASE_LOST:
                    raise
                continue
            self._grove.forest.note_generation(key.id, None)
            return record.version

    async def _threads_of_families(self) -> dict[str, set[str]]:
        """Return the threads that have a root in each family, as of a moment after the raise."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        turns = Turns()
        async for header in self._grove.store.scan(Find()):
            if header.trunk is not None:
                found[header.trunk.family].add(header.thread_id)
            await turns.rest()
        async for stored in self._grove.writes.scan(Find()):
            found[stored.trunk.family].add(stored.thread_id)
            await turns.rest()
        return dict(found)

    async def _trunks(self, thread_id: str, without: Collection[str]) -> AsyncIterator[Trunk]:
        find = Find(thread_id=thread_id)
        async for header in self._grove.store.scan(find):
            if header.trunk is not None and header.id not in without:
                yield header.trunk
        async for stored in self._grove.writes.scan(find):
            if stored.checkpoint_id not in without:
                yield stored.trunk

    async def _mark(
        self, family: str, threads: Collection[str], *, without: Collection[str] = ()
    ) -> set[bytes]:
        """Return the names of all nodes that the roots of a family reach."""
        marked: set[bytes] = set()
        turns = Turns()
        for thread_id in threads:
            waiting: list[Ref] = []
            async for trunk in self._trunks(thread_id, without):
                if trunk.family == family:
                    waiting += _new(refs_in(list(read_root(trunk.root).slots.values())), marked)
                await turns.rest()
                if len(waiting) >= _AT_ONCE:
                    await self._follow(family, waiting, marked)
                    waiting = []
            await self._follow(family, waiting, marked)
        return marked

    async def _follow(self, family: str, waiting: list[Ref], marked: set[bytes]) -> None:
        turns = Turns()
        while waiting:
            part, waiting = waiting[-_AT_ONCE:], waiting[:-_AT_ONCE]
            bodies = await self._grove.forest.fetch(family, part)
            for ref in part:
                waiting += _new(children(bodies[ref.digest]), marked)
                await turns.rest()

    async def _unmarked(
        self, family: str, marked: set[bytes], most: int | None
    ) -> AsyncIterator[list[bytes]]:
        """Go through the names of nodes that are not marked, some at a time."""
        prefix = f"{family}."
        query = Query(
            space=self._desk.space,
            kinds=(NODE,),
            where=(Condition("id", "prefix", prefix),),
            bodies=False,
        )
        found: list[bytes] = []
        turns = Turns()
        rows = cast("AsyncGenerator[Record, None]", self._desk.backend.scan(query))
        async with aclosing(rows):
            async for record in rows:
                await turns.rest()
                name = record.key.id[len(prefix) :]
                # A family whose name begins with this one's and a dot has nodes of its own.
                if len(name) != _DIGEST_HEX or (most is not None and record.version > most):
                    continue
                digest = bytes.fromhex(name)
                if digest not in marked:
                    found.append(digest)
                if len(found) == _AT_ONCE:
                    yield found
                    found = []
        if found:
            yield found

    async def _nodes(self, family: str, digests: list[bytes]) -> list[Record]:
        keys = [self._grove.forest.key(family, digest) for digest in digests]
        return [record for record in await self._desk.backend.get(keys) if record is not None]

    async def _sweep(self, family: str, digests: list[bytes], most: int) -> Collected:
        records = await self._nodes(family, digests)
        sizes = {record.key: len(record.body or b"") for record in records}
        if not records:
            return Collected()
        applied = await self._desk.commit(
            [Delete(key=record.key, at_most=most) for record in records]
        )
        gone = [
            record
            for record, version in zip(records, applied.versions, strict=True)
            if version == 0
        ]
        return Collected(removed=len(gone), freed_bytes=sum(sizes[record.key] for record in gone))

    async def _bury(self, family: str, generation: int) -> None:
        """Remove a family of which nothing is left, unless somebody writes into it again."""
        rows = cast("AsyncGenerator[list[bytes], None]", self._unmarked(family, set(), None))
        async with aclosing(rows) as left:
            async for _ in left:
                return
        key = self._grove.forest.family_key(family)
        try:
            await self._desk.commit([Delete(key=key, expect=generation)])
        except Conflict as error:
            if error.code == LEASE_LOST:
                raise
            return
        self._grove.forest.note_generation(family, None)


def _new(refs: list[Ref], marked: set[bytes]) -> list[Ref]:
    """Mark references; return those to nodes that have to be read, each once."""
    found: list[Ref] = []
    for ref in refs:
        if ref.digest not in marked:
            marked.add(ref.digest)
            if ref.deep:
                found.append(ref)
    return found
