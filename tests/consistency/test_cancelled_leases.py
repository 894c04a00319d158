"""Leases and runs, cancelled at every point where they wait: nobody holds them any longer."""

from __future__ import annotations

from itertools import count

import pytest

from ropewalk.services.storage import Storage
from ropewalk.testing.cancelling import Ended, Moment, cancel_everywhere, cancelled_at
from ropewalk.testing.samples import soon

from .operations import save, waits

pytestmark = pytest.mark.seed("4.5")


async def test_holding_a_lease(storage: Storage, url: str) -> None:
    """Whoever is cancelled while taking, holding or giving back a lease holds it no longer."""
    numbers = count()

    async def hold() -> None:
        async with storage.lease("the one", ttl=60) as lease:
            await save(lease.storage, f"n{next(numbers)}")

    async def look(ended: Ended[None]) -> None:
        assert () == await soon(storage.leases.list()), str(ended)
        await soon(hold())

    cancelled = await cancel_everywhere(hold, look)
    print(f"lease: {cancelled} cancellations")  # noqa: T201
    assert cancelled >= waits(url)


async def test_waiting_for_a_lease(storage: Storage) -> None:
    """Whoever is cancelled in the queue for a lease leaves the queue, and the next gets it."""

    async def wait() -> None:
        async with storage.lease("the one", ttl=60, wait=30, owner="waiting"):
            raise AssertionError("two hold it at once")

    for moment in Moment:
        for point in range(1, 9):
            async with storage.lease("the one", ttl=60):
                task = await cancelled_at(wait(), point, moment)
                assert task.was_cancelled
                found = await soon(storage.leases.get("the one"))
                assert () == found.waiting, str(task)
            assert () == await soon(storage.leases.list())


async def test_driving_a_run(storage: Storage, url: str) -> None:
    """A run that is cancelled at whatever wait leaves its thread free, and can be resumed.

    Where it could not be written any more that it has ended, it is found among the orphans.
    """
    numbers = count()

    async def drive() -> None:
        number = next(numbers)
        async with storage.run("other", id=f"r{number}") as run, run.step("one") as step:
            await step.records.save({"id": f"n{number}", "type": "note"})

    async def look(ended: Ended[None]) -> None:
        assert () == await soon(storage.leases.list()), str(ended)
        running = await soon(storage.runs.list(status="running"))
        orphans = await soon(storage.runs.orphaned())
        assert {run.id for run in running.items} == {run.id for run in orphans}, str(ended)
        for orphan in orphans:
            async with storage.runs.resume(orphan.id) as run:
                assert run.thread_id == "other"
        assert () == (await soon(storage.runs.list(status="running"))).items, str(ended)
        await soon(drive())

    cancelled = await cancel_everywhere(drive, look)
    print(f"run: {cancelled} cancellations")  # noqa: T201
    assert cancelled >= waits(url)
