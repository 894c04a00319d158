"""An answer is read in pages where a back end has them, and never past a scan of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain import paging
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.paging import Portion, page_of, pages_of, portion_of, records_of
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import Order, Query
from ropewalk.domain.record import Record
from ropewalk.layers.base import Layer
from ropewalk.testing.samples import put, write

LAB = Query(space="lab", order=Order("id"))


class InTwos(Layer):
    """Has pages of two records, as far as the record `last` of them, and counts what it is asked.

    A page may be empty, as one is whose records have all been deleted.
    """

    def __init__(self, below: Backend, *, pages: int = 100) -> None:
        super().__init__(below)
        self.left = pages
        self.asked: list[str] = []

    def scan(self, query: Query) -> AsyncIterator[Record]:
        """Pass on."""
        self.asked.append("scan")
        return super().scan(query)

    async def page(self, query: Query) -> Portion | None:
        """Read two records, an empty page first, while there are pages left."""
        self.asked.append("page")
        if not self.left:
            return None
        self.left -= 1
        if len(self.asked) == 1:
            return Portion((), query)
        found = [record async for record in self.below.scan(query)]
        if len(found) <= 2:
            return Portion(found, None)
        return Portion(found[:2], Query(space="lab", order=LAB.order, after=query.cursor(found[1])))


class Backwards(InTwos):
    """Changes the scan that it inherits, and says nothing of pages."""

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through the records from the last one."""
        for record in reversed([record async for record in self.below.scan(query)]):
            yield record


class Both(Backwards):
    """Says again how it is read in pages."""

    page = InTwos.page


@pytest.fixture
async def memory() -> AsyncIterator[MemoryBackend]:
    """Five records in a store that has no pages."""
    backend = MemoryBackend(clock=FrozenClock())
    await backend.open()
    await write(backend, *(put(f"n{n}") for n in range(5)))
    yield backend
    await backend.close()


async def _pages(backend: Backend) -> list[list[str]]:
    return [[record.key.id for record in page] async for page in pages_of(backend, LAB)]


async def test_who_has_no_pages_is_scanned(memory: MemoryBackend) -> None:
    """Records come one by one, also through a layer that would hand pages on."""
    assert await page_of(memory, LAB) is None
    for backend in (memory, Layer(memory)):
        assert [["n0"], ["n1"], ["n2"], ["n3"], ["n4"]] == await _pages(backend)


async def test_pages_are_gone_through_to_the_end(memory: MemoryBackend) -> None:
    """Each page begins behind the one before, an empty one is left out, and nothing is scanned."""
    backend = InTwos(memory)
    assert [["n0", "n1"], ["n2", "n3"], ["n4"]] == await _pages(backend)
    assert ["page"] * 4 == backend.asked


async def test_where_pages_end_a_scan_brings_the_rest(memory: MemoryBackend) -> None:
    """A back end may say in the middle that the rest takes a scan; nothing comes twice."""
    backend = InTwos(memory, pages=2)
    assert [["n0", "n1"], ["n2"], ["n3"], ["n4"]] == await _pages(backend)
    assert ["page", "page", "page", "scan"] == backend.asked
    again = InTwos(memory, pages=3)
    found = [record.key.id async for record in records_of(again, LAB)]
    assert ["n0", "n1", "n2", "n3", "n4"] == found


async def test_a_scan_of_its_own_is_not_passed_over(memory: MemoryBackend) -> None:
    """Who changes an inherited `scan` alone is scanned; who says both is read in pages."""
    assert [["n4"], ["n3"], ["n2"], ["n1"], ["n0"]] == await _pages(Backwards(memory))
    assert [["n0", "n1"], ["n2", "n3"], ["n4"]] == await _pages(Both(memory))


async def test_a_layer_hands_pages_on(memory: MemoryBackend) -> None:
    """A layer that is not about scans has the pages of what it stands round."""
    inner = InTwos(memory)
    assert [["n0", "n1"], ["n2", "n3"], ["n4"]] == await _pages(Layer(Layer(inner)))
    assert [["n4"], ["n3"], ["n2"], ["n1"], ["n0"]] == await _pages(Layer(Backwards(memory)))


async def _portions(backend: Backend, limit: int | None) -> list[list[str]]:
    rest: Query | None = Query(space="lab", order=LAB.order, limit=limit)
    found: list[list[str]] = []
    while rest is not None:
        portion = await portion_of(backend, rest)
        found.append([record.key.id for record in portion.records])
        rest = portion.rest
    return found


async def test_an_answer_begins_by_a_page_or_by_a_scan(
    memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each beginning tells what follows it, to the end or to the limit, and no scan is long."""
    assert [["n0", "n1"], ["n2", "n3"], ["n4"]] == (await _portions(InTwos(memory), None))[1:]
    assert [["n0", "n1", "n2", "n3", "n4"]] == await _portions(memory, None)
    assert [["n0", "n1", "n2"]] == await _portions(memory, 3)
    monkeypatch.setattr(paging, "_SCANNED", 2)
    assert [["n0", "n1"], ["n2", "n3"], ["n4"]] == await _portions(memory, None)
    assert [["n0", "n1"], ["n2"]] == await _portions(memory, 3)


async def test_a_scan_is_closed_when_its_reader_leaves(memory: MemoryBackend) -> None:
    """Leaving in the middle of what is scanned ends the scan below at once."""
    ended: list[bool] = []

    class Held(Layer):
        async def scan(self, query: Query) -> AsyncIterator[Record]:
            try:
                async for record in self.below.scan(query):
                    yield record
            finally:
                ended.append(True)

    found = records_of(Held(memory), LAB)
    assert "n0" == (await anext(found)).key.id
    assert [] == ended
    await found.aclose()
    assert [True] == ended
