"""The fault layers bring the trouble they promise, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.domain.change import Batch, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Corrupt, Unavailable
from ropewalk.domain.query import Query
from ropewalk.domain.record import Record
from ropewalk.layers.base import Layer, stop
from ropewalk.testing.backend import BackendContract
from ropewalk.testing.faults import Fault, Flaky, Slow, Torn, flipped, truncated
from ropewalk.testing.samples import (
    SPACE,
    commits,
    drain,
    everything,
    found,
    ids,
    key,
    put,
    soon,
    versions,
    write,
)

EVERYTHING = Query(space=SPACE)


@pytest.fixture
async def memory() -> AsyncIterator[MemoryBackend]:
    """Open an empty memory store."""
    memory = MemoryBackend(clock=FrozenClock(tick=0), loop_budget=0)
    await memory.open()
    yield memory
    await memory.close()


class TestSlow(BackendContract):
    """A store behind `Slow` keeps every promise: it is only slower, and races come out."""

    # It hands queries on as they are, and memory itself is asked at random.
    test_a_scan_is_what_the_query_means = None  # pyright: ignore[reportAssignmentType, reportIncompatibleVariableOverride]
    test_random_tallies_agree = None  # pyright: ignore[reportAssignmentType, reportIncompatibleVariableOverride]

    @pytest.fixture
    async def backend(self, clock: FrozenClock) -> AsyncIterator[Slow]:
        """Open an empty store that waits up to three turns at each step."""
        backend = Slow(MemoryBackend(clock=clock))
        await backend.open()
        yield backend
        await backend.close()


async def test_slow_waits_before_and_after_a_write(memory: MemoryBackend) -> None:
    """Between the effect and the answer others see what was written."""
    steps = [asyncio.Event(), asyncio.Event()]
    reached: list[list[int]] = []

    async def pause() -> None:
        reached.append(await versions(memory, "a"))
        await steps[len(reached) - 1].wait()

    task = asyncio.ensure_future(write(Slow(memory, pause=pause), put("a")))
    for step in steps:
        step.set()
    assert await soon(task) == (1,)
    assert [[0], [1]] == reached


async def test_slow_lets_a_cancelled_writer_lose_the_answer(memory: MemoryBackend) -> None:
    """Cancelled after the effect, a caller does not know; the same batch again tells."""
    written = asyncio.Event()

    async def pause() -> None:
        if (await versions(memory, "a"))[0]:
            written.set()
            await asyncio.Event().wait()

    batch = Batch((put("a", expect=0),))
    task = asyncio.ensure_future(Slow(memory, pause=pause).apply(batch))
    await soon(written.wait())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await memory.apply(batch)).replayed


async def test_slow_waits_between_any_two_records(memory: MemoryBackend) -> None:
    """A scan of five records waits six times, so that others run in between."""
    await write(memory, *[put(f"n{n}") for n in range(5)])
    pauses = 0

    async def pause() -> None:
        nonlocal pauses
        pauses += 1

    slow = Slow(memory, pause=pause)
    assert await drain(slow.scan(EVERYTHING)) == 5
    assert pauses == 6
    assert await drain(slow.feed()) == 1
    assert pauses == 8


async def test_flaky_fails_before_the_effect(memory: MemoryBackend) -> None:
    """A call that fails before it reached the store changed nothing."""
    flaky = Flaky(memory, plan=[Fault.BEFORE])
    batch = Batch((put("a"),))
    with pytest.raises(Unavailable, match="did not reach"):
        await flaky.apply(batch)
    assert await versions(memory, "a") == [0]
    assert not (await flaky.apply(batch)).replayed


async def test_flaky_loses_the_answer_after_the_effect(memory: MemoryBackend) -> None:
    """A call whose answer is lost took effect, and its retry is recognised."""
    flaky = Flaky(memory, plan=[Fault.NONE, Fault.AFTER])
    batch = Batch((put("a", expect=0),))
    assert await versions(flaky, "a") == [0]
    with pytest.raises(Unavailable, match="answer was lost"):
        await flaky.apply(batch)
    assert await versions(memory, "a") == [1]
    assert (await flaky.apply(batch)).replayed
    assert flaky.failures == 1


async def test_flaky_breaks_every_verb(memory: MemoryBackend) -> None:
    """Reads, scans, tallies and feeds fail as well, before or after."""
    await write(memory, put("a"))
    for fault in (Fault.BEFORE, Fault.AFTER):
        flaky = Flaky(memory, plan=[fault] * 4)
        with pytest.raises(Unavailable):
            await flaky.get([key("a")])
        with pytest.raises(Unavailable):
            await everything(flaky, EVERYTHING)
        with pytest.raises(Unavailable):
            await flaky.tally(EVERYTHING)
        with pytest.raises(Unavailable):
            await commits(flaky)
        assert flaky.failures == 4
        assert await ids(flaky, EVERYTHING) == ["a"]


async def test_flaky_gives_a_scan_before_it_loses_the_end(memory: MemoryBackend) -> None:
    """A scan whose answer is lost gave every record before it broke."""
    await write(memory, *[put(f"n{n}") for n in range(3)])
    scan = Flaky(memory, plan=[Fault.AFTER]).scan(EVERYTHING)
    assert ["n0", "n1", "n2"] == [(await anext(scan)).key.id for _ in range(3)]
    with pytest.raises(Unavailable):
        await anext(scan)


async def test_flaky_is_repeatable_and_as_frequent_as_asked(memory: MemoryBackend) -> None:
    """The same seed fails the same calls; a rate of a third fails about a third of them."""

    async def outcomes(seed: int) -> list[bool]:
        flaky = Flaky(memory, rate=1 / 3, seed=seed)
        failed: list[bool] = []
        for _ in range(300):
            try:
                await flaky.get([key("a")])
            except Unavailable:
                failed.append(True)
            else:
                failed.append(False)
        assert flaky.failures == sum(failed)
        return failed

    first, again, other = await outcomes(1), await outcomes(1), await outcomes(2)
    assert first == again
    assert first != other
    assert 70 < sum(first) < 130


async def test_torn_breaks_a_scan_half_way(memory: MemoryBackend) -> None:
    """The first scans break behind the number of records asked for, later ones are whole."""
    await write(memory, *[put(f"n{n}") for n in range(5)])
    torn = Torn(memory, after=3, tears=2)
    for _ in range(2):
        seen: list[str] = []
        with pytest.raises(Unavailable, match="half-way"):
            async for record in torn.scan(EVERYTHING):
                seen.append(record.key.id)  # noqa: PERF401 (what came before the break counts)
        assert seen == ["n0", "n1", "n2"]
    assert len(await everything(torn, EVERYTHING)) == 5


async def test_torn_breaks_a_feed_half_way(memory: MemoryBackend) -> None:
    """A feed breaks off as a scan does, also before its first row."""
    for n in range(3):
        await write(memory, put(f"n{n}"))
    with pytest.raises(Unavailable):
        await anext(Torn(memory, after=0, tears=1).feed())
    feed = Torn(memory, after=2, tears=1).feed()
    assert [1, 2] == [(await anext(feed)).seq for _ in range(2)]
    with pytest.raises(Unavailable):
        await anext(feed)


async def test_torn_leaves_no_scan_open_below(memory: MemoryBackend) -> None:
    """Where a fault layer breaks off or is left, the scan below it is ended at once."""
    await write(memory, *[put(f"n{n}") for n in range(5)])
    ended = 0

    class Watched(Layer):
        """Count the scans that were ended."""

        async def scan(self, query: Query) -> AsyncIterator[Record]:
            nonlocal ended
            try:
                async for record in self.below.scan(query):
                    yield record
            finally:
                ended += 1

    watched = Watched(memory)
    for layer in (Torn(watched, after=3, tears=1), Slow(watched), Flaky(watched)):
        scan = layer.scan(EVERYTHING)
        await anext(scan)
        await stop(scan)
    assert ended == 3
    with pytest.raises(Unavailable):
        await everything(Torn(watched, after=1, tears=1), EVERYTHING)
    assert ended == 4


async def test_torn_damages_bodies_on_the_way_out(memory: MemoryBackend) -> None:
    """What is stored stays whole; what is read is short of a byte, or has one bit turned."""
    await write(memory, put("a", b"\x00\x00\x00"), put("empty"))
    for damage, expected in ((truncated, b"\x00\x00"), (flipped, b"\x00\x10\x00")):
        torn = Torn(memory, damage=damage)
        assert (await found(torn, "a")).body == expected
        assert [expected, b""] == [r.body for r in await everything(torn, EVERYTHING)]
        (header,) = await torn.get([key("a")], bodies=False)
        assert header is not None
        assert header.body is None
    assert (await found(memory, "a")).body == b"\x00\x00\x00"


@pytest.mark.seed("1.5", "4.4")
@pytest.mark.parametrize("damage", [truncated, flipped])
async def test_damage_is_corrupt_above(
    memory: MemoryBackend, damage: Callable[[bytes], bytes]
) -> None:
    """A body that comes back damaged is `Corrupt` with its key where it is opened, no value."""
    sealer = make_pipeline()
    for value in ({"plan": ["search"]}, "x" * 100_000, b"", None, list(range(500))):
        sealed = await sealer.seal(value, key("a"))
        await write(memory, Put(key=key("a"), body=sealed.body, seal=sealed.seal))
        assert value == await sealer.unseal(await found(memory, "a"))
        with pytest.raises(Corrupt) as caught:
            await sealer.unseal(await found(Torn(memory, damage=damage), "a"))
        assert caught.value.facts["key"] == key("a")
