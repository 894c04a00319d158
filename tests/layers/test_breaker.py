"""`BreakerLayer` leaves a failing store alone, tries it now and then, and trusts it again."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest

import ropewalk
from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Applied, Batch, Commit
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Corrupt, Denied, Invalid, Unavailable
from ropewalk.domain.health import State
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key, Record
from ropewalk.domain.tally import Tally
from ropewalk.layers import ORDER
from ropewalk.layers.base import Layer
from ropewalk.layers.breaker import BreakerLayer
from ropewalk.layers.logs import LogsLayer
from ropewalk.layers.retry import RetryLayer
from ropewalk.testing.samples import commits, everything, put, read, soon, versions, write

pytestmark = pytest.mark.seed("8.3", "8.5")

LAB = Query(space="lab")


class Patient(BreakerLayer):
    """Lives by a clock that stands still until it is told."""

    time = 100.0

    def now(self) -> float:
        """Return the time that was set."""
        return self.time


class Sick(Layer):
    """Raises `error` while there is one, waits for `gate` before, and counts the calls."""

    def __init__(self, below: Backend, error: Exception | None = None) -> None:
        super().__init__(below)
        self.error = error
        self.calls = 0
        self.gate: asyncio.Event | None = None

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Read, or raise the error."""
        await self._suffer()
        return await super().get(keys, bodies=bodies)

    async def apply(self, batch: Batch) -> Applied:
        """Write, or raise the error."""
        await self._suffer()
        return await super().apply(batch)

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Count, or raise the error."""
        await self._suffer()
        return await super().tally(query, sums, group_by)

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Scan, or raise the error."""
        await self._suffer()
        async for record in super().scan(query):
            yield record

    async def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Tell commits, or raise the error."""
        await self._suffer()
        async for commit in super().feed(after):
            yield commit

    async def _suffer(self) -> None:
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error


@pytest.fixture
def sick(memory: MemoryBackend) -> Sick:
    """A store that fails."""
    return Sick(memory, Unavailable("the disk is full", code="full"))


@pytest.fixture
def layer(sick: Sick) -> Patient:
    """A breaker round it."""
    return Patient(sick, window=3, pause=1.0, longest=5.0)


async def _refused(call: Awaitable[object]) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        await call
    return caught.value


async def _codes(count: int, call: Callable[[], Awaitable[object]]) -> list[str]:
    return [(await _refused(call())).code for _ in range(count)]


async def _circuits(layer: Layer) -> tuple[object, object]:
    facts = (await layer.ping()).facts
    return facts["circuit_reading"], facts["circuit_writing"]


async def test_so_many_failures_in_a_row_open_it(sick: Sick, layer: Patient) -> None:
    """Then every call fails at once, does not reach the store, and says until when and why."""
    assert ["full"] * 3 == await _codes(3, lambda: write(layer, put("a")))
    error = await _refused(write(layer, put("a")))
    assert ("circuit_open", True, 3) == (error.code, error.retryable, sick.calls)
    assert (1.0, "writing") == (error.facts["retry_after"], error.facts["circuit"])
    assert "in 1.000 s, because 3 of the last 3 calls failed" in error.message
    assert error.message.endswith("the last failure was: the disk is full")
    cause = error.__cause__
    assert isinstance(cause, Unavailable)
    assert ("full", "the disk is full") == (cause.code, cause.message)
    layer.time += 0.75
    assert 0.25 == (await _refused(write(layer, put("a")))).facts["retry_after"]
    assert 3 == sick.calls


async def test_an_answer_between_failures_keeps_it_closed(sick: Sick, layer: Patient) -> None:
    """What works now and then is not left alone, where failures in a row are asked for."""
    trouble = sick.error
    for _ in range(4):
        sick.error = trouble
        assert ["full"] * 2 == await _codes(2, lambda: write(layer, put("a")))
        sick.error = None
        await write(layer, put("a"))
    assert ("closed", "closed") == await _circuits(layer)


async def test_a_share_of_failures_opens_it(memory: MemoryBackend) -> None:
    """With `rate`, so many of the last `window` calls are enough, in whatever order."""
    sick = Sick(memory)
    layer = Patient(sick, window=10, rate=0.4)
    for number in range(12):
        sick.error = Unavailable("busy", code="busy") if number in (1, 4, 7, 11) else None
        with suppress(Unavailable):
            await write(layer, put("a"))
    # The window was full with the tenth; with the twelfth, the first failure had left it.
    assert ("closed", "closed") == await _circuits(layer)
    sick.error = Unavailable("busy", code="busy")
    assert ["busy", "circuit_open"] == await _codes(2, lambda: write(layer, put("a")))


async def test_reading_goes_on_where_writing_fails(sick: Sick, layer: Patient) -> None:
    """Writing and reading have a circuit each, and `ping` tells both with the reason."""
    await _codes(3, lambda: write(layer, put("a")))
    sick.error = None
    assert [0] == await versions(layer, "a")
    assert ("closed", "open") == await _circuits(layer)
    health = await layer.ping()
    assert (State.DEGRADED, 1) == (health.state, len(health.reasons))
    assert "writing is not tried before" in health.reasons[0]
    sick.error = Unavailable("gone", code="gone")
    calls: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: read(layer, "a"),
        lambda: layer.tally(LAB),
        lambda: everything(layer, LAB),
    )
    assert ["gone"] * 3 == [(await _refused(call())).code for call in calls]
    assert ["circuit_open"] * 2 == await _codes(2, lambda: commits(layer))
    assert State.DOWN is (await layer.ping()).state


async def test_one_trial_closes_it(sick: Sick, layer: Patient) -> None:
    """After the pause one caller goes through, the others fail until he is answered."""
    await _codes(3, lambda: write(layer, put("a")))
    layer.time += 1.0
    assert ("closed", "half-open") == await _circuits(layer)
    sick.error, sick.gate = None, asyncio.Event()
    trial = asyncio.ensure_future(write(layer, put("a")))
    await asyncio.sleep(0)
    error = await _refused(write(layer, put("b")))
    assert ("circuit_open", True) == (error.code, "a trial is under way" in error.message)
    sick.gate.set()
    assert (1,) == await soon(trial)
    assert ("closed", "closed") == await _circuits(layer)
    assert (1,) == await write(layer, put("b"))
    assert State.HEALTHY is (await layer.ping()).state


async def test_each_failed_trial_doubles_the_pause(sick: Sick, layer: Patient) -> None:
    """The pause grows up to `longest`, and is the first one again after a success."""
    await _codes(3, lambda: write(layer, put("a")))
    pauses: list[object] = []
    for _ in range(5):
        error = await _refused(write(layer, put("a")))
        pauses.append(error.facts["retry_after"])
        layer.time += float(str(error.facts["retry_after"]))
        assert "full" == (await _refused(write(layer, put("a")))).code
    assert [1.0, 2.0, 4.0, 5.0, 5.0] == pauses
    layer.time += 5.0
    sick.error = None
    await write(layer, put("a"))
    sick.error = Unavailable("again", code="again")
    assert ["again"] * 3 + ["circuit_open"] == await _codes(4, lambda: write(layer, put("a")))
    assert 1.0 == (await _refused(write(layer, put("a")))).facts["retry_after"]


@pytest.mark.seed("4.5")
async def test_a_cancelled_trial_gives_way_to_the_next(sick: Sick, layer: Patient) -> None:
    """Whoever is cancelled says nothing about the store: the next caller tries, at once."""
    await _codes(3, lambda: write(layer, put("a")))
    layer.time += 1.0
    sick.error, sick.gate = None, asyncio.Event()
    for _ in range(3):
        trial = asyncio.ensure_future(write(layer, put("a")))
        await asyncio.sleep(0)
        trial.cancel()
        with pytest.raises(asyncio.CancelledError):
            await soon(trial)
    sick.gate.set()
    assert (1,) == await write(layer, put("a"))
    assert ("closed", "closed") == await _circuits(layer)


async def test_a_trial_that_hangs_holds_nobody_up(sick: Sick, layer: Patient) -> None:
    """After one more pause the next caller tries, and his success is everybody's."""
    await _codes(3, lambda: write(layer, put("a")))
    layer.time += 1.0
    gate = asyncio.Event()
    sick.error, sick.gate = None, gate
    hung = asyncio.ensure_future(write(layer, put("a")))
    await asyncio.sleep(0)
    assert "circuit_open" == (await _refused(write(layer, put("b")))).code
    layer.time += 1.0
    sick.gate = None
    assert (1,) == await write(layer, put("b"))
    gate.set()
    assert (1,) == await soon(hung)
    assert ("closed", "closed") == await _circuits(layer)


