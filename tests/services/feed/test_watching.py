"""Watching a space: every commit once, in order, wherever one begins and however one is cut off."""

from __future__ import annotations

import asyncio

import pytest

from ropewalk.domain.change import Commit
from ropewalk.domain.errors import Invalid, NotFound, Unavailable
from ropewalk.domain.interest import Interest
from ropewalk.domain.ports import Backend, Clock, Sealer
from ropewalk.services.feed.watching import Watcher
from ropewalk.services.storage import Storage
from ropewalk.testing.samples import soon

pytestmark = pytest.mark.seed("8.3")


async def _say(storage: Storage, count: int = 1) -> None:
    for n in range(count):
        await storage.records.save({"type": "note", "data": {"n": n}})


async def _take(commits: Watcher, count: int) -> list[int]:
    return [(await soon(anext(commits))).seq for _ in range(count)]


def _ids(commits: list[Commit]) -> list[list[str]]:
    return [[change.key.id for change in commit.changes] for commit in commits]


async def test_it_tells_what_was_and_what_comes(storage: Storage) -> None:
    """From a number on, every commit behind it comes once, those of the past and the next ones."""
    await _say(storage, 40)
    numbers = [commit.seq async for commit in storage.feed()]
    async with storage.watch(after=numbers[9]) as commits:
        told = await _take(commits, 30)
        assert numbers[10:] == told
        assert numbers[-1] == commits.position
        next_one = asyncio.ensure_future(anext(commits))
        await asyncio.sleep(0)
        assert not next_one.done()
        await _say(storage, 3)
        told = [(await soon(next_one)).seq, *await _take(commits, 2)]
    assert [commit.seq async for commit in storage.feed(numbers[-1])] == told


async def test_without_a_number_it_begins_now(storage: Storage) -> None:
    """What was committed before the block was entered is not told, what comes then is."""
    await _say(storage, 5)
    async with storage.watch() as commits:
        await _say(storage)
        last = [commit.seq async for commit in storage.feed()][-1]
        assert [last] == await _take(commits, 1)


@pytest.mark.seed("5.1")
async def test_a_watcher_beside_writers_misses_nothing(storage: Storage) -> None:
    """Five watchers beside ten writers all get every commit once and in order."""

    async def follow() -> list[int]:
        async with storage.watch(after=0) as commits:
            return [(await anext(commits)).seq for _ in range(100)]

    following = [asyncio.ensure_future(follow()) for _ in range(5)]
    await asyncio.gather(*[_say(storage, 10) for _ in range(10)])
    told = await soon(asyncio.gather(*following))
    numbers = [commit.seq async for commit in storage.feed()]
    assert [numbers] * 5 == told


async def test_only_what_is_of_interest_is_told(storage: Storage) -> None:
    """Kinds, ids and actors narrow the commits; what is left out of a commit is not in it."""
    writer = Storage(*_parts(storage), actor="writer")
    session = await writer.sessions.create()
    await storage.sessions.create()
    async with writer.unit() as unit:
        thread = await unit.threads.create(session_id=session.id)
        await unit.history.add_message(thread_id=thread.id, role="user", content="hello")
    for interest, expected in [
        (Interest(kinds=("thread",)), [[thread.id]]),
        (Interest(ids=(session.id,)), [[session.id]]),
        (Interest(kinds=("session",), actors=("writer",)), [[session.id]]),
        (Interest(kinds=("note",)), []),
    ]:
        async with storage.watch(interest, after=0) as commits:
            told = [await soon(anext(commits)) for _ in expected]
            rest = asyncio.ensure_future(anext(commits))
            await storage.records.save({"type": "other", "data": {}})
            await asyncio.sleep(0)
            assert not rest.done()
        assert expected == _ids(told)
        with pytest.raises(StopAsyncIteration):
            await soon(rest)


async def test_a_session_is_told_with_all_that_belongs_to_it(storage: Storage) -> None:
    """By their parents as they are now; of what is gone nobody knows them, so it is told."""
    mine, other = await storage.sessions.create(), await storage.sessions.create()
    thread = await storage.threads.create(session_id=mine.id)
    elsewhere = await storage.threads.create(session_id=other.id)
    said = await storage.history.add_message(thread_id=thread.id, role="user", content="hello")
    await storage.history.add_message(thread_id=elsewhere.id, role="user", content="hello")
    gone = await storage.threads.create(session_id=other.id)
    await storage.threads.delete(gone.id)
    async with storage.watch(Interest(session_id=mine.id), after=0) as commits:
        told = [await soon(anext(commits)) for _ in range(5)]
    assert [[mine.id], [thread.id], [said.id], [gone.id], [gone.id]] == _ids(told)
    async with storage.watch(Interest(thread_id=thread.id), after=0) as commits:
        told = [await soon(anext(commits)) for _ in range(2)]
    assert [[thread.id], [said.id]] == _ids(told)


