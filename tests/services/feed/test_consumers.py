"""Consumers with names: where each is, that one alone moves it, and effects that happen once."""

from __future__ import annotations

import asyncio

import pytest

from ropewalk.domain.consumer import Lag
from ropewalk.domain.errors import Conflict, Invalid, NotFound
from ropewalk.domain.interest import Interest
from ropewalk.services.feed.subscription import Subscription
from ropewalk.services.modules import Modules
from ropewalk.services.storage import Storage
from ropewalk.testing.samples import soon

pytestmark = pytest.mark.seed("8.3")

NOTES = Interest(kinds=("note",))


async def _say(storage: Storage, count: int = 1, *, kind: str = "note") -> None:
    for n in range(count):
        await storage.records.save({"type": kind, "data": {"n": n}})


async def _numbers(storage: Storage) -> list[int]:
    async with storage.watch(NOTES, after=0) as commits:
        newest = [commit.seq async for commit in storage.feed()][-1]
        told: list[int] = []
        while not told or told[-1] < newest:
            told.append((await soon(anext(commits))).seq)
    return told


async def _take(commits: Subscription, count: int) -> list[int]:
    return [(await soon(anext(commits))).seq for _ in range(count)]


async def test_it_goes_on_where_it_was_acknowledged(storage: Storage) -> None:
    """What was not acknowledged comes again, to the next who opens the consumer; the rest not."""
    await _say(storage, 9)
    numbers = await _numbers(storage)
    async with storage.consumers.open("indexer", NOTES) as commits:
        assert numbers[:5] == await _take(commits, 5)
        await commits.commit(numbers[2])
        assert numbers[2] == commits.seq
    async with storage.consumers.open("indexer", NOTES) as commits:
        assert numbers[2] == commits.seq
        assert numbers[3:9] == await _take(commits, 6)
        await commits.commit()
    assert numbers[8] == (await storage.consumers.get("indexer")).seq


async def test_a_new_consumer_begins_where_it_is_told_to(storage: Storage) -> None:
    """With all there is, behind a number, or with what comes from now on."""
    await _say(storage, 5)
    numbers = await _numbers(storage)
    for name, start, expected in [("all", 0, 0), ("some", numbers[2], 3), ("new", None, 5)]:
        async with storage.consumers.open(name, NOTES, start=start) as commits:
            assert commits.seq == (start if start is not None else commits.seq)
            await _say(storage)
            numbers = await _numbers(storage)
            assert numbers[expected] == (await _take(commits, 1))[0] or start is None
    async with storage.consumers.open("new", NOTES) as commits:
        assert numbers[-1:] == await _take(commits, 1)


@pytest.mark.seed("5.1", "5.2")
async def test_two_with_one_name_do_not_both_advance(storage: Storage) -> None:
    """Whoever opened it first is fenced off, and the cursor is the other's."""
    await _say(storage, 4)
    numbers = await _numbers(storage)
    async with storage.consumers.open("indexer", NOTES) as first:
        assert numbers[:2] == await _take(first, 2)
        async with storage.consumers.open("indexer", NOTES) as second:
            assert numbers[:1] == await _take(second, 1)
            with pytest.raises(Conflict) as caught:
                await first.commit()
            assert (caught.value.code, first.seq) == ("fenced", 0)
            async with storage.unit() as unit:
                with pytest.raises(Conflict):
                    await first.commit(unit=unit)
            await second.commit()
    assert numbers[0] == (await storage.consumers.get("indexer")).seq


@pytest.mark.seed("5.1")
async def test_many_open_at_once_and_one_has_it(storage: Storage) -> None:
    """Of ten that open a new consumer at the same time, exactly one can move it."""
    await _say(storage)
    opened = [storage.consumers.open("indexer", NOTES) for _ in range(10)]
    await soon(asyncio.gather(*[commits.begin() for commits in opened]))

    async def work(commits: Subscription) -> None:
        await anext(commits)
        await commits.commit()

    answers = await soon(asyncio.gather(*map(work, opened), return_exceptions=True))
    assert [None] == [answer for answer in answers if not isinstance(answer, Conflict)]
    for commits in opened:
        await commits.aclose()


@pytest.mark.seed("4.2", "8.5")
async def test_an_effect_in_the_same_unit_happens_once(storage: Storage) -> None:
    """However often the work is broken off or done twice, each commit is counted once."""
    await _say(storage, 12)
    await storage.records.save({"type": "count", "id": "notes", "data": {"n": 0}})
    done = 0
    for attempt in range(40):
        async with storage.consumers.open("counter", NOTES) as commits:
            while done < 12:
                commit = await soon(anext(commits))
                try:
                    async with storage.unit() as unit:
                        data = {"n": await _count(unit) + 1}
                        await unit.records.save({"type": "count", "id": "notes", "data": data})
                        await commits.commit(commit.seq, unit=unit)
                        if commit.seq % 3 == attempt % 3:
                            raise InterruptedError  # noqa: TRY301 (the process dies here)
                except InterruptedError:
                    break
                done += 1
    assert (12, 12) == (done, await _count(storage))