async def test_what_began_before_counts_no_more(sick: Sick, layer: Patient) -> None:
    """Of many calls that fail together the first ones open it, and the pause does not grow."""
    sick.gate = asyncio.Event()
    calls = [asyncio.ensure_future(write(layer, put("a"))) for _ in range(20)]
    await asyncio.sleep(0)
    sick.gate.set()
    assert ["full"] * 20 == [(await _refused(soon(call))).code for call in calls]
    assert 1.0 == (await _refused(write(layer, put("a")))).facts["retry_after"]


ANSWERS: list[Exception] = [Conflict("c"), Corrupt("d")]
SILENCES: list[Exception] = [
    Invalid("i"),
    Denied("n"),
    ValueError("v"),
    Unavailable("shut", code="closed"),
]


@pytest.mark.parametrize("error", ANSWERS + SILENCES, ids=lambda error: type(error).__name__)
async def test_only_unavailable_is_a_failure(sick: Sick, layer: Patient, error: Exception) -> None:
    """Any other error passes as it is; it closes the circuit only if the store had to answer."""
    trouble, sick.error = sick.error, error
    for _ in range(5):
        with pytest.raises(type(error)) as caught:
            await write(layer, put("a"))
        assert error is caught.value
    assert ("closed", "closed") == await _circuits(layer)
    sick.error = trouble
    await _codes(3, lambda: write(layer, put("a")))
    layer.time += 1.0
    sick.error = error
    with pytest.raises(type(error)):
        await write(layer, put("a"))
    expected = "closed" if error in ANSWERS else "half-open"
    assert ("closed", expected) == await _circuits(layer)