@pytest.mark.seed("5.3")
async def test_other_spaces_are_not_told(storage: Storage) -> None:
    """A confined handle gets its own changes alone, and numbers with gaps."""
    inside, outside = storage.space("inside"), storage.space("outside")
    for _ in range(4):
        await _say(outside, 3)
        await _say(inside)
    async with inside.watch(after=0) as commits:
        told = [await soon(anext(commits)) for _ in range(4)]
    assert {"inside"} == {change.key.space for commit in told for change in commit.changes}
    assert [4, 8, 12, 16] == [commit.seq for commit in told]


@pytest.mark.seed("4.4")
async def test_a_cancelled_call_loses_nothing(storage: Storage) -> None:
    """However often the next commit is waited for in vain, it comes once."""
    async with storage.watch(after=0) as commits:
        told: list[int] = []
        for n in range(30):
            waiting = asyncio.ensure_future(anext(commits))
            for _ in range(n % 7):
                await asyncio.sleep(0)
            if n % 3 == 0:
                await _say(storage)
            waiting.cancel()
            try:
                told.append((await soon(waiting)).seq)
            except asyncio.CancelledError:
                continue
        told += await _take(commits, 10 - len(told))
    assert [commit.seq async for commit in storage.feed()] == told


@pytest.mark.seed("4.4")
async def test_it_ends_when_it_is_closed(storage: Storage) -> None:
    """Closing ends a waiting call cleanly, from another task too; closing twice is no error."""
    commits = storage.watch()
    await commits.begin()
    waiting = asyncio.ensure_future(anext(commits))
    await asyncio.sleep(0)
    with pytest.raises(Invalid) as caught:
        await anext(commits)
    assert caught.value.code == "busy"
    await soon(commits.aclose())
    with pytest.raises(StopAsyncIteration):
        await soon(waiting)
    await commits.aclose()
    assert [commit async for commit in commits] == []
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


@pytest.mark.seed("1.5", "4.4")
async def test_it_fails_when_the_store_is_closed(storage: Storage) -> None:
    """Who waits while the store closes gets `Unavailable`."""
    commits = storage.watch()
    await commits.begin()
    waiting = asyncio.ensure_future(anext(commits))
    await asyncio.sleep(0)
    await storage.close()
    with pytest.raises(Unavailable):
        await soon(waiting)
    with pytest.raises(Unavailable):
        await soon(anext(commits))


@pytest.mark.seed("4.5")
async def test_a_slow_reader_reads_no_further_than_he_is(storage: Storage) -> None:
    """Between two calls nothing is read ahead but a page, and writers do not wait for him."""
    async with storage.watch(after=0) as commits:
        await _say(storage, 3)
        first = await soon(anext(commits))
        await soon(_say(storage, 200))
        told = [first.seq, *await _take(commits, 202)]
    assert [commit.seq async for commit in storage.feed()] == told


async def test_who_is_behind_the_horizon_is_told(storage: Storage) -> None:
    """Where the next commits were forgotten the watcher says so, and can go on from there."""
    await _say(storage, 10)
    numbers = [commit.seq async for commit in storage.feed()]
    await storage.retention.trim(keep_commits=4, force=True)
    commits = storage.watch(after=numbers[2])
    with pytest.raises(NotFound) as caught:
        await soon(anext(commits))
    await commits.aclose()
    forgotten = caught.value.facts["forgotten"]
    assert numbers[5] == forgotten
    async with storage.watch(after=numbers[5]) as commits:
        assert numbers[6:] == await _take(commits, 4)


@pytest.mark.parametrize(
    "given", [{"kinds": "note"}, {"ids": ("",)}, {"session_id": ""}, {"actors": "me"}]
)
def test_an_impossible_interest_is_refused(given: dict[str, object]) -> None:
    """What can never come is `Invalid`, naming the field."""
    (field,) = given
    with pytest.raises(Invalid) as caught:
        Interest(**given)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert field == caught.value.facts["field"]


def _parts(storage: Storage) -> tuple[Backend, Sealer, Clock]:
    desk = storage._desk  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    return desk.backend, desk.sealer, desk.clock
