"""Queues for leases: first come, first served, and nobody who died stands in the way."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest

from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.domain.change import Batch
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Unavailable
from ropewalk.domain.lease import Ticket
from ropewalk.domain.ports import Backend, Capability
from ropewalk.layers.base import Layer
from ropewalk.services.storage import Storage
from ropewalk.stores.leases import TicketStore
from ropewalk.testing.cancelling import Ended, cancel_everywhere

from .leasing import DEADLINE, NAME, SECOND, in_line, note

pytestmark = [pytest.mark.seed("5.2"), pytest.mark.seed("5.5")]


@pytest.fixture(autouse=True)
def _awake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everybody look around often: the clock is moved by hand, and tells nobody."""
    monkeypatch.setattr("ropewalk.services.leases.acquisition._NAP", 0.03)
    monkeypatch.setattr("ropewalk.services.leases.held._LOOK", 0.02)


async def test_the_queue_is_fair(storage: Storage) -> None:
    """Whoever came first gets it first, and everybody once."""
    order: list[str] = []

    async def work(name: str) -> None:
        async with storage.lease(NAME, wait=DEADLINE, owner=name):
            order.append(name)

    async with asyncio.TaskGroup() as tasks, storage.lease(NAME):
        for number in range(6):
            tasks.create_task(work(f"w{number}"))
            await in_line(storage, number + 1)
        seen = await storage.leases.get(NAME)
        assert [f"w{number}" for number in range(6)] == [t.owner for t in seen.waiting]
        with pytest.raises(Unavailable):
            async with storage.lease(NAME, owner="in a hurry"):
                raise AssertionError

    assert [f"w{number}" for number in range(6)] == order
    assert {"fence": 1} == await storage.kinds()


async def test_who_waits_in_vain_is_told(storage: Storage) -> None:
    """When the time is up, the error names the holder, and the place in the queue is given up."""
    async with storage.lease(NAME, owner="first"):
        with pytest.raises(Unavailable, match="'first'") as caught:
            async with storage.lease(NAME, wait=0.05):
                raise AssertionError
        assert "busy" == caught.value.code
        assert () == (await storage.leases.get(NAME)).waiting
        with pytest.raises(Unavailable):
            async with storage.lease(NAME, wait=0):
                raise AssertionError


async def test_an_expired_lease_wakes_who_waits(storage: Storage, clock: FrozenClock) -> None:
    """No commit tells that a lease has expired, and the first in line gets it nevertheless."""

    async def work() -> int:
        async with storage.lease(NAME, wait=DEADLINE) as held:
            return held.token

    async with AsyncExitStack() as stack:
        held = await stack.enter_async_context(storage.lease(NAME))
        task = asyncio.create_task(work())
        await in_line(storage, 1)
        clock.advance(31 * SECOND)
        assert 2 == await task
        assert not held.is_held


@pytest.mark.seed("8.5")
async def test_the_dead_do_not_block_the_queue(
    storage: Storage, backend: Backend, clock: FrozenClock
) -> None:
    """The place of somebody who shows no sign of life is void after a few seconds."""
    tickets = TicketStore(backend, storage._desk.sealer, space="default")  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    now = storage._desk.now()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    dead = Ticket(id="dead", lease=NAME, owner="x", since=now, until=now + timedelta(seconds=5))

    async def work() -> None:
        async with storage.lease(NAME, wait=DEADLINE):
            assert await tickets.find("dead") is None

    async with storage.lease(NAME, ttl=300):
        await backend.apply(Batch((await tickets.put(dead, expect=0),)))
        task = asyncio.create_task(work())
        await in_line(storage, 2)
    with pytest.raises(Unavailable, match="'x' is next in line") as caught:
        async with storage.lease(NAME):
            raise AssertionError
    assert "busy" == caught.value.code
    assert not task.done()
    clock.advance(6 * SECOND)
    await asyncio.wait_for(task, DEADLINE)


async def test_a_holder_may_be_asked_to_give_up(storage: Storage) -> None:
    """Interrupting asks the holder and waits; what it does about it is its own business."""

    async def work() -> int:
        async with storage.lease(
            NAME, owner="second", when_busy="interrupt", wait=DEADLINE
        ) as held:
            assert not held.interrupted.is_set()
            return held.token

    async with storage.lease(NAME, owner="first") as held:
        task = asyncio.create_task(work())
        await asyncio.wait_for(held.interrupted.wait(), DEADLINE)
        seen = await storage.leases.get(NAME)
        assert ("first", "second") == (seen.owner, seen.wanted_by)
        await note(held.storage, "the last word")

    assert held.token + 1 == await task
    assert not await storage.leases.interrupt(NAME)


@pytest.mark.seed("4.5")
async def test_cancelled_in_the_queue_nothing_is_left(storage: Storage) -> None:
    """The same for somebody who waits: the place in the queue is given up."""
    async with storage.lease(NAME, owner="first") as first:

        async def work() -> None:
            with pytest.raises(Unavailable):
                async with storage.lease(NAME, wait=0.02):
                    raise AssertionError

        async def after(ended: Ended[None]) -> None:
            [lease] = await storage.leases.list()
            assert (first.token, ()) == (lease.token, lease.waiting), str(ended)

        assert await cancel_everywhere(work, after) >= 4


class Mute(Layer):
    """A store that cannot tell when something has changed."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """All but the feed."""
        return self.below.capabilities - {Capability.FEED}

    async def changed(self, after: int) -> int:
        """Never be asked."""
        raise AssertionError(after)


async def test_a_store_without_a_feed_is_looked_at(backend: Backend, clock: FrozenClock) -> None:
    """There, whoever waits looks now and then, and gets the lease all the same."""
    order: list[str] = []

    async def work(name: str) -> None:
        async with storage.lease(NAME, wait=DEADLINE, owner=name):
            order.append(name)

    async with (
        Storage(Mute(backend), make_pipeline(), clock) as storage,
        asyncio.TaskGroup() as tasks,
        storage.lease(NAME),
    ):
        for number in range(3):
            tasks.create_task(work(f"w{number}"))
            await in_line(storage, number + 1)

    assert ["w0", "w1", "w2"] == order