async def test_a_scan_has_answered_with_its_first_record(
    memory: MemoryBackend, sick: Sick, layer: Patient
) -> None:
    """A trial that goes through many records decides with the first, however long it takes."""
    for number in range(3):
        await write(memory, put(f"n{number}"))
    await _codes(3, lambda: everything(layer, LAB))
    layer.time += 1.0
    sick.error = None
    scan = layer.scan(LAB)
    assert "n0" == (await anext(scan)).key.id
    assert ("closed", "closed") == await _circuits(layer)
    assert ["n1", "n2"] == [record.key.id async for record in scan]
    assert 3 == len(await commits(layer))


async def test_opening_anew_begins_anew(sick: Sick, layer: Patient) -> None:
    """A store that was opened again is asked at once."""
    await _codes(3, lambda: write(layer, put("a")))
    await layer.close()
    sick.error = None
    await layer.open()
    assert (1,) == await write(layer, put("a"))


async def test_it_stands_above_the_repetitions(memory: MemoryBackend) -> None:
    """A failure is what `retry` has given up; once the circuit is open, nobody waits for it."""
    assert ORDER.index("logs") < ORDER.index("breaker") < ORDER.index("retry")
    sick = Sick(memory, Unavailable("busy", code="busy"))
    retry = RetryLayer(sick, attempts=4, first=0.0)
    layer = LogsLayer(Patient(retry, window=2))
    assert ["busy", "busy"] == await _codes(2, lambda: write(layer, put("a")))
    assert 8 == sick.calls
    assert ["circuit_open"] * 5 == await _codes(5, lambda: write(layer, put("a")))
    assert 8 == sick.calls


async def test_a_refusal_keeps_no_batch_alive(sick: Sick, layer: Patient) -> None:
    """What is remembered of the last failure is its words, not the batch that it stopped."""

    async def fail() -> weakref.ref[Canary]:
        canary = Canary()
        with pytest.raises(Unavailable):
            await layer.get(canary)
        return weakref.ref(canary)

    held = [await fail() for _ in range(3)]
    sick.error = None
    gc.collect()
    assert [None] * 3 == [canary() for canary in held]
    assert "circuit_open" == (await _refused(read(layer, "a"))).code


class Canary(list[Key]):
    """A list of keys of which one can tell whether anybody still holds it."""


def test_a_breaker_belongs_to_no_loop(clock: FrozenClock) -> None:
    """What one event loop found out, another one knows, and either may be the trial."""
    sick = Sick(MemoryBackend(clock=clock), Unavailable("no", code="no"))
    layer = Patient(sick, window=2)
    asyncio.run(layer.open())
    assert ["no"] * 2 == asyncio.run(_codes(2, lambda: write(layer, put("a"))))
    assert ["circuit_open"] == asyncio.run(_codes(1, lambda: write(layer, put("a"))))
    layer.time += 1.0
    sick.error = None
    assert (1,) == asyncio.run(write(layer, put("a")))
    asyncio.run(layer.close())


async def test_it_is_configured_by_name() -> None:
    """`layers` and `[layer.breaker]` put it round a store, and its health says so."""
    config = ropewalk.Config.from_mapping(
        {
            "url": "memory://",
            "layers": ["retry", "breaker"],
            "layer": {"breaker": {"window": 2, "rate": 1, "pause": 0.5}},
        }
    )
    async with ropewalk.open(config) as storage:
        health = await storage.ping()
        assert ("closed", "closed") == (
            health.facts["circuit_reading"],
            health.facts["circuit_writing"],
        )


OPTIONS: list[tuple[dict[str, object], str]] = [
    ({"window": 0}, "window"),
    ({"window": 2.5}, "window"),
    ({"rate": 0}, "rate"),
    ({"rate": 1.1}, "rate"),
    ({"rate": float("nan")}, "rate"),
    ({"rate": "half"}, "rate"),
    ({"pause": -1}, "pause"),
    ({"longest": float("inf")}, "longest"),
]


@pytest.mark.parametrize(("options", "name"), OPTIONS)
def test_options_are_checked(clock: FrozenClock, options: dict[str, Any], name: str) -> None:
    """A wrong option is refused, naming it as it stands in the configuration."""
    with pytest.raises(Invalid) as caught:
        BreakerLayer(MemoryBackend(clock=clock), **options)
    assert f"layer.breaker.{name}" == caught.value.facts["field"]
