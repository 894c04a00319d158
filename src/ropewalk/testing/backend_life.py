"""What every back end owes whoever opens it: a clear beginning, a clear end, honest powers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeAlias

import pytest

from ..domain.change import Batch, Delete, Put
from ..domain.clock import FrozenClock
from ..domain.errors import Invalid, NotFound, Unavailable
from ..domain.health import State
from ..domain.ports import Backend, Capability, require
from ..domain.query import Condition, Query
from ..domain.record import Key
from .samples import SPACE, commits, drain, everything, found, ids, key, put, read, soon, write

Reopen: TypeAlias = Callable[[], Awaitable[Backend]]
"""Close the store under test and open it again as another process would."""


@asynccontextmanager
async def reopening(backend: Backend, again: Callable[[], Backend]) -> AsyncGenerator[Reopen]:
    """Yield what closes the store of `backend` and opens the one that `again` makes in its place.

    The one that is open at the end is closed then: no test leaves threads or files behind.
    """
    last = backend

    async def reopen() -> Backend:
        nonlocal last
        await last.close()
        last = again()
        await last.open()
        return last

    try:
        yield reopen
    finally:
        await last.close()


class LifeContract:
    """`open`, `close`, `ping` and `capabilities`."""

    @pytest.mark.seed("2.5")
    async def test_an_open_store_is_healthy(self, backend: Backend) -> None:
        """`ping` says healthy, without reasons, before and after work."""
        before = await backend.ping()
        await write(backend, put("a"))
        after = await backend.ping()
        assert [(State.HEALTHY, ())] * 2 == [(h.state, h.reasons) for h in (before, after)]

    @pytest.mark.seed("2.5")
    async def test_a_closed_store_is_down(self, backend: Backend) -> None:
        """After `close`, `ping` raises nothing: it says down, and why."""
        await backend.close()
        health = await backend.ping()
        assert health.state is State.DOWN
        assert all(health.reasons)
        assert len(health.reasons) >= 1

    @pytest.mark.seed("1.5")
    async def test_every_verb_is_refused_after_close(self, backend: Backend) -> None:
        """A closed store answers each verb with `Unavailable`, not with an empty answer."""
        await write(backend, put("a"))
        await backend.close()
        query = Query(space=SPACE)
        verbs: list[Callable[[], Awaitable[object]]] = [
            lambda: backend.get([key("a")]),
            lambda: backend.apply(Batch((put("b"),))),
            lambda: drain(backend.scan(query)),
            lambda: drain(backend.scan(replace(query, limit=0))),
        ]
        if Capability.TALLY in backend.capabilities:
            verbs.append(lambda: backend.tally(query))
        if Capability.FEED in backend.capabilities:
            verbs.append(lambda: drain(backend.feed()))
        for verb in verbs:
            with pytest.raises(Unavailable):
                await soon(verb())

    async def test_opening_twice_changes_nothing(self, backend: Backend) -> None:
        """A second `open` is no error and loses nothing."""
        await write(backend, put("a"))
        await backend.open()
        assert await read(backend, "a") is not None

    async def test_closing_twice_is_no_error(self, backend: Backend) -> None:
        """`close` may be called again, also at the same time."""
        await soon(asyncio.gather(backend.close(), backend.close()))
        await soon(backend.close())

    @pytest.mark.seed("4.4")
    async def test_closing_during_a_scan(self, backend: Backend) -> None:
        """A scan that the close overtakes ends or raises `Unavailable`; it does not hang."""
        await write(backend, *[put(f"n{n:03}") for n in range(300)])
        scan = backend.scan(Query(space=SPACE))
        await anext(scan)
        await soon(backend.close())
        try:
            await soon(drain(scan))
        except Unavailable:
            return

    @pytest.mark.seed("4.4")
    async def test_closing_during_writes(self, backend: Backend) -> None:
        """Batches that a close overtakes are applied or refused with `Unavailable`; none hangs."""
        tasks = [asyncio.ensure_future(write(backend, put(f"n{n}"))) for n in range(30)]
        await asyncio.sleep(0)
        await soon(backend.close())
        answers = await soon(asyncio.gather(*tasks, return_exceptions=True))
        assert {(1,)} >= {answer for answer in answers if not isinstance(answer, BaseException)}
        errors = [answer for answer in answers if isinstance(answer, BaseException)]
        assert [Unavailable] * len(errors) == [type(error) for error in errors]

    @pytest.mark.seed("1.3")
    async def test_what_is_not_declared_is_refused(self, backend: Backend) -> None:
        """A power that is not declared is refused with `Invalid`, loudly, and never half done."""
        query = Query(space=SPACE)
        calls: list[tuple[Capability, Callable[[], Awaitable[object]]]] = [
            (Capability.FEED, lambda: drain(backend.feed())),
            (Capability.FEED, lambda: backend.changed(-1)),
            (Capability.FEED, lambda: backend.trim(0)),
            (Capability.TALLY, lambda: backend.tally(query)),
        ]
        for capability, call in calls:
            if capability in backend.capabilities:
                require(backend, capability)
                await call()
                continue
            with pytest.raises(Invalid) as caught:
                await call()
            assert caught.value.code == "unsupported"

    @pytest.mark.seed("1.3")
    async def test_a_declared_power_is_tested(self, backend: Backend) -> None:
        """Whoever declares a power takes the part of the contract that proves it."""
        parts = {
            Capability.FEED: "FeedContract",
            Capability.TALLY: "TallyContract",
            Capability.DURABLE: "DurableContract",
        }
        taken = {base.__name__ for base in type(self).__mro__}
        declared = [part for power, part in parts.items() if power in backend.capabilities]
        assert [part for part in declared if part not in taken] == []


class ExpiryContract:
    """A record is gone at the very instant it expires, and its key is free."""

    @pytest.mark.seed("1.3")
    async def test_a_record_is_invisible_from_its_instant_on(
        self, backend: Backend, clock: FrozenClock
    ) -> None:
        """At `expires_at` a record is gone for `get`, `scan` and expectations, not before."""
        await write(backend, _brief(clock, "a"), put("b"))
        query = Query(space=SPACE)
        clock.advance(999)
        assert await ids(backend, query) == ["a", "b"]
        assert (await found(backend, "a")).version == 1
        clock.advance(1)
        assert await ids(backend, query) == ["b"]
        assert await read(backend, "a") is None
        assert await ids(backend, replace(query, expired=True)) == ["a", "b"]

    @pytest.mark.seed("8.3")
    async def test_an_expired_key_is_free(self, backend: Backend, clock: FrozenClock) -> None:
        """A record made over an expired one begins at version 1, with nothing of the old."""
        await write(backend, _brief(clock, "a"))
        await write(backend, _brief(clock, "a"))
        clock.advance(1_000)
        applied = await backend.apply(Batch((put("a", b"new", expect=0),)))
        assert ((1,), (0,)) == (applied.versions, applied.previous)
        record = await found(backend, "a")
        assert (b"new", None, {}) == (record.body, record.expires_at, dict(record.labels))
        assert record.created_at == record.updated_at
        assert await ids(backend, Query(space=SPACE, expired=True)) == ["a"]
        assert await ids(backend, Query(space=SPACE, session_id="s", expired=True)) == []

    @pytest.mark.seed("1.3")
    async def test_an_expired_record_can_be_removed(
        self, backend: Backend, clock: FrozenClock
    ) -> None:
        """Deleting an expired record takes it off the store, though there was nothing to see."""
        await write(backend, _brief(clock, "a"), _brief(clock, "b"), _brief(clock, "c"))
        clock.advance(1_000)
        everyone = Query(space=SPACE, expired=True)
        applied = await backend.apply(
            Batch((Delete(key=key("a"), expect=0), Delete(key=key("b"), at_most=5)))
        )
        assert (0, (0, 0), (0, 0)) == (applied.seq, applied.versions, applied.previous)
        assert await ids(backend, everyone) == ["c"]

    @pytest.mark.seed("1.3")
    async def test_an_expiry_can_be_moved_and_searched(
        self, backend: Backend, clock: FrozenClock
    ) -> None:
        """A later put may lengthen or drop the expiry; what expired is found by its time."""
        await write(backend, _brief(clock, "a"), _brief(clock, "b"), _brief(clock, "c"))
        now = (await found(backend, "a")).created_at
        await write(backend, put("a"), replace(_brief(clock, "b"), expires_at=now + 9_000))
        clock.advance(1_000)
        assert await ids(backend, Query(space=SPACE)) == ["a", "b"]
        expired = Query(
            space=SPACE, expired=True, where=(Condition("expires_at", "le", now + 1_000),)
        )
        assert await ids(backend, expired) == ["c"]


class DurableContract:
    """What a back end with the power `durable` owes besides; it needs the fixture `reopen`."""

    @pytest.mark.seed("2.2")
    async def test_everything_is_there_after_reopening(
        self, backend: Backend, reopen: Reopen, clock: FrozenClock
    ) -> None:
        """Records, deletions, expiries and the feed are after opening as they were before."""
        await write(backend, put("a", b"1", labels={"n": 1, "t": True, "f": 1.0}, session_id="s"))
        await write(backend, put("b"), Put(key=Key("ö/..\0", "k", "\U0001f9f6"), body=b"\0"))
        await write(backend, Delete(key=key("b")), put("a", b"2", labels={"n": 2}))
        await write(backend, _brief(clock, "c"))
        query = Query(space=None)
        before = await everything(backend, query), await commits(backend)
        again = await reopen()
        assert before == (await everything(again, query), await commits(again))
        clock.advance(1_000)
        assert await read(again, "c") is None

    @pytest.mark.seed("4.4", "8.3")
    async def test_a_retry_after_reopening_is_recognised(
        self, backend: Backend, reopen: Reopen
    ) -> None:
        """A batch acknowledged before answers identically after, and its id stays taken."""
        batch = Batch((put("a", expect=0), Delete(key=key("x")), put("b", expect=0)))
        first = await backend.apply(batch)
        again = await reopen()
        assert replace(first, replayed=True) == await again.apply(batch)
        with pytest.raises(Invalid) as caught:
            await again.apply(replace(batch, changes=(put("c"),)))
        assert caught.value.code == "batch_id_reused"

    @pytest.mark.seed("8.3")
    async def test_numbers_go_on_after_reopening(self, backend: Backend, reopen: Reopen) -> None:
        """Versions and commit numbers continue; none is given twice."""
        first = await backend.apply(Batch((put("a"),)))
        again = await reopen()
        second = await again.apply(Batch((put("a", expect=1),)))
        assert (2,) == second.versions
        assert second.seq > first.seq
        await again.apply(Batch((Delete(key=key("a")),)))
        third = await reopen()
        assert (await third.apply(Batch((put("b"),)))).seq > second.seq + 1
        assert [1, 2, 0] == [
            change.version
            for commit in await commits(third)
            for change in commit.changes
            if change.key == key("a")
        ]

    @pytest.mark.seed("2.2", "8.3")
    async def test_what_is_forgotten_stays_forgotten(
        self, backend: Backend, reopen: Reopen
    ) -> None:
        """After trimming and reopening the feed begins where it did, and numbers go on."""
        seqs = [(await backend.apply(Batch((put(f"n{n}"),)))).seq for n in range(9)]
        assert await backend.trim(seqs[-1]) == 8
        again = await reopen()
        assert seqs[-1:] == [commit.seq for commit in await commits(again)]
        with pytest.raises(NotFound):
            await commits(again, seqs[2])
        more = (await again.apply(Batch((put("n0", expect=1),)))).seq
        assert more > seqs[-1]
        third = await reopen()
        assert [seqs[-1], more] == [commit.seq for commit in await commits(third)]
        assert more == await soon(third.changed(seqs[-1]))

    @pytest.mark.seed("8.3")
    async def test_what_was_acknowledged_outlives_a_close(
        self, backend: Backend, reopen: Reopen
    ) -> None:
        """Of batches that a close overtakes, exactly the acknowledged ones must be there after."""
        tasks = [
            asyncio.ensure_future(write(backend, put(f"a{n:02}"), put(f"b{n:02}")))
            for n in range(30)
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        again = await soon(reopen())
        answers = await soon(asyncio.gather(*tasks, return_exceptions=True))
        there = set(await ids(again, Query(space=SPACE)))
        for n, answer in enumerate(answers):
            pair = {f"a{n:02}", f"b{n:02}"}
            assert (pair & there) in (set(), pair)
            if not isinstance(answer, BaseException):
                assert pair <= there


def _brief(clock: FrozenClock, id: str) -> Put:
    """Return a put of a record that expires after a thousand microseconds."""
    return replace(put(id, labels={"n": 1}, session_id="s"), expires_at=clock.now() + 1_000)
