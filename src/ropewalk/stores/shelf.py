"""Find, open and count the records of one space, whatever their kind."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from ..domain.change import Batch, Change, Ensure, Put
from ..domain.errors import Invalid
from ..domain.limits import MAX_BATCH_BYTES, MAX_BATCH_CHANGES
from ..domain.paging import Pages, page_of, pages_of, records_of
from ..domain.ports import Capability
from ..domain.query import Condition, Order, Query
from ..domain.record import Key, check_name
from .document import as_dict, document_of
from .kinds import INNER
from .letter import Letter, open_each, open_letter, read_letter
from .operations import ambiguous
from .sieve import Sieve

if TYPE_CHECKING:
    from ..domain.ports import Backend, Sealer
    from ..domain.record import Record
    from .document import Document

Row: TypeAlias = dict[str, Any]
T = TypeVar("T")

_BY_ID: Final = Order("id")

LOOK_UP: Final = 500
"""Ids in one question to the back end."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """One space of a back end, and the sealer that opens what lies in it."""

    backend: Backend
    sealer: Sealer
    space: str

    async def letter(self, record: Record) -> Letter:
        """Open a record's body; raise `Corrupt` with its key where it is damaged."""
        return await open_letter(self.sealer, record)

    async def row(self, record: Record) -> Row:
        """Return a record as the dictionary that callers see; raise `Corrupt` as `letter` does."""
        value = self.sealer.unseal_at_once(record)
        return as_dict(record, await self.sealer.unseal(record) if value is None else value)

    async def document(self, record: Record) -> Document:
        """Return a record as a document to be changed and written again."""
        return document_of(record, await self.letter(record))

    async def look_up(
        self, ids: Iterable[str], *, kind: str | None = None, bodies: bool = True
    ) -> list[Record | None]:
        """Return the records with these ids in order, `None` where there is none.

        Without a kind each is looked up in every kind; raises `Invalid` if several have it.
        """
        names = check_ids(ids)
        if kind is not None:
            keys = [Key(self.space, check_name(kind, field="type"), name) for name in names]
            return await self.backend.get(keys, bodies=bodies) if keys else []
        if len(names) == 1:
            return [await self._by_id(names[0], bodies=bodies)]
        found: dict[str, list[Record]] = {}
        distinct = [*dict.fromkeys(names)]
        for start in range(0, len(distinct), LOOK_UP):
            wanted = Condition("id", "in", tuple(distinct[start : start + LOOK_UP]))
            query = Query(space=self.space, where=(wanted,), order=_BY_ID, bodies=bodies)
            async with aclosing(self.scan(query)) as pages:
                async for page in pages:
                    for record in page:
                        found.setdefault(record.key.id, []).append(record)
        return [_only(name, found.get(name, ())) for name in names]

    async def _by_id(self, id: str, *, bodies: bool) -> Record | None:
        """Return the record with an id: nearly always by one short read."""
        query = Query(
            space=self.space,
            where=(Condition("id", "eq", id),),
            order=_BY_ID,
            bodies=bodies,
        )
        portion = await page_of(self.backend, query)
        if portion is not None and portion.rest is None:
            return _only(id, portion.records)
        return _only(id, [record async for record in records_of(self.backend, query)])

    def scan(self, query: Query) -> Pages:
        """Go through the records of a query in pages; closing it lets the back end go."""
        return pages_of(self.backend, query)

    async def found(
        self,
        sieve: Sieve,
        query: Query,
        *,
        make: Callable[[Record, object], T],
        limit: int | None = None,
    ) -> AsyncGenerator[list[T], None]:
        """Go through the matching records, up to `limit` of them, as `make` shows each.

        It is given the record and what was in its body. They come as they were read, some at a
        time.
        """
        left, last = limit, None
        while left != 0:
            # Where the engine tells nearly everything, it need not look for more than is wanted.
            asked = left if sieve.decided else None
            looked = 0
            part = query if query.limit == asked else replace(query, limit=asked)
            async with aclosing(self.scan(part)) as pages:
                async for page in pages:
                    looked, last = looked + len(page), page[-1]
                    behind = 0
                    while behind < len(page):
                        # Whatever matches, no more of these bodies than this are needed.
                        some = page[behind:] if left is None else page[behind : behind + left]
                        behind += len(some)
                        made = await self._sifted(sieve, some, make)
                        yield made
                        if left is not None:
                            left -= len(made)
                            if left == 0:
                                return
            if asked is None or looked < asked or last is None:
                return
            query = replace(query, after=query.cursor(last))

    async def _sifted(
        self, sieve: Sieve, records: Sequence[Record], make: Callable[[Record, object], T]
    ) -> list[T]:
        """Open records, and show those of them whose letters match."""
        if not sieve.terms:
            return await open_each(self.sealer, records, make)
        opened = await open_each(self.sealer, records, _beside)
        return [
            make(record, value)
            for record, value in opened
            if sieve.matches(read_letter(record, value))
        ]

    async def count(self, sieve: Sieve) -> int:
        """Count the matching records, in the engine wherever header and labels decide."""
        if not sieve.terms:
            return await self._tally(sieve.query(self.space))
        if not sieve.decided:
            return await self._count(sieve, sieve.query(self.space))
        told = await self._tally(sieve.told(self.space))
        return told + await self._count(sieve, sieve.untold(self.space))

    async def _count(self, sieve: Sieve, query: Query) -> int:
        async with aclosing(self.found(sieve, query, make=_beside)) as found:
            return sum([len(some) async for some in found])

    async def _tally(self, query: Query) -> int:
        query = replace(query, bodies=False)
        if Capability.TALLY in self.backend.capabilities:
            return (await self.backend.tally(query))[0].count
        async with aclosing(self.scan(query)) as pages:
            return sum([len(page) async for page in pages])

    async def apply_all(self, changes: Sequence[Change]) -> list[int]:
        """Apply changes in as few batches as the limits allow; return the versions before."""
        previous: list[int] = []
        for batch in batches(changes):
            previous += (await self.backend.apply(batch)).previous
        return previous


def _beside(record: Record, value: object) -> tuple[Record, object]:
    return record, value


def _only(id: str, found: Sequence[Record]) -> Record | None:
    """Return the one record of an id that is not of an inner kind, `None` where there is none."""
    # Hardly ever is there one of an inner kind: that is told sooner here than below.
    seen = [record for record in found if record.key.kind not in INNER]
    if len(seen) > 1:
        raise ambiguous(id, (record.key.kind for record in seen))
    return seen[0] if seen else None


def check_ids(ids: Iterable[str]) -> list[str]:
    """Return ids as a list; raise `Invalid` if one is none, or for a single text."""
    if isinstance(ids, str):
        message = f"several ids are a list, not one text: write [{ids!r}]"
        raise Invalid(message, code="bad_type", field="ids")
    return [check_name(id_, field="id") for id_ in ids]


def batches(changes: Iterable[Change]) -> Iterator[Batch]:
    """Cut changes into batches within the limits, in order."""
    part: list[Change] = []
    size = 0
    for change in changes:
        weight = len(change.body) if isinstance(change, Put | Ensure) else 0
        if part and (len(part) == MAX_BATCH_CHANGES or size + weight > MAX_BATCH_BYTES):
            yield Batch(tuple(part))
            part, size = [], 0
        part.append(change)
        size += weight
    if part:
        yield Batch(tuple(part))
