"""A collection in the target, while states are on their way into it, takes nothing in the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any, cast

import pytest

from ropewalk.domain.migration import Plan
from ropewalk.domain.source import Finding, Inventory, Source
from ropewalk.factory import open, source_of
from ropewalk.services.storage import Storage

PLAN = Plan(name="copy", batch=10)
FAMILIES = 12


class Met:
    """A source in whose reading somebody collects garbage in the target, before the first root."""

    def __init__(self, inner: Source, target: Storage | None) -> None:
        self._inner = inner
        self._target = target
        self.removed = 0
        self.readings = 0

    async def scan(self) -> Inventory:
        """Count what is there."""
        return await self._inner.scan()

    async def read(self) -> AsyncIterator[Finding]:
        """Go through it, with somebody else at work."""
        self.readings += 1
        is_due = self._target is not None
        async with aclosing(cast("Any", self._inner.read())) as findings:
            async for finding in findings:
                if is_due and self._target is not None and finding.kind == "checkpoint":
                    is_due = False
                    self.removed += (await self._target.checkpoints.collect()).removed
                yield finding


@pytest.fixture(params=["sqlite", "memory"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[Storage]]:
    """A store with states of several threads, and an empty one."""
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'b.db'}"
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(open("memory://"))
        for number in range(FAMILIES):
            await source.threads.create(id=f"t{number}")
            rows = [f"row {n} of {number} " * 10 for n in range(40)]
            await source.checkpoints.save(f"t{number}", {"rows": rows})
        yield [source, await stack.enter_async_context(open(url))]


@pytest.mark.seed("5.3", "7.1")
async def test_what_a_collection_took_is_brought_once_more(stores: list[Storage]) -> None:
    """Every state is whole when the run ends, and the next collection spares it."""
    origin, target = stores
    source = Met(source_of(origin), target)

    report = await target.migrations.run(source, PLAN)

    assert source.removed > FAMILIES
    assert (2, True) == (source.readings, report.is_complete)
    assert (await target.checkpoints.verify()).is_whole
    assert (await target.migrations.verify(source_of(origin), PLAN)).is_sound
    assert 0 == (await target.checkpoints.collect()).removed
    await target.migrations.rollback(report.run)
    assert {"migration": 1} == await target.kinds()


async def test_without_one_the_source_is_read_once(stores: list[Storage]) -> None:
    """And the copy has the stamps of what it is a copy of."""
    origin, target = stores
    source = Met(source_of(origin), None)
    await target.migrations.run(source, PLAN)
    assert 1 == source.readings
    assert await origin.migrations.content_hash() == await target.migrations.content_hash()
