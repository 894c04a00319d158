"""`RetryLayer` tries again what may pass, exactly as often as it should, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Applied, Batch
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Corrupt, Invalid, Unavailable
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import Order, Query
from ropewalk.layers.base import Layer
from ropewalk.layers.retry import RetryLayer
from ropewalk.testing.backend import BackendContract
from ropewalk.testing.faults import Fault, Flaky, Slow, Torn
from ropewalk.testing.samples import (
    commits,
    drain,
    everything,
    ids,
    key,
    put,
    soon,
    versions,
    write,
)

pytestmark = pytest.mark.seed("4.4", "8.3")

LAB = Query(space="lab")


class Unhurried(RetryLayer):
    """Notes how long it would have waited, and does not wait."""

    def __init__(
        self,
        below: Backend,
        *,
        attempts: int = 5,
        first: float = 0.05,
        longest: float = 2.0,
        deadline: float = 30.0,
    ) -> None:
        super().__init__(below, attempts=attempts, first=first, longest=longest, deadline=deadline)
        self.pauses: list[float] = []

    async def pause(self, seconds: float) -> None:
        """Give way once."""
        self.pauses.append(seconds)
        await asyncio.sleep(0)


class TestUnreachable(BackendContract):
    """Over a store of which a third of all calls fails to arrive, every promise is kept."""

    @pytest.fixture
    async def backend(self, clock: FrozenClock) -> AsyncIterator[Backend]:
        """Return an open retry layer over a store that is often not reached."""
        plan = Random(3).choices([Fault.BEFORE, Fault.NONE, Fault.NONE], k=40_000)
        layer = Unhurried(Flaky(MemoryBackend(clock=clock, loop_budget=0), plan=plan), attempts=40)
        await layer.open()
        yield layer
        await layer.close()


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER])
async def test_a_batch_is_applied_once(memory: MemoryBackend, fault: Fault) -> None:
    """Whether the call or the answer got lost, a batch takes effect once and never conflicts."""
    layer = Unhurried(Flaky(memory, plan=[fault, fault, fault]))
    applied = await layer.apply(Batch((put("a", expect=0), put("b", expect=0))))
    assert (((1, 1), (0, 0)), fault is Fault.AFTER) == (
        (applied.versions, applied.previous),
        applied.replayed,
    )
    assert [1, 1] == await versions(memory, "a", "b")
    assert 1 == len(await commits(memory))
    assert 3 == len(layer.pauses)


async def test_no_increment_is_lost_or_doubled(memory: MemoryBackend) -> None:
    """Many tasks add to one counter over a store that loses calls and answers all the time."""
    layer = Unhurried(Slow(Flaky(memory, rate=0.4, seed=7)), attempts=60, deadline=60.0)

    async def add() -> None:
        for _ in range(5):
            while True:
                (record,) = await layer.get([key("counter")])
                value, version = (int(record.body or b""), record.version) if record else (0, 0)
                try:
                    await write(layer, put("counter", b"%d" % (value + 1), expect=version))
                except Conflict:
                    continue
                break

    await asyncio.gather(*(add() for _ in range(10)))
    (record,) = await memory.get([key("counter")])
    assert record is not None
    assert (b"50", 50) == (record.body, record.version)
    assert len(layer.pauses) > 50


@pytest.mark.parametrize("order", [Order(), Order("id", descending=True), Order("labels.rank")])
@pytest.mark.parametrize("after", [0, 1, 7, 29, 30])
async def test_a_broken_scan_goes_on(memory: MemoryBackend, order: Order, after: int) -> None:
    """Torn again and again, a scan ends with every record once, in order, within its limit."""
    for n in range(30):
        await write(memory, put(f"n{n:02}", labels={"rank": n % 4}))
    for limit in (None, 12, 30):
        query = replace(LAB, order=order, limit=limit)
        layer = Unhurried(Torn(memory, after=after, tears=4))
        assert await everything(memory, query) == await everything(layer, query)


async def test_a_scan_begins_to_count_anew_with_each_record(memory: MemoryBackend) -> None:
    """A scan may fail more often than `attempts`, as long as it gets on."""
    for n in range(12):
        await write(memory, put(f"n{n:02}"))
    layer = Unhurried(Torn(memory, after=1, tears=10), attempts=2)
    assert 12 == await drain(layer.scan(LAB))
    assert 10 == len(layer.pauses)


async def test_a_record_that_moves_ahead_of_a_broken_scan_is_seen_once(
    memory: MemoryBackend,
) -> None:
    """Sorted by what a write changes, a scan that breaks off does not see a record again."""
    for n in range(6):
        await write(memory, put(f"n{n}"))
    layer = Unhurried(Torn(memory, after=3, tears=1))
    seen: list[str] = []
    async for record in layer.scan(replace(LAB, order=Order("updated_at"))):
        seen.append(record.key.id)
        if len(seen) == 3:
            await write(memory, put("n0"))
    assert [f"n{n}" for n in range(6)] == seen


async def test_a_broken_feed_goes_on(memory: MemoryBackend) -> None:
    """Every commit is told once, in order, however often the feed breaks off."""
    for n in range(20):
        await write(memory, put(f"n{n:02}"))
    layer = Unhurried(Torn(memory, after=6, tears=3))
    assert await commits(memory) == await commits(layer)
    assert 3 == len(layer.pauses)


async def test_reading_and_counting_are_tried_again(memory: MemoryBackend) -> None:
    """`get` and `tally` answer after a failure, as do `scan` and `feed`."""
    await write(memory, put("a"))
    fault = [Fault.AFTER, Fault.NONE]
    layer = Unhurried(Flaky(memory, plan=fault * 4))
    assert [1] == await versions(layer, "a")
    assert [1] == [tally.count for tally in await layer.tally(LAB)]
    assert ["a"] == await ids(layer, LAB)
    assert 1 == len(await commits(layer))
    assert 4 == len(layer.pauses)


class Failing(Layer):
    """Raises one error at every call, and counts them."""

    def __init__(self, below: Backend, error: Exception) -> None:
        super().__init__(below)
        self.error = error
        self.calls = 0

    async def apply(self, batch: Batch) -> Applied:
        """Raise the error."""
        del batch
        self.calls += 1
        raise self.error


@pytest.mark.parametrize(
    "error", [Conflict("c"), Invalid("i"), Corrupt("d"), ValueError("v"), OSError("o")]
)
async def test_what_is_not_worth_it_is_not_tried_again(
    memory: MemoryBackend, error: Exception
) -> None:
    """An error that does not say it may pass is raised at once, itself."""
    failing = Failing(memory, error)
    with pytest.raises(type(error)) as caught:
        await Unhurried(failing).apply(Batch((put("a"),)))
    assert (error, 1) == (caught.value, failing.calls)


async def test_the_number_of_attempts_is_bounded(memory: MemoryBackend) -> None:
    """After `attempts` the last error is raised, with a note; waits grow and are random."""
    failing = Failing(memory, Unavailable("no", code="down"))
    layer = Unhurried(failing, attempts=9, first=0.1, longest=1.0)
    with pytest.raises(Unavailable) as caught:
        await layer.apply(Batch((put("a"),)))
    assert 9 == failing.calls
    assert any("after 9 attempts" in note for note in caught.value.__notes__)
    ceilings = [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0, 1.0]
    assert all(0 <= p <= c for p, c in zip(layer.pauses, ceilings, strict=True))
    assert len(set(layer.pauses)) == len(layer.pauses)


async def test_the_deadline_is_kept(memory: MemoryBackend) -> None:
    """No attempt begins after the deadline, however many are left."""
    failing = Failing(memory, Unavailable("no"))
    layer = Unhurried(failing, attempts=1_000, first=5.0, longest=5.0, deadline=0.0)
    with pytest.raises(Unavailable):
        await layer.apply(Batch((put("a"),)))
    assert (1, []) == (failing.calls, layer.pauses)


async def test_a_closed_store_is_not_tried_again(memory: MemoryBackend) -> None:
    """After `close` nothing will come back, so nobody waits for it; after `open` it may."""
    failing = Failing(memory, Unavailable("no"))
    layer = Unhurried(failing, attempts=3)
    await layer.open()
    await layer.close()
    with pytest.raises(Unavailable):
        await write(layer, put("a"))
    assert (1, []) == (failing.calls, layer.pauses)
    await layer.open()
    with pytest.raises(Unavailable):
        await write(layer, put("a"))
    assert (4, 2) == (failing.calls, len(layer.pauses))


@pytest.mark.seed("4.5")
async def test_cancelling_ends_the_waiting(memory: MemoryBackend) -> None:
    """A caller who is cancelled between two attempts is cancelled at once."""
    hours = 10_000.0
    layer = RetryLayer(Failing(memory, Unavailable("no")), first=hours, longest=hours, deadline=1e9)
    task = asyncio.ensure_future(write(layer, put("a")))
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await soon(task)


OPTIONS: list[tuple[dict[str, object], str]] = [
    ({"attempts": 0}, "attempts"),
    ({"attempts": "many"}, "attempts"),
    ({"attempts": True}, "attempts"),
    ({"first": -1}, "first"),
    ({"longest": "1s"}, "longest"),
    ({"deadline": float("inf")}, "deadline"),
]


@pytest.mark.parametrize(("options", "name"), OPTIONS)
def test_options_are_checked(clock: FrozenClock, options: dict[str, Any], name: str) -> None:
    """A wrong option is refused, naming it as it stands in the configuration."""
    with pytest.raises(Invalid) as caught:
        RetryLayer(MemoryBackend(clock=clock), **options)
    assert f"layer.retry.{name}" == caught.value.facts["field"]
