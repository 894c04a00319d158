"""`MetricsLayer` counts every operation once, however it ends and on whatever thread."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Invalid, Unavailable
from ropewalk.domain.exposition import as_plain, as_prometheus, as_text
from ropewalk.domain.kept_shape import SLOW_SHAPE, shape_of
from ropewalk.domain.metrics import BOUNDS, VerbMetrics
from ropewalk.domain.query import Condition, Order, Query
from ropewalk.layers.metrics import MetricsLayer
from ropewalk.layers.readonly import ReadonlyLayer
from ropewalk.testing.faults import Fault, Flaky, Slow
from ropewalk.testing.samples import commits, drain, key, put, soon, versions, write

LAB = Query(space="lab", kinds=("note",))
TOPIC = Query(space="lab", kinds=("note",), where=(Condition("labels.topic", "eq", "secret"),))


async def test_each_verb_is_counted(memory: MemoryBackend) -> None:
    """Every verb has its count, its items, and a duration for each."""
    layer = MetricsLayer(memory)
    await write(layer, put("a"), put("b"))
    await layer.get([key("a"), key("b"), key("c")])
    await layer.get([key("a")])
    await drain(layer.scan(LAB))
    await layer.tally(LAB, (), ("kind",))
    await commits(layer)
    await layer.trim(1)
    found = layer.snapshot()
    assert {"apply": 1, "get": 2, "scan": 1, "tally": 1, "feed": 1, "trim": 1} == {
        verb.verb: verb.count for verb in found.verbs
    }
    assert {"apply": 2, "get": 4, "scan": 2, "tally": 1, "feed": 1, "trim": 0} == {
        verb.verb: verb.items for verb in found.verbs
    }
    assert all(0 < verb.seconds and 0 < verb.longest for verb in found.verbs)
    assert 0 == found.under_way


@pytest.mark.seed("4.4")
async def test_a_failure_is_counted_by_its_code(memory: MemoryBackend) -> None:
    """What raised is no duration but an error of its code, also in the middle of a scan."""
    layer = MetricsLayer(Flaky(memory, plan=[Fault.NONE, Fault.NONE, Fault.AFTER, Fault.AFTER]))
    await write(layer, put("a"), put("b"))
    with pytest.raises(Conflict):
        await write(layer, put("a", expect=3))
    with pytest.raises(Unavailable):
        await layer.get([key("a")])
    with pytest.raises(Unavailable):
        await drain(layer.scan(LAB))
    found = layer.snapshot()
    assert {"version": 1} == dict(found.of("apply").errors)
    assert ({"flaky": 1}, {"flaky": 1}) == (found.of("get").errors, found.of("scan").errors)
    assert (1, 0) == (found.of("apply").count, found.of("get").count)
    assert 0 == found.under_way


@pytest.mark.seed("4.5")
async def test_what_is_under_way_is_told(memory: MemoryBackend) -> None:
    """An operation that has begun is under way until it ends, also by being cancelled."""
    reached = asyncio.Event()

    async def pause() -> None:
        reached.set()
        await asyncio.Event().wait()

    layer = MetricsLayer(Slow(memory, pause=pause))
    task = asyncio.ensure_future(versions(layer, "a"))
    await soon(reached.wait())
    assert 1 == layer.snapshot().under_way
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert 0 == layer.snapshot().under_way
    assert {"cancelled": 1} == dict(layer.snapshot().of("get").errors)


async def test_a_scan_left_early_was_answered(memory: MemoryBackend) -> None:
    """Whoever stops after the first record got an answer, and nothing stays under way."""
    await write(memory, *[put(f"n{n}") for n in range(5)])
    layer = MetricsLayer(memory)
    scan = layer.scan(LAB)
    await anext(scan)
    await scan.aclose()  # type: ignore[attr-defined]
    found = layer.snapshot()
    assert (1, 1, 0) == (found.of("scan").count, found.of("scan").items, found.under_way)


@pytest.mark.seed("5.1", "5.2")
def test_no_count_of_any_thread_is_lost(clock: FrozenClock) -> None:
    """Threads with loops of their own, and new threads after them, count every operation."""
    backend = MemoryBackend(clock=clock)
    asyncio.run(backend.open())
    layer = MetricsLayer(backend)
    start = threading.Barrier(4)

    async def work() -> None:
        for _ in range(500):
            await layer.get([key("a")])

    def one(_: int) -> None:
        start.wait(30)
        asyncio.run(work())

    for _ in range(2):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(one, range(4)))
    assert (4_000, 0) == (layer.snapshot().of("get").count, layer.snapshot().under_way)


async def test_a_slow_question_is_remembered_without_its_values(memory: MemoryBackend) -> None:
    """Its shape says what to declare, and never what was compared with."""
    layer = MetricsLayer(memory, slow=0)
    await write(layer, put("a", labels={"topic": "secret"}))
    for _ in range(3):
        await drain(layer.scan(TOPIC))
    await layer.tally(TOPIC)
    await drain(layer.scan(Query(space="lab", kinds=("note",), order=Order("labels.price"))))
    by_shape = {str(shape): shape for shape in layer.snapshot().slow}
    scanned = by_shape["scan note where labels.topic eq by created_at"]
    assert (3, "await storage.declare_index('note', 'topic')") == (scanned.count, scanned.advice)
    assert ("topic",) == by_shape["tally note where labels.topic eq"].labels
    assert ("price",) == by_shape["scan note by labels.price"].labels
    assert "secret" not in as_text(layer.snapshot()) + json.dumps(as_plain(layer.snapshot()))


def test_quantiles_come_from_the_buckets() -> None:
    """A quantile is the bound of the bucket that holds it, never more than the longest."""
    buckets = [0] * (len(BOUNDS) + 1)
    buckets[8], buckets[12] = 98, 2
    figures = VerbMetrics(verb="get", buckets=tuple(buckets), longest=7e-6, seconds=5e-4)
    assert (BOUNDS[8], BOUNDS[8], 7e-6) == tuple(map(figures.quantile, (0.5, 0.98, 0.99)))
    assert 100 == figures.count
    assert pytest.approx(5e-6) == figures.mean
    assert 0.0 == VerbMetrics(verb="get").quantile(0.99)
    with pytest.raises(Invalid, match="share"):
        figures.quantile(1.5)


async def test_what_came_since_can_be_told(memory: MemoryBackend) -> None:
    """The difference of two snapshots is what was counted in between."""
    layer = MetricsLayer(memory)
    await layer.get([key("a")])
    before = layer.snapshot()
    for _ in range(3):
        await layer.get([key("a")])
    after = layer.snapshot().since(before)
    assert (3, 3, 0) == (after.of("get").count, after.of("get").items, after.under_way)
    assert after.rate("get") == pytest.approx(3 / after.elapsed)


async def test_the_forms(memory: MemoryBackend) -> None:
    """Text is a table, JSON has every figure, Prometheus' buckets add up and end with all."""
    layer = MetricsLayer(memory)
    await layer.get([key("a")])
    with pytest.raises(Conflict):
        await write(layer, put("a", expect=3))
    found = layer.snapshot()
    heading, get, apply, failed = as_text(found).splitlines()
    assert ["verb", "get", "apply"] == [line.split()[0] for line in (heading, get, apply)]
    assert "apply failed 1 times: gone" == failed
    verbs = json.loads(json.dumps(as_plain(found)))["verbs"]
    assert {"gone": 1} == verbs["apply"]["errors"]
    lines = as_prometheus(found).splitlines()
    reached = [int(line.split()[1]) for line in lines if 'bucket{verb="get"' in line]
    assert (sorted(reached), 1) == (reached, reached[-1])
    assert 'ropewalk_operation_seconds_count{verb="get"} 1' in lines
    assert 'ropewalk_errors_total{verb="apply",code="gone"} 1' in lines