async def _count(modules: Modules) -> int:
    found = await modules.records.load("notes", type="count")
    assert found is not None
    count: int = found["data"]["n"]
    return count


async def test_only_what_was_delivered_is_acknowledged(storage: Storage) -> None:
    """A number beyond it is `Invalid`; a smaller one than the last changes nothing."""
    await _say(storage, 4)
    numbers = await _numbers(storage)
    async with storage.consumers.open("indexer", NOTES) as commits:
        await _take(commits, 2)
        with pytest.raises(Invalid) as caught:
            await commits.commit(numbers[3])
        assert caught.value.code == "not_delivered"
        await commits.commit(numbers[1])
        await commits.commit(numbers[0])
    assert numbers[1] == (await storage.consumers.get("indexer")).seq


async def test_they_are_listed_reset_and_deleted(storage: Storage) -> None:
    """Each has its cursor and its lag; a reset or a deletion takes it from whoever has it open."""
    await _say(storage, 6)
    numbers = await _numbers(storage)
    async with storage.consumers.open("a", NOTES) as commits:
        await _take(commits, 2)
        await commits.commit()
        assert ["a"] == [consumer.name for consumer in await storage.consumers.list()]
        lag = await storage.consumers.lag("a", NOTES)
        feed = {commit.seq: commit async for commit in storage.feed()}
        assert (4, feed[numbers[2]].at) == (lag.commits, lag.since and _micros(lag))
        again = await storage.consumers.reset("a", numbers[4])
        assert numbers[4] == again.seq
        await _take(commits, 3)
        with pytest.raises(Conflict):
            await commits.commit()
    await storage.consumers.reset("a", None)
    assert Lag(0) == await storage.consumers.lag("a", NOTES)
    async with storage.consumers.open("a", NOTES) as commits:
        await storage.consumers.delete("a")
        await _say(storage)
        await _take(commits, 1)
        with pytest.raises(NotFound):
            await commits.commit()
    for call in (storage.consumers.get("a"), storage.consumers.delete("a")):
        with pytest.raises(NotFound):
            await call
    assert await storage.consumers.list() == ()


@pytest.mark.seed("5.3")
async def test_each_space_has_its_own(storage: Storage) -> None:
    """The same name in two spaces is two consumers, each with its space's commits."""
    here, there = storage.space("here"), storage.space("there")
    await _say(here, 2)
    await _say(there, 3)
    async with here.consumers.open("indexer") as commits:
        await _take(commits, 2)
        await commits.commit()
    assert (0, 3) == (
        (await here.consumers.lag("indexer")).commits,
        len([commit async for commit in there.feed()]),
    )
    with pytest.raises(NotFound):
        await there.consumers.get("indexer")


async def test_consumers_do_not_wake_each_other(storage: Storage) -> None:
    """Where others stand is told only to who asks for it by kind."""
    await _say(storage)
    async with storage.consumers.open("a") as first, storage.consumers.open("b") as second:
        for commits in (first, second):
            await _take(commits, 1)
            await commits.commit()
        waiting = [asyncio.ensure_future(anext(commits)) for commits in (first, second)]
        await _say(storage)
        (last,) = (await _numbers(storage))[-1:]
        assert [last, last] == [(await soon(task)).seq for task in waiting]
    async with storage.watch(Interest(kinds=("consumer",)), after=0) as told:
        assert "a" == (await soon(anext(told))).changes[0].key.id


async def test_what_is_for_others_moves_the_cursor_along(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consumer that nothing is for does not hold up the log for ever."""
    monkeypatch.setattr("ropewalk.services.feed.subscription._STRIDE", 20)
    async with storage.consumers.open("quiet", Interest(kinds=("rare",))) as commits:
        waiting = asyncio.ensure_future(anext(commits))
        await _say(storage, 30)
        async with storage.watch(Interest(kinds=("consumer",)), after=0) as moves:
            await soon(anext(moves))
            await soon(anext(moves))
        assert (await storage.consumers.get("quiet")).seq >= 20
        await _say(storage, kind="rare")
        assert (await soon(waiting)).seq > 30


def _micros(lag: Lag) -> int:
    assert lag.since is not None
    return round(lag.since.timestamp() * 1_000_000)
