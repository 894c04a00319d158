"""What a back end with the power `feed` owes: every commit once, in order, with what it touched."""

from __future__ import annotations

import asyncio

import pytest

from ..domain.change import Batch, Changed, Check, Delete, Ensure, Put
from ..domain.clock import FrozenClock
from ..domain.errors import Conflict, Invalid
from ..domain.limits import MAX_INT64
from ..domain.ports import Backend
from ..domain.record import Key
from .backend_watch import WatchContract
from .samples import commits, key, last_seq, put, soon, write


class FeedContract(WatchContract):
    """`feed`: one row for each batch that changed something; and what follows from it."""

    @pytest.mark.seed("8.3")
    async def test_a_commit_says_who_when_and_what(
        self, backend: Backend, clock: FrozenClock
    ) -> None:
        """A row has the answer's number and time, the batch's id and actor, keys and versions."""
        await write(backend, put("old"), put("gone"))
        begin = clock.now()
        batch = Batch(
            (put("old"), put("new"), Delete(key=key("gone")), Ensure(key=key("node"), stamp=4)),
            id="batch \0 7",
            actor="Zoë",
        )
        applied = await backend.apply(batch)
        (told,) = await commits(backend, applied.seq - 1)
        assert ("batch \0 7", "Zoë") == (told.batch_id, told.actor)
        assert (applied.seq, applied.at) == (told.seq, told.at)
        assert begin <= told.at <= clock.now()
        expected = {
            Changed(key("old"), 2),
            Changed(key("new"), 1),
            Changed(key("gone"), 0),
            Changed(key("node"), 4),
        }
        assert expected == set(told.changes)
        assert len(told.changes) == 4

    @pytest.mark.seed("8.3")
    async def test_only_what_was_touched_is_told(self, backend: Backend) -> None:
        """Checks, absent deletes, spared records and lower stamps are in no row."""
        await write(backend, Ensure(key=key("node"), stamp=5), put("seen"))
        applied = await backend.apply(
            Batch(
                (
                    Check(key=key("seen"), expect=1),
                    Delete(key=key("absent")),
                    Delete(key=key("node"), at_most=2),
                    put("a"),
                )
            )
        )
        (told,) = await commits(backend, applied.seq - 1)
        assert (Changed(key("a"), 1),) == told.changes

    @pytest.mark.seed("8.3")
    async def test_what_changed_nothing_is_not_told(self, backend: Backend) -> None:
        """Conflicts, retries and batches without effect add no row."""
        batch = Batch((put("a", expect=0),))
        await backend.apply(batch)
        before = await commits(backend)
        await backend.apply(batch)
        await write(backend, Delete(key=key("absent")), Check(key=key("a"), expect=1))
        with pytest.raises(Conflict):
            await write(backend, put("b"), put("a", expect=7))
        assert before == await commits(backend)

    @pytest.mark.seed("8.3")
    async def test_the_feed_is_in_order_and_continues(self, backend: Backend) -> None:
        """Numbers rise strictly; from each number on, exactly what came after it is told."""
        batches = [Batch((put(f"n{n % 7}"),)) for n in range(150)]
        answers = [await backend.apply(batch) for batch in batches]
        told = await commits(backend)
        assert [batch.id for batch in batches] == [commit.batch_id for commit in told]
        numbers = [commit.seq for commit in told]
        assert sorted(set(numbers)) == numbers == [answer.seq for answer in answers]
        assert numbers[0] > 0
        for index in (0, 1, 70, 148, 149):
            assert told[index + 1 :] == await commits(backend, numbers[index])
        assert told == await commits(backend, -1)
        assert await commits(backend, numbers[-1] + 10) == []
        assert await commits(backend, MAX_INT64) == []

    @pytest.mark.seed("4.2", "8.3")
    async def test_a_big_commit_is_told_whole(self, backend: Backend) -> None:
        """A commit of a thousand changes is one row with a thousand keys."""
        keys = [key(f"n{n:03}") for n in range(1_000)]
        applied = await backend.apply(Batch(tuple(Put(key=key) for key in keys)))
        (told,) = await commits(backend)
        assert applied.seq == told.seq
        assert keys == sorted(change.key for change in told.changes)
        assert {1} == {change.version for change in told.changes}

    @pytest.mark.seed("5.3")
    async def test_the_feed_keeps_spaces_apart(self, backend: Backend) -> None:
        """Each key in a row carries its space and kind."""
        keys = [Key("a", "k", "x"), Key("b", "k", "x"), Key("a", "l", "x")]
        applied = await backend.apply(Batch(tuple(Put(key=key) for key in keys)))
        (told,) = await commits(backend, applied.seq - 1)
        assert sorted(keys) == sorted(change.key for change in told.changes)

    @pytest.mark.seed("8.3")
    async def test_an_expired_record_leaves_the_feed_silently(
        self, backend: Backend, clock: FrozenClock
    ) -> None:
        """Expiry is no commit; a new record over an expired one is, with version 1."""
        await write(backend, Put(key=key("a"), expires_at=clock.now() + 1_000))
        seq = await last_seq(backend)
        clock.advance(1_000)
        await write(backend, Delete(key=key("a")))
        assert await commits(backend, seq) == []
        await write(backend, put("a"))
        assert [(Changed(key("a"), 1),)] == [c.changes for c in await commits(backend, seq)]

    @pytest.mark.seed("4.4", "4.5")
    async def test_a_feed_may_be_left_and_written_beside(self, backend: Backend) -> None:
        """Writing while the feed is read, and leaving it half-way, keeps nobody waiting."""
        for n in range(30):
            await write(backend, put(f"n{n}"))
        feed = backend.feed()
        first = await anext(feed)
        await soon(write(backend, put("beside")))
        rest = [commit.seq async for commit in feed]
        assert len(rest) in (29, 30)
        assert first.seq < rest[0]
        async for _ in backend.feed():
            break
        await soon(write(backend, put("after")))

    @pytest.mark.seed("5.1", "8.3")
    async def test_commits_of_many_tasks_are_one_line(self, backend: Backend) -> None:
        """Sixty writers at once get sixty different numbers, in the order of the versions."""
        batches = [Batch((put("hot"), put(f"n{n}"))) for n in range(60)]
        answers = await soon(asyncio.gather(*[backend.apply(batch) for batch in batches]))
        by_seq = sorted(answers, key=lambda answer: answer.seq)
        assert [(n, 1) for n in range(1, 61)] == [answer.versions for answer in by_seq]
        assert len({answer.seq for answer in answers}) == 60
        assert [answer.seq for answer in by_seq] == [c.seq for c in await commits(backend)]

    async def test_a_number_beyond_64_bits_is_refused(self, backend: Backend) -> None:
        """A position that no commit can have is `Invalid`, naming the field."""
        with pytest.raises(Invalid, match="after"):
            await commits(backend, 2**63)
