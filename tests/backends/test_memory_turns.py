"""However many ask it and however much: a store in memory lets its event loop turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Final

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.backends.memory import backend as module
from ropewalk.domain.change import Batch, Change, Delete
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.declared import DeclaredIndex
from ropewalk.domain.errors import Unavailable
from ropewalk.domain.query import NEWEST_FIRST, Condition, Order, Query
from ropewalk.door import Door
from ropewalk.testing.samples import SPACE, commits, drain, everything, ids, key, put, soon, write

_TURN: Final = 10
"""Looks at the clock until the budget of a turn is used up."""

_TASKS: Final = 100
_CALLS: Final = 4

EVERYONE: Final = Query(space=SPACE, kinds=("note",))
BY_RANK: Final = Query(space=SPACE, kinds=("note",), order=Order("labels.rank"))

VERBS: Final[dict[str, Callable[[MemoryBackend, str], Awaitable[object]]]] = {
    "get": lambda memory, name: memory.get([key(name)]),
    "apply": lambda memory, name: write(memory, put(name)),
    "page": lambda memory, _: memory.page(Query(space=SPACE, kinds=("note",), limit=3)),
    "scan": lambda memory, _: everything(memory, Query(space=SPACE, kinds=("note",), limit=3)),
    "tally": lambda memory, _: memory.tally(Query(space=SPACE, session_id="s")),
    "changed": lambda memory, _: memory.changed(0),
}


@pytest.fixture
async def memory(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MemoryBackend]:
    """Open a store for which time passes with each look at the clock, a tenth of its budget."""
    looks = 0

    def look() -> float:
        nonlocal looks
        looks += 1
        return looks / _TURN / 1_000

    monkeypatch.setattr(module, "Door", partial(Door, clock=look))
    memory = MemoryBackend(clock=SystemClock(), loop_budget=1.0)
    await memory.open()
    yield memory
    await memory.close()


class Turns:
    """Count the turns of the loop, and what is done in each."""

    def __init__(self) -> None:
        self.turn = 0
        self.done = 0
        self.most = 0

    def count(self) -> None:
        """Count one more thing that was done in this turn."""
        self.done += 1
        self.most = max(self.most, self.done)

    async def beside(self, work: Awaitable[object]) -> None:
        """Let the loop turn beside some work, to its end."""
        task = asyncio.ensure_future(work)
        while not task.done():
            await asyncio.sleep(0)
            self.turn += 1
            self.done = 0
        await task


@pytest.mark.seed("4.2", "6.2")
@pytest.mark.parametrize("verb", VERBS)
async def test_the_loop_turns_beside_a_hundred_callers(memory: MemoryBackend, verb: str) -> None:
    """Of a hundred tasks that call in loops about as many go on in a turn as there is time for."""
    await write(memory, *[put(f"n{n}") for n in range(3)])
    turns = Turns()

    async def work(task: int) -> None:
        for n in range(_CALLS):
            await VERBS[verb](memory, f"{task}-{n}")
            turns.count()

    await soon(turns.beside(asyncio.gather(*map(work, range(_TASKS)))))
    assert _TURN + 1 >= turns.most
    assert _TASKS * _CALLS / (_TURN + 1) <= turns.turn


def _changes(count: int) -> list[Change]:
    return [put(f"n{n:04}", labels={"rank": n % 7, "n": n}) for n in range(count)]


@pytest.mark.seed("4.2", "6.2")
@pytest.mark.parametrize(
    "query",
    [EVERYONE, Query(space=SPACE, order=NEWEST_FIRST), BY_RANK, Query(space=None)],
    ids=["oldest", "newest", "sorted", "all spaces"],
)
@pytest.mark.parametrize("declared", [False, True], ids=["", "declared"])
async def test_the_loop_turns_within_a_long_scan(
    memory: MemoryBackend, query: Query, declared: bool
) -> None:
    """Who goes through everything gives way between two records, whatever the order."""
    await write(memory, *_changes(600))
    if declared:
        await write(memory, DeclaredIndex("note", "rank").put(SPACE))
    turns = Turns()

    async def work() -> None:
        async for _ in memory.scan(query):
            turns.count()

    await soon(turns.beside(work()))
    assert _TURN + 1 >= turns.most
    assert 600 / (_TURN + 1) <= turns.turn


@pytest.mark.seed("4.2", "6.2")
async def test_the_loop_turns_within_what_returns_at_the_end(memory: MemoryBackend) -> None:
    """A tally, a sort, very many keys and a feed give way on their way."""
    for n in range(16):
        await write(memory, *[put(f"n{n * 250 + i}", labels={"rank": i}) for i in range(250)])
    keys = [key(f"n{n}") for n in range(4_000)]
    for work in (
        memory.tally(EVERYONE, ["rank"], ["labels.rank"]),
        memory.tally(EVERYONE.only(Condition("labels.rank", "lt", 3))),
        everything(memory, Query(space=SPACE, order=Order("labels.rank"), limit=5)),
        memory.get(keys),
        memory.get(keys, bodies=False),
    ):
        turns = Turns()
        await soon(turns.beside(work))
        assert 3 <= turns.turn
    assert 4_000 == len([record for record in await memory.get(keys) if record])
    turns = Turns()
    await soon(turns.beside(commits(memory)))
    assert 16 / (_TURN + 1) <= turns.turn


async def _upheaval(memory: MemoryBackend) -> None:
    """Change, move, remove and add records twice, a few in each batch, the last ones first."""
    for n in (*reversed(range(0, 1_000, 100)), 900, 800):
        await write(
            memory,
            *[Delete(key=key(f"n{i:04}")) for i in range(n, n + 30)],
            *[put(f"n{i:04}", labels={"rank": -1, "n": 0}) for i in range(n + 30, n + 60)],
            *[put(f"n{i:04}", created_at=i, session_id="s") for i in range(n + 60, n + 80)],
            *[put(f"x{i:04}", labels={"rank": 3, "n": 10**6}) for i in range(n, n + 30)],
        )


@pytest.mark.seed("5.2", "8.3")
async def test_what_takes_turns_is_of_one_moment(
    memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tallies, sorted scans and many keys see nothing of what is written while they give way."""
    monkeypatch.setattr(module, "_STEP", 8)
    await write(memory, *_changes(1_000))
    keys = [key(f"n{n:04}") for n in range(1_000)]
    by_rank = Query(space=SPACE, order=Order("labels.rank"))
    expected = (
        await memory.tally(EVERYONE, ["n", "rank"], ["labels.rank", "session_id"]),
        await memory.tally(EVERYONE.only(Condition("labels.rank", "eq", 3)), ["n"]),
        await memory.get(keys),
        await everything(memory, by_rank),
    )
    reading = [
        asyncio.ensure_future(work)
        for work in (
            memory.tally(EVERYONE, ["n", "rank"], ["labels.rank", "session_id"]),
            memory.tally(EVERYONE.only(Condition("labels.rank", "eq", 3)), ["n"]),
            memory.get(keys),
            everything(memory, by_rank),
        )
    ]
    # They all have begun before the first batch comes, and go on behind it.
    await soon(_upheaval(memory))
    assert [False] * 4 == [task.done() for task in reading]
    assert list(expected) == await soon(asyncio.gather(*reading))
    assert 1_000 - 300 + 300 == (await memory.tally(EVERYONE))[0].count


