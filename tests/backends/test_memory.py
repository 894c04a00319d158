"""The memory back end keeps the whole contract, and costs a page what is on the page."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest

from ropewalk.backends.budget import LOOP_BUDGET
from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Delete, Put
from ropewalk.domain.clock import FrozenClock, SystemClock
from ropewalk.domain.errors import Invalid, Unavailable
from ropewalk.domain.health import State
from ropewalk.domain.query import NEWEST_FIRST, Order, Query
from ropewalk.domain.record import Key
from ropewalk.testing.backend import BackendContract, FeedContract
from ropewalk.testing.backend_retries import RetryContract
from ropewalk.testing.backend_scans import OpenScanContract
from ropewalk.testing.backend_tasks import TaskContract
from ropewalk.testing.samples import SPACE, commits, drain, everything, key, put, write


class _InMemory:
    BUDGET = LOOP_BUDGET

    @pytest.fixture
    def clock(self) -> FrozenClock:
        """Stand still, so that many records share a time."""
        return FrozenClock(tick=0)

    @pytest.fixture
    async def backend(self, clock: FrozenClock) -> AsyncIterator[MemoryBackend]:
        """Open an empty memory store."""
        backend = MemoryBackend(clock=clock, loop_budget=self.BUDGET)
        await backend.open()
        yield backend
        await backend.close()


class TestMemory(_InMemory, BackendContract):
    """Every promise of a back end, kept in memory."""


class TestMemoryInTurns(_InMemory, TaskContract, RetryContract, OpenScanContract, FeedContract):
    """What is promised to many at once, where every call gives way to the others."""

    BUDGET = 0.0


@pytest.fixture
async def memory() -> AsyncIterator[MemoryBackend]:
    """Open an empty memory store on the machine's clock."""
    memory = MemoryBackend(clock=SystemClock())
    await memory.open()
    yield memory
    await memory.close()


@pytest.mark.seed("2.1", "6.3")
@pytest.mark.parametrize("order", [Order(), NEWEST_FIRST], ids=["oldest", "newest"])
async def test_a_page_costs_what_is_on_it(memory: MemoryBackend, order: Order) -> None:
    """A page of a session takes no more steps in a store ten times the size."""

    async def steps_of_a_page() -> int:
        """Count the lines of our code that a page executes."""
        steps = 0

        def count(frame: object, event: str, arg: object) -> object:
            nonlocal steps
            del frame, arg
            steps += event == "line"
            return count

        page = Query(space=SPACE, session_id="s7", limit=20, order=order)
        before = sys.gettrace()
        sys.settrace(count)  # type: ignore[arg-type]
        try:
            records = await everything(memory, page)
        finally:
            sys.settrace(before)
        assert len(records) == 20
        return steps

    async def fill(begin: int, end: int) -> None:
        for n in range(begin, end, 1_000):
            await write(
                memory,
                *[
                    put(f"n{i}", session_id=f"s{i % 10 + i // 400 * 10}")
                    for i in range(n, n + 1_000)
                ],
            )

    await fill(0, 1_000)
    small = await steps_of_a_page()
    await fill(1_000, 10_000)
    assert await steps_of_a_page() <= small * 1.5


async def test_it_is_down_before_it_is_opened() -> None:
    """A store that was not opened says so, by `ping` and by each verb."""
    memory = MemoryBackend(clock=FrozenClock())
    assert (await memory.ping()).state is State.DOWN
    query = Query(space=SPACE)
    for call in (
        memory.get([key("a")]),
        write(memory, put("a")),
        drain(memory.scan(query)),
        memory.tally(query),
        drain(memory.feed()),
    ):
        with pytest.raises(Unavailable, match="open"):
            await call


async def test_closing_forgets_everything(memory: MemoryBackend) -> None:
    """A store that is opened anew is empty, and counts from the beginning."""
    await write(memory, put("a"))
    await memory.close()
    await memory.open()
    assert await everything(memory, Query(space=None)) == []
    assert await commits(memory) == []


async def test_its_url_is_bare() -> None:
    """`memory://` makes a store; a path and unknown options are refused, as it has none."""
    clock = FrozenClock()
    memory = MemoryBackend.from_url("memory://", clock=clock)
    await memory.open()
    assert (await memory.ping()).state is State.HEALTHY
    await memory.close()
    with pytest.raises(Invalid, match=r"a/b\.db"):
        MemoryBackend.from_url("memory://a/b.db", clock=clock)
    with pytest.raises(Invalid, match="timeout"):
        MemoryBackend.from_url("memory://", clock=clock, timeout=3)
    with pytest.raises(Invalid, match="loop_budget"):
        MemoryBackend.from_url("memory://?loop_budget=soon", clock=clock)


@pytest.mark.seed("4.2")
@pytest.mark.parametrize(
    ("url", "turns"), [("memory://?loop_budget=3600000", 0), ("memory://?loop_budget=0", 20)]
)
async def test_its_url_says_how_long_it_may_keep_the_loop(url: str, turns: int) -> None:
    """Short calls are one stretch, and without a budget each of them gives way."""
    memory = MemoryBackend.from_url(url, clock=SystemClock())
    await memory.open()
    await memory.get([])
    turned = 0

    def turn() -> None:
        nonlocal turned
        turned += 1
        asyncio.get_running_loop().call_soon(turn)

    turn()
    turned = 0
    for _ in range(20):
        await memory.get([])
    assert turns <= turned
    assert turned == 0 or turns > 0
    await memory.close()


async def test_nothing_is_left_of_deleted_records(memory: MemoryBackend) -> None:
    """Lists of parents and spaces vanish with their last record: ids cost nothing for ever."""
    keys = [Key(f"space-{n}", "note", "x") for n in range(50)]
    await write(memory, *[Put(key=k, session_id=k.space, thread_id=k.space) for k in keys])
    await write(memory, *[Delete(key=k) for k in keys])
    assert {"records": 0, "commits": 2, "parents": 0} == (await memory.ping()).facts