@pytest.mark.parametrize("slow", [-1, "1", None, float("nan"), True])
def test_the_threshold_is_checked(clock: FrozenClock, slow: float) -> None:
    """A threshold that is no time is refused, naming it."""
    with pytest.raises(Invalid, match=r"layer\.metrics\.slow"):
        MetricsLayer(MemoryBackend(clock=clock), slow=slow)


async def test_slow_shapes_are_kept_only_where_that_is_wanted(memory: MemoryBackend) -> None:
    """With `keep` they are records of their space that add up; without, nothing is written."""
    kept = Query(space="lab", kinds=(SLOW_SHAPE,))
    await drain(MetricsLayer(memory, slow=0).scan(TOPIC))
    assert 0 == await drain(memory.scan(kept))
    for _ in range(2):
        layer = MetricsLayer(memory, slow=0, keep=True)
        for _ in range(3):
            await drain(layer.scan(TOPIC))
        # Closing the store would empty it: what waits is written as closing does it.
        await layer.flush()
    (record,) = [record async for record in memory.scan(kept)]
    shape = shape_of(record)
    assert shape is not None
    assert (6, ("topic",), "scan") == (shape.count, shape.labels, shape.verb)
    assert "secret" not in str(record)


@pytest.mark.seed("4.4")
async def test_who_asks_does_not_hear_that_nothing_could_be_kept(
    memory: MemoryBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that refuses the note still answers the question; the log tells of it."""
    layer = MetricsLayer(ReadonlyLayer(memory), slow=0, keep=True)
    assert 0 == await drain(layer.scan(TOPIC))
    assert ["1 slow shapes were not kept"] == [line.split(":")[0] for line in caplog.messages]
    with pytest.raises(Invalid, match=r"layer\.metrics\.keep"):
        MetricsLayer(memory, keep="yes")  # type: ignore[arg-type]