@pytest.mark.seed("4.5")
async def test_whoever_is_cancelled_in_line_has_written_nothing() -> None:
    """Of batches that wait for a turn the cancelled are not applied, and all others are."""
    memory = MemoryBackend(clock=SystemClock(), loop_budget=0)
    await memory.open()
    cancelled: list[bool] = []
    for turns in range(4):
        batches = [Batch((put(f"{turns}-{n:02}"), put(f"{turns}-{n:02}b"))) for n in range(20)]
        tasks = [asyncio.create_task(memory.apply(batch)) for batch in batches]
        for _ in range(turns):
            await asyncio.sleep(0)
        cancelled = [task.cancel() for task in tasks[::2]]
        await asyncio.wait(tasks)
        assert cancelled == [task.cancelled() for task in tasks[::2]]
        applied = {commit.batch_id for commit in await commits(memory)}
        assert [not task.cancelled() for task in tasks] == [b.id in applied for b in batches]
    assert any(cancelled)
    await memory.close()


async def test_a_store_may_close_under_a_scan(memory: MemoryBackend) -> None:
    """Who was giving way when the store closed is told so, and sees nothing of what comes after."""
    await write(memory, *_changes(2_000))
    works = [
        asyncio.ensure_future(work)
        for work in (drain(memory.scan(EVERYONE)), memory.tally(EVERYONE), ids(memory, BY_RANK))
    ]
    await asyncio.sleep(0)
    await memory.close()
    await memory.open()
    await memory.close()
    answers = await soon(asyncio.gather(*works, return_exceptions=True))
    assert [Unavailable] * 3 == [type(answer) for answer in answers]
    await memory.open()
    assert [] == await everything(memory, Query(space=None))
