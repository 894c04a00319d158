"""A page costs what is on it, however much else the store holds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import pytest

from ropewalk.backends.file import FileBackend
from ropewalk.domain.change import Batch, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.query import NEWEST_FIRST, OLDEST_FIRST, AnyOf, Condition, Order, Query
from ropewalk.domain.record import Key, Record
from ropewalk.testing.samples import everything

SESSIONS = 6
EACH = 30


@dataclass(frozen=True)
class Counting(AnyOf):
    """A condition that everything meets, and that counts how often it was asked."""

    asked: ClassVar[int] = 0

    def matches(self, record: Record) -> bool:
        """Count one more."""
        type(self).asked += 1
        return super().matches(record)


# A disk in memory, where there is one: the store is made many times.
MEMORY = Path("/dev/shm")  # noqa: S108 (a folder of its own is made there)


@pytest.fixture
def root() -> Iterator[Path]:
    """Return a folder that is not there yet."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder, "store")


@pytest.fixture
async def backend(root: Path) -> AsyncIterator[FileBackend]:
    """Open a store with many sessions, threads and kinds."""
    backend = FileBackend(root, clock=FrozenClock(tick=0), sync="normal")
    await backend.open()
    for session in range(SESSIONS):
        puts = [
            Put(
                key=Key(f"space-{session % 2}", kind, f"{session}-{n}"),
                session_id=f"s{session}",
                thread_id=f"t{session}",
                created_at=n,
            )
            for n in range(EACH)
            for kind in ("message", "cost")
        ]
        await backend.apply(Batch(tuple(puts)))
    yield backend
    await backend.close()


@pytest.mark.seed("6.3")
@pytest.mark.parametrize("order", [OLDEST_FIRST, NEWEST_FIRST], ids=["oldest", "newest"])
@pytest.mark.parametrize(
    "query",
    [
        Query(space="space-1", kinds=("message",), session_id="s3"),
        Query(space="space-1", kinds=("message",), thread_id="t3"),
        Query(space="space-1", session_id="s3"),
        Query(space="space-1", kinds=("message",)),
        Query(space="space-1"),
        Query(space=None),
    ],
    ids=["session and kind", "thread and kind", "session", "kind", "space", "all"],
)
async def test_a_page_looks_at_what_is_on_it(
    backend: FileBackend, query: Query, order: Order
) -> None:
    """Ten records in the order of time cost ten looks, also from the middle on."""
    always = Counting((Condition("id", "exists", value=True),))
    page = replace(query, order=order, limit=10, bodies=False, where=(always,))
    Counting.asked = 0
    first = await everything(backend, page)
    second = await everything(backend, replace(page, after=page.cursor(first[-1])))
    assert (20, 20) == (len({record.key for record in first + second}), Counting.asked)
    whole = await everything(backend, replace(query, order=order, bodies=False))
    assert whole[:20] == first + second


@pytest.mark.seed("6.3")
async def test_other_orders_look_at_the_parents_records_alone(backend: FileBackend) -> None:
    """Sorted by anything else, a page of a thread looks at that thread, not at the others."""
    always = Counting((Condition("id", "exists", value=True),))
    query = Query(
        space="space-1",
        kinds=("message",),
        thread_id="t3",
        order=Order("labels.rank"),
        where=(always,),
    )
    Counting.asked = 0
    assert len(await everything(backend, query)) == EACH
    await backend.tally(query)
    assert 2 * EACH == Counting.asked
