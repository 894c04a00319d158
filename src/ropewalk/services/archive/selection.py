"""Go through the records of a scope: what others need first, each kind by id, each record once."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from ...domain.leaning import BODIES, OF
from ...domain.migration import JOURNAL
from ...domain.query import Condition, Query
from ...stores.base import Find
from ...stores.trees import DICTIONARY, FAMILY, HEAD, NODE, SECRET
from ...trees.form import Ref, children, refs_in
from ...trees.root import read_root
from ...turns import Turns
from ..checkpoints.grove import Grove
from .belonging import (
    AT_ONCE,
    BRANCH,
    BY_ID,
    MEMORY,
    SESSION,
    THREAD,
    USER,
    VECTOR,
    Belongings,
    keys_of,
    memory_belongs,
    portions,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence

    from ...domain.query import AnyOf
    from ...domain.record import Key, Record
    from ..desk import Desk

FIRST: Final = (SECRET, DICTIONARY, NODE, FAMILY, HEAD, SESSION, THREAD)
LAST: Final = ("checkpoint", "write")

_KEYED: Final = frozenset({SECRET, DICTIONARY, NODE, FAMILY, HEAD, SESSION})
"""Kinds that are found by their ids alone."""

_NOBODYS: Final = frozenset(
    {
        *("lease", "fence", "ticket", "consumer", "policy", "space", "grant"),
        *(MEMORY, VECTOR),
    }
)
"""Kinds that belong to no session and to no thread."""

_SESSIONS: Final = "sessions"
_THREADS: Final = "threads"
_OTHERS: Final = "others"
"""The ways in which a record is found; one that is found in several is told in the first."""


def in_order(kinds: Iterable[str]) -> tuple[str, ...]:
    """Return kinds as they stand in an archive: what states consist of before what needs it."""
    there = set(kinds) - JOURNAL
    others = sorted(there.difference(FIRST, LAST))
    return tuple(kind for kind in (*FIRST, *others, *LAST) if kind in there)


class Selection:
    """Finds the records of a scope; reads one portion of them at a time."""

    def __init__(
        self,
        desk: Desk,
        belongings: Belongings | None,
        *,
        bodies: bool = True,
        sealed: bool = False,
    ) -> None:
        """Look into the space of `desk`; `None` belongings are everything in it.

        With `sealed`, the dictionaries that bodies lean on belong to every scope.
        """
        self._desk = desk
        self._own = belongings
        self._bodies = bodies
        self._sealed = sealed
        self._grove = Grove(desk)

    async def counts(self) -> dict[str, int]:
        """Count the records of each kind in the whole space, in the order of an archive."""
        everything = Query(space=self._desk.space, bodies=False)
        rows = await self._desk.backend.tally(everything, (), ("kind",))
        counts = {str(row.group[0]): row.count for row in rows}
        return {kind: counts[kind] for kind in in_order(counts)}

    async def leaned_on(self) -> AsyncIterator[Record]:
        """Go through the dictionaries that bodies lean on, whatever the scope."""
        async for record in self._where(DICTIONARY, Condition(f"labels.{OF}", "eq", BODIES)):
            yield record

    async def records(self, kind: str) -> AsyncIterator[Record]:
        """Go through what the scope has of one kind."""
        if self._own is None:
            found = self._scan(Query(space=self._desk.space, kinds=(kind,), order=BY_ID))
        elif kind in _KEYED:
            found = self._keyed(kind, self._own)
        elif kind in (MEMORY, VECTOR):
            found = self._memories(kind, self._own)
        elif kind in _NOBODYS:
            return
        else:
            found = self._below(kind, self._own)
        async for record in found:
            yield record

    async def _scan(self, query: Query) -> AsyncIterator[Record]:
        query = replace(query, bodies=self._bodies)
        rows = cast("AsyncGenerator[Record, None]", self._desk.backend.scan(query))
        async with aclosing(rows):
            async for record in rows:
                yield record

    async def _below(self, kind: str, own: Belongings) -> AsyncIterator[Record]:
        """Go through what names a session or a thread, or a person by its metadata."""
        sessions, threads = frozenset(own.sessions), frozenset(own.threads)
        for way, condition in _ways(kind, own):
            async for record in self._where(kind, condition):
                met = way != _SESSIONS and record.session_id in sessions
                if not met and not (way == _OTHERS and record.thread_id in threads):
                    yield record

    def _where(self, kind: str, *where: Condition | AnyOf) -> AsyncIterator[Record]:
        query = Query(space=self._desk.space, kinds=(kind,), where=where, order=BY_ID)
        return self._scan(query)

    async def _memories(self, kind: str, own: Belongings) -> AsyncIterator[Record]:
        if own.user_id is None:
            return
        async for record in self._where(kind):
            if memory_belongs(record, own.user_id):
                yield record

    async def _keyed(self, kind: str, own: Belongings) -> AsyncIterator[Record]:
        if kind == NODE:
            async for record in self._nodes(own):
                yield record
            return
        if kind in (SECRET, DICTIONARY):
            async for record in self._where(kind):
                if self._sealed if OF in record.labels else own.threads:
                    yield record
            return
        named = {SESSION: own.named, HEAD: own.threads, FAMILY: own.roots}[kind]
        async for record in self._get(keys_of(self._desk, kind, named)):
            yield record

    async def _get(self, keys: Sequence[Key]) -> AsyncIterator[Record]:
        for part in portions(keys):
            for record in await self._desk.backend.get(part, bodies=self._bodies):
                if record is not None:
                    yield record

    async def _nodes(self, own: Belongings) -> AsyncIterator[Record]:
        """Go through the nodes that the states of these threads consist of, family by family."""
        for family, digests in sorted((await self._reached(own)).items()):
            forest = self._grove.forest
            keys = [forest.key(family, digest) for digest in sorted(digests)]
            async for record in self._get(keys):
                yield record

    async def _reached(self, own: Belongings) -> dict[str, set[bytes]]:
        reached: dict[str, set[bytes]] = {}
        turns = Turns()
        for id_ in own.threads:
            find = Find(thread_id=id_)
            async for trunk in self._trunks(find):
                met = reached.setdefault(trunk[0], set())
                waiting = _new(refs_in(list(read_root(trunk[1]).slots.values())), met)
                while waiting:
                    part, waiting = waiting[-AT_ONCE:], waiting[:-AT_ONCE]
                    bodies = await self._grove.forest.fetch(trunk[0], part)
                    for ref in part:
                        waiting += _new(children(bodies[ref.digest]), met)
                        await turns.rest()
        return reached

    async def _trunks(self, find: Find) -> AsyncIterator[tuple[str, bytes]]:
        async for header in self._grove.store.scan(find):
            if header.trunk is not None:
                yield header.trunk.family, header.trunk.root
        async for stored in self._grove.writes.scan(find):
            yield stored.trunk.family, stored.trunk.root


def _ways(kind: str, own: Belongings) -> Iterator[tuple[str, Condition]]:
    """Go through the questions whose answers together are what there is of a kind."""
    for part in portions(own.sessions):
        yield _SESSIONS, Condition("session_id", "in", tuple(part))
    for part in portions(own.threads):
        yield _THREADS, Condition("thread_id", "in", tuple(part))
    for part in portions(own.threads) if kind == BRANCH else ():
        yield _OTHERS, Condition("labels.target", "in", tuple(part))
    if own.user_id is not None:
        yield _OTHERS, Condition(f"labels.{USER}", "eq", own.user_id)


def _new(refs: list[Ref], met: set[bytes]) -> list[Ref]:
    """Take in what is new; return what holds references of its own."""
    found: list[Ref] = []
    for ref in refs:
        if ref.digest not in met:
            met.add(ref.digest)
            if ref.deep:
                found.append(ref)
    return found
