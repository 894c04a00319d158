"""What a back end with the power `feed` owes to who waits for commits, and to who forgets them."""

from __future__ import annotations

import asyncio

import pytest

from ..domain.change import Batch, Check, Delete
from ..domain.errors import Conflict, Invalid, NotFound, Unavailable
from ..domain.horizon import TRIMMED
from ..domain.ports import Backend
from .samples import commits, key, put, read, soon, write


class WatchContract:
    """`changed` and `trim`."""

    @pytest.mark.seed("8.3")
    async def test_the_newest_number_is_told_at_once(self, backend: Backend) -> None:
        """Who asks from before the newest commit need not wait; on an empty store it is 0."""
        assert await soon(backend.changed(-1)) == 0
        numbers = await _filled(backend, 3)
        for after in (-1, 0, numbers[0], numbers[-1] - 1):
            await _check_newest(backend, after, newest=numbers[-1])

    @pytest.mark.seed("8.3")
    async def test_who_waits_is_woken_by_the_next_commit(self, backend: Backend) -> None:
        """Each waits until there is a number greater than his own, and no longer."""
        (first,) = await _filled(backend, 1)
        waiting = [asyncio.ensure_future(backend.changed(first)) for _ in range(5)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        (second,) = await _filled(backend, 1)
        told = await soon(asyncio.gather(*waiting))
        assert [second] * 5 == told
        later = asyncio.ensure_future(backend.changed(second))
        (third,) = await _filled(backend, 1)
        assert third == await soon(later)

    @pytest.mark.seed("5.1", "8.3")
    async def test_nothing_is_missed_between_reading_and_waiting(self, backend: Backend) -> None:
        """Who reads the feed and waits, in turn, gets every commit, whatever is written then."""
        told: list[int] = []

        async def follow() -> None:
            while len(told) < 60:
                await backend.changed(told[-1] if told else 0)
                told.extend([c.seq for c in await commits(backend, told[-1] if told else 0)])

        following = asyncio.ensure_future(follow())
        answers = [await backend.apply(Batch((put("hot"),))) for _ in range(60)]
        await soon(following)
        assert [answer.seq for answer in answers] == told

    @pytest.mark.seed("8.3")
    async def test_what_changes_nothing_wakes_nobody(self, backend: Backend) -> None:
        """Checks, conflicts, retries and what has no effect are not waited for."""
        batch = Batch((put("a", expect=0),))
        first = (await backend.apply(batch)).seq
        waiting = asyncio.ensure_future(backend.changed(first))
        await backend.apply(batch)
        await write(backend, Delete(key=key("absent")), Check(key=key("a"), expect=1))
        with pytest.raises(Conflict):
            await write(backend, put("b"), put("a", expect=7))
        assert await read(backend, "a") is not None
        assert not waiting.done()
        (second,) = await _filled(backend, 1)
        assert second == await soon(waiting)

    @pytest.mark.seed("5.1")
    async def test_a_commit_of_another_loop_wakes_too(self, backend: Backend) -> None:
        """Who waits on one event loop is woken by a commit that another loop made."""
        (first,) = await _filled(backend, 1)
        waiting = asyncio.ensure_future(backend.changed(first))
        await asyncio.sleep(0)
        (second,) = await asyncio.to_thread(lambda: asyncio.run(_filled(backend, 1)))
        assert second == await soon(waiting)

    @pytest.mark.seed("4.4", "4.5")
    async def test_who_gives_up_leaves_nothing_behind(self, backend: Backend) -> None:
        """A cancelled caller stops waiting at once; the others go on, and new ones may come."""
        (first,) = await _filled(backend, 1)
        tasks = [asyncio.ensure_future(backend.changed(first)) for _ in range(6)]
        for turns, task in enumerate(tasks[:3]):
            for _ in range(turns * 3):
                await asyncio.sleep(0)
            task.cancel()
        gone = await soon(asyncio.gather(*tasks[:3], return_exceptions=True))
        assert [asyncio.CancelledError] * 3 == [type(answer) for answer in gone]
        (second,) = await _filled(backend, 1)
        assert [second] * 3 == await soon(asyncio.gather(*tasks[3:]))

    @pytest.mark.seed("1.5", "4.4")
    async def test_closing_ends_the_waiting(self, backend: Backend) -> None:
        """Who waits when the store is closed gets `Unavailable`, and so does who comes later."""
        (first,) = await _filled(backend, 1)
        waiting = [asyncio.ensure_future(backend.changed(first)) for _ in range(3)]
        await asyncio.sleep(0)
        await soon(backend.close())
        answers = await soon(asyncio.gather(*waiting, return_exceptions=True))
        assert [Unavailable] * 3 == [type(answer) for answer in answers]
        for call in (backend.changed(0), backend.changed(-1), backend.trim(1)):
            with pytest.raises(Unavailable):
                await soon(call)

    @pytest.mark.seed("8.3")
    async def test_old_commits_can_be_forgotten(self, backend: Backend) -> None:
        """Exactly those before the number go, and are counted once; records are untouched."""
        numbers = await _filled(backend, 20)
        before = await commits(backend)
        assert await soon(backend.trim(numbers[7])) == 7
        assert before[7:] == await commits(backend)
        assert before[7:] == await commits(backend, -1)
        assert await backend.trim(numbers[7]) == 0
        assert await backend.trim(numbers[3]) == 0
        assert await backend.trim(-5) == 0
        record = await read(backend, "n19")
        assert record is not None
        assert record.version == 1

    @pytest.mark.seed("8.3")
    async def test_the_newest_commit_stays_and_numbers_go_on(self, backend: Backend) -> None:
        """However much is forgotten, no number is given twice."""
        assert await backend.trim(100) == 0
        numbers = await _filled(backend, 5)
        assert await backend.trim(2**62) == 4
        assert numbers[-1:] == [commit.seq for commit in await commits(backend)]
        await _check_newest(backend, -1, newest=numbers[-1])
        (more,) = await _filled(backend, 1)
        assert more > numbers[-1]
        assert [numbers[-1], more] == [commit.seq for commit in await commits(backend)]

    @pytest.mark.seed("8.3", "4.5")
    async def test_who_is_behind_the_horizon_is_told(self, backend: Backend) -> None:
        """Where the next commits are gone the feed says so, and up to which number."""
        numbers = await _filled(backend, 12)
        await backend.trim(numbers[8])
        for after in (numbers[0], numbers[6]):
            with pytest.raises(NotFound) as caught:
                await commits(backend, after)
            told = caught.value
            assert (TRIMMED, after) == (told.code, told.facts["after"])
            assert told.facts["forgotten"] == numbers[7]
        for index in (7, 8, 10):
            assert numbers[index + 1 :] == [c.seq for c in await commits(backend, numbers[index])]

    @pytest.mark.seed("4.4", "8.3")
    async def test_answers_are_forgotten_with_their_commits(self, backend: Backend) -> None:
        """A batch sent again behind the horizon is a new one; before it, it is recognised."""
        batches = [Batch((put(f"n{n}"),)) for n in range(6)]
        answers = [await backend.apply(batch) for batch in batches]
        await backend.trim(answers[3].seq)
        assert [True] * 3 == [(await backend.apply(batch)).replayed for batch in batches[3:]]
        again = await backend.apply(batches[0])
        assert (False, (2,)) == (again.replayed, again.versions)
        assert again.seq > answers[-1].seq

    @pytest.mark.seed("4.5", "8.3")
    async def test_a_feed_is_never_told_with_a_gap(self, backend: Backend) -> None:
        """Who reads while others forget gets the next commit, or is told that it is gone."""
        numbers = await _filled(backend, 40)
        feed = backend.feed()
        told = [(await anext(feed)).seq for _ in range(3)]
        await soon(backend.trim(numbers[30]))
        try:
            told += [commit.seq async for commit in feed]
        except NotFound as error:
            assert error.code == TRIMMED  # noqa: PT017 (it may come or not)
        assert numbers[: len(told)] == told

    async def test_impossible_numbers_are_refused(self, backend: Backend) -> None:
        """What no commit can have is `Invalid`, naming the field."""
        with pytest.raises(Invalid, match="after"):
            await soon(backend.changed(2**63))
        with pytest.raises(Invalid, match="before"):
            await backend.trim(2**63)


async def _check_newest(backend: Backend, after: int, *, newest: int) -> None:
    """Check that the number returned is the newest, or one that has nothing to tell behind it."""
    told = await soon(backend.changed(after))
    assert told >= newest
    assert await commits(backend, told) == []
    assert newest == (await commits(backend))[-1].seq


async def _filled(backend: Backend, count: int) -> list[int]:
    """Commit so many batches; return their numbers."""
    return [(await backend.apply(Batch((put(f"n{n}"),)))).seq for n in range(count)]
