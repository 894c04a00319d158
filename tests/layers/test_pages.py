"""What each layer is about, it does for an answer that is read in pages, too."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Invalid, RopewalkError, Unavailable
from ropewalk.domain.paging import Portion, page_of
from ropewalk.domain.query import Order, Query
from ropewalk.layers.base import Layer
from ropewalk.layers.breaker import BreakerLayer
from ropewalk.layers.logs import LOGGER, LogsLayer
from ropewalk.layers.metrics import MetricsLayer
from ropewalk.layers.readonly import ReadonlyLayer
from ropewalk.layers.retry import RetryLayer
from ropewalk.testing.samples import put, write

LAB = Query(space="lab", order=Order("id"), limit=3)
SORTED = Query(space="lab", order=Order("labels.n"))
"""An answer whose order takes more than one read along an index."""


class Sick(Layer):
    """Raises its errors one after the other, and counts the pages that were asked for."""

    def __init__(self, below: SqliteBackend) -> None:
        super().__init__(below)
        self.errors: list[RopewalkError] = []
        self.calls = 0

    async def page(self, query: Query) -> Portion | None:
        """Raise the next error, or read."""
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return await super().page(query)


@pytest.fixture
async def sick(tmp_path: Path) -> AsyncIterator[Sick]:
    """A store of five records that reads in pages."""
    backend = SqliteBackend(tmp_path / "store.db", clock=FrozenClock())
    layer = Sick(backend)
    await layer.open()
    await write(layer, *(put(f"n{n}", b"12345", labels={"n": n}) for n in range(5)))
    yield layer
    await layer.close()


def _gone() -> Unavailable:
    return Unavailable("the store is away: try again", code="away", retryable=True)


async def _ids(layer: Layer, query: Query = LAB) -> list[str]:
    portion = await page_of(layer, query)
    assert portion is not None
    return [record.key.id for record in portion.records]


@pytest.mark.seed("4.4", "8.3")
async def test_a_page_is_tried_again(sick: Sick) -> None:
    """What may pass is tried again, and what may not is raised at once."""
    layer = RetryLayer(sick, first=0.000_1, longest=0.000_1)
    sick.errors = [_gone(), _gone()]
    assert ["n0", "n1", "n2"] == await _ids(layer)
    assert 3 == sick.calls
    sick.errors = [Invalid("no such field: name one", field="order")]
    with pytest.raises(Invalid):
        await page_of(layer, LAB)
    assert 4 == sick.calls


@pytest.mark.seed("8.3", "8.5")
async def test_a_page_that_fails_opens_the_circuit(sick: Sick) -> None:
    """After so many failures the store is left alone."""
    layer = BreakerLayer(sick, window=2, pause=30.0)
    sick.errors = [_gone(), _gone(), _gone()]
    for code in ("away", "away", "circuit_open"):
        with pytest.raises(Unavailable) as caught:
            await page_of(layer, LAB)
        assert code == caught.value.code
    assert 2 == sick.calls


async def test_a_page_is_one_line(sick: Sick, caplog: pytest.LogCaptureFixture) -> None:
    """A page is logged as a scan with what came, a failure by its code, and no answer not."""
    caplog.set_level(logging.DEBUG, logger=LOGGER.name)
    layer = LogsLayer(sick)
    assert ["n0", "n1", "n2"] == await _ids(layer)
    sick.errors = [_gone()]
    with pytest.raises(Unavailable):
        await page_of(layer, LAB)
    assert await page_of(layer, SORTED) is None
    facts = [dict(getattr(record, "ropewalk")) for record in caplog.records]  # noqa: B009
    assert [("scan", "ok"), ("scan", "away")] == [(f["verb"], f["outcome"]) for f in facts]
    assert (3, 15, 3) == (facts[0]["records"], facts[0]["bytes"], facts[0]["limit"])
    assert [logging.DEBUG, logging.WARNING] == [record.levelno for record in caplog.records]


async def test_a_page_is_counted_as_a_scan(sick: Sick) -> None:
    """Each page is one scan with its records; one that has to be scanned for is counted there."""
    layer = MetricsLayer(sick)
    assert ["n0", "n1", "n2"] == await _ids(layer)
    assert await page_of(layer, SORTED) is None
    sick.errors = [Conflict("n0 is another by now: read it again", code="conflict")]
    with pytest.raises(Conflict):
        await page_of(layer, LAB)
    (scan,) = (verb for verb in layer.snapshot().verbs if verb.verb == "scan")
    assert (1, 3) == (scan.count, scan.items)
    assert {"conflict": 1} == dict(scan.errors)
    assert 0 == layer.snapshot().under_way


async def test_what_may_only_be_read_has_pages(sick: Sick) -> None:
    """A layer that is about writing hands pages on as they are."""
    assert ["n0", "n1", "n2"] == await _ids(ReadonlyLayer(sick))
