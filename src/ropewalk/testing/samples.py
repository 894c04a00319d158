"""Small makers of keys, changes and answers, so that a test shows only what it is about."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable
from typing import Final, TypeVar

from ..domain.change import Batch, Change, Commit, Delete, Put
from ..domain.labels import Labels
from ..domain.paging import records_of
from ..domain.ports import Backend
from ..domain.query import Query
from ..domain.record import NO_LABELS, Key, Record
from ..domain.tally import Tally

SPACE: Final = "lab"
KIND: Final = "note"

DEADLINE: Final = 60.0
"""Seconds after which something counts as hung: far beyond what any step takes."""

T = TypeVar("T")


def key(id: str, *, kind: str = KIND, space: str = SPACE) -> Key:
    """Return the key of a sample record."""
    return Key(space, kind, id)


def put(
    id: str,
    body: bytes = b"",
    *,
    labels: Labels = NO_LABELS,
    session_id: str | None = None,
    created_at: int | None = None,
    expect: int | None = None,
) -> Put:
    """Return a put of a sample record."""
    return Put(
        key=key(id),
        body=body,
        labels=labels,
        session_id=session_id,
        created_at=created_at,
        expect=expect,
    )


async def write(backend: Backend, *changes: Change) -> tuple[int, ...]:
    """Apply one batch of `changes`; return the versions after it."""
    return (await backend.apply(Batch(changes))).versions


async def read(backend: Backend, id: str) -> Record | None:
    """Return the live sample record, or `None`."""
    return (await backend.get([key(id)]))[0]


async def found(backend: Backend, id: str) -> Record:
    """Return the live sample record, which must be there."""
    record = await read(backend, id)
    assert record is not None, f"{key(id)} is not there"
    return record


async def versions(backend: Backend, *ids: str) -> list[int]:
    """Return the versions of sample records, 0 for what is absent."""
    records = await backend.get([key(id) for id in ids])
    return [record.version if record else 0 for record in records]


async def in_pages(backend: Backend, query: Query) -> list[Record]:
    """Return all records of a query, read in pages where the back end has them."""
    return [record async for record in records_of(backend, query)]


async def everything(backend: Backend, query: Query) -> list[Record]:
    """Return a whole scan."""
    return [record async for record in backend.scan(query)]


async def clear(backend: Backend) -> None:
    """Delete every record, the expired ones too."""
    everyone = Query(space=None, bodies=False, expired=True)
    gone = [Delete(key=record.key) async for record in backend.scan(everyone)]
    if gone:
        await write(backend, *gone)


async def ids(backend: Backend, query: Query) -> list[str]:
    """Return the ids of a whole scan, in its order."""
    return [record.key.id async for record in backend.scan(query)]


async def commits(backend: Backend, after: int = 0) -> list[Commit]:
    """Return the feed behind `after`."""
    return [commit async for commit in backend.feed(after)]


async def last_seq(backend: Backend) -> int:
    """Return the number of the newest commit, 0 where there is none."""
    told = await commits(backend)
    return told[-1].seq if told else 0


async def soon(awaitable: Awaitable[T]) -> T:
    """Return the answer, or fail if it does not come at all."""
    return await asyncio.wait_for(awaitable, DEADLINE)


async def drain(iterator: AsyncIterator[object]) -> int:
    """Go to the end of an iterator and return how many things it gave."""
    count = 0
    async for _ in iterator:
        count += 1
    return count


def assert_tallies(expected: list[Tally], answer: list[Tally], *, scale: float = 1.0) -> None:
    """Compare exactly, but for sums with floats in them, which may be added in any order.

    `scale` is the size of what is added: what cancels out loses digits in proportion to it.
    """
    assert [(t.group, t.count) for t in expected] == [(t.group, t.count) for t in answer]
    for left, right in zip(expected, answer, strict=True):
        for wanted, actual in zip(left.sums, right.sums, strict=True):
            assert type(wanted) is type(actual)
            close = math.isclose(wanted, actual, rel_tol=1e-9, abs_tol=1e-15 * scale)
            assert wanted == actual or (isinstance(actual, float) and close)
