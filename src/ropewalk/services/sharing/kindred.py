"""`Kindred`: which threads, families and records belong to the sessions that are covered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...domain.query import Condition, Query
from ...domain.record import Key
from ...stores.trees import FAMILY, HEAD, NODE
from .coverage import KEYED, THREAD, WRITE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from ...domain.change import Put
    from ...domain.ports import Backend
    from ...domain.record import Record
    from .coverage import Coverage

_ROOT: Final = "root"
"""The label of a thread that names the root of its family."""


class Kindred:
    """Answers for the records that name no session: they belong to one by their thread.

    A node, and the entry of a family, belong to every session that has a thread of that family.
    """

    def __init__(
        self, base: Backend, space: str, coverage: Coverage, *, coming: Iterable[Put] = ()
    ) -> None:
        """Look into `base`; `coming` are threads that are about to be written."""
        self._base = base
        self._space = space
        self._coverage = coverage
        own = [put for put in coming if put.session_id in coverage.sessions]
        self._coming = {put.key.id for put in own}
        self._roots = {put.key.id for put in own if put.labels.get(_ROOT) == put.key.id}

    async def all_threads(self) -> tuple[str, ...]:
        """Return the ids of the threads of all covered sessions."""
        query = self._threads_query()
        return tuple([record.key.id async for record in self._base.scan(query)])

    async def threads(self, ids: Collection[str]) -> set[str]:
        """Return those of the threads that belong to a covered session."""
        found = self._coming.intersection(ids)
        keys = [Key(self._space, THREAD, id_) for id_ in ids if id_ not in found]
        for record in await self._base.get(keys, bodies=False) if keys else ():
            if record is not None and self._coverage.holds(record):
                found.add(record.key.id)
        return found

    async def families(self, names: Collection[str]) -> set[str]:
        """Return those of the families that have a thread in a covered session."""
        found = await self.threads(names) | self._roots.intersection(names)
        for name in names:
            if name not in found:
                query = self._threads_query().only(Condition(f"labels.{_ROOT}", "eq", name))
                [row] = await self._base.tally(query)
                if row.count:
                    found.add(name)
        return found

    async def covered(self, keys: Sequence[Key], records: Sequence[Record | None]) -> list[bool]:
        """Tell which of these are covered: records that are there, and keys of what is not.

        Of what is not there, only what has no session of its own can be.
        """
        asked = {key.id for key in keys if self._open(key.kind, HEAD)}
        asked |= {
            record.thread_id
            for record in records
            if record is not None and record.thread_id and self._open(record.key.kind, WRITE)
        }
        threads = await self.threads(asked)
        families = await self.families({family_of(key) for key in keys if self._is_tree(key)})
        return [
            self._decide(key, record, threads, families)
            for key, record in zip(keys, records, strict=True)
        ]

    def _open(self, kind: str, wanted: str) -> bool:
        return kind == wanted and not self._coverage.surely(kind)

    def _is_tree(self, key: Key) -> bool:
        return key.kind in (NODE, FAMILY) and not self._coverage.surely(key.kind)

    def _decide(
        self, key: Key, record: Record | None, threads: set[str], families: set[str]
    ) -> bool:
        kind = key.kind
        if self._coverage.surely(kind):
            return True
        if kind in KEYED:
            named = {HEAD: key.id in threads, NODE: family_of(key) in families}
            named[FAMILY] = named[NODE]
            return named.get(kind, bool(self._coverage.sessions))
        if record is not None and kind == WRITE:
            return record.thread_id in threads
        return record is not None and self._coverage.holds(record)

    def _threads_query(self) -> Query:
        sessions = tuple(sorted(self._coverage.sessions))
        return Query(
            space=self._space,
            kinds=(THREAD,),
            where=(Condition("session_id", "in", sessions),),
            bodies=False,
        )


def family_of(key: Key) -> str:
    """Return the family that a node belongs to, or whose entry this is."""
    return key.id.rpartition(".")[0] if key.kind == NODE else key.id
