"""A scan in pages: what a back end reads together is handed on together."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from .ports import Backend
    from .query import Query
    from .record import Record

Pages: TypeAlias = "AsyncGenerator[Sequence[Record], None]"
"""Records in order; no page is empty."""

_SCANNED: Final = 256
"""A portion has so many records at most where it is the beginning of a scan."""


@dataclass(frozen=True, slots=True)
class Portion:
    """The beginning of an answer, and the query for what follows it: `None` at the end."""

    records: Sequence[Record]
    rest: Query | None


class Paging(Protocol):
    """A back end that can begin a scan by one short read, and go on from its last record.

    It need not: whoever has no `page` is scanned, and so is a class that changes the `scan` it
    inherits and says nothing of `page`. For a coat round a back end this is a call like any other
    one, where a scan is a generator that each of its records goes through.
    """

    async def page(self, query: Query) -> Portion | None:
        """Read the beginning of what `scan` would give, a few hundred records at most.

        Returns `None` where the order of the answer takes more than that: then scan. What is read
        page after page keeps the promises of a scan.
        """
        ...


async def page_of(backend: Backend, query: Query) -> Portion | None:
    """Read the beginning of an answer at once, `None` where `backend` has to scan for it."""
    if not _has_pages(type(backend)):
        return None
    # Every layer comes by here, and a cast would be a call.
    return await backend.page(query)  # type: ignore[attr-defined, no-any-return]


async def portion_of(backend: Backend, query: Query) -> Portion:
    """Read the beginning of an answer, by a scan where there is no other way.

    For orders in which a record keeps its place, `created_at` and `id`: whoever reads on by `rest`
    sees each record once.
    """
    portion = await page_of(backend, query)
    if portion is not None:
        return portion
    records: list[Record] = []
    async with aclosing(records_of(backend, query)) as found:
        async for record in found:
            records.append(record)
            if len(records) == _SCANNED != query.limit:
                limit = None if query.limit is None else query.limit - _SCANNED
                return Portion(records, replace(query, after=query.cursor(record), limit=limit))
    return Portion(records, None)


@lru_cache(maxsize=256)
def _has_pages(kind: type) -> bool:
    """Tell whether `page` of a class reads what its `scan` does: the later of the two decides."""
    for part in kind.__mro__:
        names = vars(part)
        if "page" in names:
            return True
        if "scan" in names:
            return False
    return False


async def records_of(backend: Backend, query: Query) -> AsyncGenerator[Record, None]:
    """Go through what `backend.scan` gives, read in pages where it has them."""
    async with aclosing(pages_of(backend, query)) as pages:
        async for page in pages:
            for record in page:
                yield record


async def pages_of(backend: Backend, query: Query) -> Pages:
    """Go through what `backend.scan` gives, in pages where it has them, else one by one."""
    rest: Query | None = query
    while rest is not None:
        portion = await page_of(backend, rest)
        if portion is None:
            break
        if portion.records:
            yield portion.records
        rest = portion.rest
    if rest is None:
        return
    records = backend.scan(rest)
    try:
        async for record in records:
            yield (record,)
    finally:
        # The port promises an iterator; those that hold something can be closed.
        if isinstance(records, AsyncGenerator):
            await records.aclose()
