"""Leases: one at a time, and nobody writes who lost it without knowing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from time import monotonic

import pytest

from ropewalk.domain.change import MAX_FENCES, Batch, Check, Delete
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Invalid, NotFound, Unavailable
from ropewalk.domain.limits import MAX_BATCH_CHANGES
from ropewalk.domain.memory import Name
from ropewalk.domain.record import Key
from ropewalk.services.leases.held import HeldLease
from ropewalk.services.storage import Storage
from ropewalk.testing.cancelling import Ended, cancel_everywhere

from ..leasing import DEADLINE, NAME, SECOND, note, until

pytestmark = [pytest.mark.seed("5.2"), pytest.mark.seed("5.5")]


@pytest.fixture(autouse=True)
def _awake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everybody look around often: the clock is moved by hand, and tells nobody."""
    monkeypatch.setattr("ropewalk.services.leases.acquisition._NAP", 0.03)
    monkeypatch.setattr("ropewalk.services.leases.held._LOOK", 0.02)


async def refused(held: HeldLease[Storage]) -> Conflict:
    """Try every way to write, see all of them refused, and return one of the errors."""
    before = await held.storage.kinds()
    with pytest.raises(Conflict) as caught:
        await note(held.storage, "by the handle")
    assert "lease_lost" == caught.value.code
    with pytest.raises(Conflict) as caught:
        async with held.unit() as unit:
            await unit.sessions.create(id="by a unit")
    assert "lease_lost" == caught.value.code
    with pytest.raises(Conflict) as caught:
        async with held.storage.unit() as outer, outer.unit() as inner:
            await inner.sessions.create(id="by a unit within a unit")
    assert "lease_lost" == caught.value.code
    assert before == await held.storage.kinds()
    assert not held.is_held
    return caught.value


async def test_one_at_a_time(storage: Storage) -> None:
    """Whoever comes second is told who has it and until when; afterwards it is free."""
    async with storage.lease(NAME, owner="first") as held:
        await note(held.storage, "a")
        async with held.unit() as unit:
            await unit.sessions.create(id="s")
        with pytest.raises(Unavailable) as caught:
            async with storage.lease(NAME, owner="second"):
                raise AssertionError
        assert held.is_held
        async with storage.lease("thread:t-2", owner="second") as other:
            await note(other.storage, "b")

    error = caught.value
    assert ("busy", "first", held.until) == (error.code, *map(error.facts.get, ("owner", "until")))
    assert "first" in error.message
    assert {"fence": 2, "note": 2, "session": 1} == await storage.kinds()
    async with storage.lease(NAME, owner="second") as held:
        assert (2, "second") == (held.token, held.owner)


@pytest.mark.seed("8.5")
async def test_a_paused_holder_writes_nothing(storage: Storage, clock: FrozenClock) -> None:
    """Beyond its time nothing is accepted, also where nobody has taken over yet."""
    async with storage.lease(NAME, ttl=30) as held:
        clock.advance(31 * SECOND)
        error = await refused(held)
        assert (None, 1) == (error.facts["owner"], error.facts["current"])
        async with storage.lease(NAME, owner="next") as following:
            await note(following.storage, "a")
            error = await refused(held)
        assert ("next", 2) == (error.facts["owner"], error.facts["current"])
        assert "'next' holds it now with token 2" in error.message

    assert {"fence": 1, "note": 1} == await storage.kinds()


async def test_no_module_writes_without_the_lease(storage: Storage) -> None:
    """Whatever way is taken, the error is the same, and nobody tries again in vain."""
    await storage.threads.create(id="t")
    async with storage.lease(NAME) as held:
        late = held.storage
        await storage.leases.release(NAME, force=True)
        before = await storage.kinds()
        ways: dict[str, Callable[[], Awaitable[object]]] = {
            "create": lambda: late.sessions.create(id="s"),
            "update": lambda: late.threads.update("t", title="late"),
            "ensure": lambda: late.threads.ensure("u"),
            "fork": lambda: late.threads.fork("t"),
            "message": lambda: late.history.add_message(
                thread_id="t", role="user", content="late", idempotency_key="k"
            ),
            "save": lambda: late.checkpoints.save("t", {"late": True}),
            "append": lambda: late.checkpoints.append("t", {"late": [1]}),
            "memory": lambda: late.memories.write([late.memories.draft(Name(("n",), "k"), {})]),
            "record": lambda: late.records.save({"id": "late", "type": "note"}),
            "lease": lambda: late.lease("other").__aenter__(),
            "transact": lambda: late.transact(lambda unit: unit.sessions.create(id="s")),
            "delete": lambda: late.threads.delete("t"),
        }
        for way, write in ways.items():
            begun = monotonic()
            with pytest.raises(Conflict) as caught:
                await write()
            assert "lease_lost" == caught.value.code, way
            assert monotonic() < begun + 5, way
        assert before == await storage.kinds()
    assert "" == (await storage.threads.get("t")).title


async def test_not_even_an_equal_token_will_do(storage: Storage, clock: FrozenClock) -> None:
    """A space that is deleted and used again counts from 1; old holders are shut out still."""
    space = storage.space("w")
    async with space.lease(NAME) as old:
        await storage.spaces.delete("w")
        clock.advance(SECOND)
        again = storage.space("w")
        async with again.lease(NAME) as new:
            assert old.token == new.token
            await refused(old)
            await note(new.storage, "a")


async def test_who_takes_over_shuts_the_other_out(storage: Storage) -> None:
    """From then on the token of the first is not enough, and it cannot give the lease back."""
    async with storage.lease(NAME, owner="first") as first:
        async with storage.lease(NAME, owner="second", when_busy="take_over") as second:
            assert first.token < second.token
            await refused(first)
            await asyncio.wait_for(first.lost.wait(), DEADLINE)
            with pytest.raises(Conflict, match="holds it now"):
                await first.renew()
            await first.release()
            await note(second.storage, "a")
            assert "second" == (await storage.leases.get(NAME)).owner
        await refused(first)


async def test_a_token_never_comes_back(storage: Storage, clock: FrozenClock) -> None:
    """Released, expired, taken away by hand: the next token is greater each time."""
    tokens: list[int] = []
    for how in ("released", "expired", "taken away", "released"):
        async with storage.lease(NAME) as held:
            tokens.append(held.token)
            if how == "expired":
                clock.advance(31 * SECOND)
            elif how == "taken away":
                assert await storage.leases.release(NAME, force=True)
                await refused(held)

    assert [1, 2, 3, 4] == tokens


async def test_a_lease_is_renewed_meanwhile(storage: Storage, clock: FrozenClock) -> None:
    """A holder that lives keeps its lease beyond its time, and has not to do anything for it."""
    async with storage.lease(NAME, ttl=30) as held:
        end = held.since + timedelta(seconds=30)
        for _ in range(3):
            clock.advance(15 * SECOND)
            was = held.until

            async def renewed(was: object = was) -> bool:
                return held.until != was

            await until(renewed)
        assert held.is_held
        assert end < held.until
        seen = await storage.leases.get(NAME)
        assert (held.since, held.until) == (seen.since, seen.until)
        assert seen.since < seen.renewed_at
        await note(held.storage, "a")

        was = held.until
        await held.renew()
        assert was < held.until


async def test_a_lost_lease_may_cancel_the_block(storage: Storage) -> None:
    """With cancel_when_lost the block ends at once, by a conflict and not by a cancellation."""
    begun = asyncio.Event()

    async def work() -> None:
        async with storage.lease(NAME, cancel_when_lost=True):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    async with storage.lease(NAME, owner="second", when_busy="take_over"):
        with pytest.raises(Conflict) as caught:
            await asyncio.wait_for(task, DEADLINE)
    assert ("lease_lost", "second") == (caught.value.code, caught.value.facts["owner"])


async def test_a_cancelled_block_stays_cancelled(storage: Storage) -> None:
    """A cancellation from outside is none by the lease, which is given back."""
    begun = asyncio.Event()

    async def work() -> None:
        async with storage.lease(NAME, cancel_when_lost=True):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert () == await storage.leases.list()


async def test_leases_are_visible(storage: Storage) -> None:
    """Who holds what, since when, until when; and nobody releases what is not his by mistake."""
    async with storage.lease("a", owner="x") as a, storage.lease("b", owner="y", ttl=5):
        rows = await storage.leases.list()
        assert [("a", "x"), ("b", "y")] == [(row.name, row.owner) for row in rows]
        assert [30, 5] == [round((row.until - row.since).total_seconds()) for row in rows]
        with pytest.raises(Conflict, match="force=True") as caught:
            await storage.leases.release("a", owner="y")
        assert "not_owner" == caught.value.code
        assert await storage.leases.release("a", owner="x")
        assert not await storage.leases.release("a")
        await refused(a)
        with pytest.raises(NotFound):
            await storage.leases.get("a")
        assert await storage.leases.interrupt("b", by="z")
        assert "z" == (await storage.leases.get("b")).wanted_by


async def test_a_released_lease_writes_nothing(storage: Storage) -> None:
    """Giving back before the block ends is the end of writing; doing it twice is no error."""
    async with storage.lease(NAME) as held:
        await held.release()
        await held.release()
        assert "was given back" in (await refused(held)).message


async def test_a_lease_within_a_lease(storage: Storage) -> None:
    """What is written under two leases needs both."""
    async with storage.lease("outer") as outer, outer.storage.lease("inner") as inner:
        await note(inner.storage, "a")
        async with inner.unit() as unit:
            await unit.sessions.create(id="s")
        await storage.leases.release("outer", force=True)
        await refused(outer)
        with pytest.raises(Conflict) as caught:
            await note(inner.storage, "b")
        assert "outer" == caught.value.facts["lease"]
        assert inner.is_held
        await storage.leases.release("inner", force=True)

    assert {"fence": 2, "note": 1, "session": 1} == await storage.kinds()


async def test_a_fence_is_no_expectation_of_the_callers(storage: Storage) -> None:
    """With the lease, conflicts are what they would be without; batches may be as long."""
    async with storage.lease(NAME) as held:
        await note(held.storage, "a")
        with pytest.raises(Conflict) as caught:
            await held.storage.records.save({"id": "a", "type": "note"}, expected_version=7)
        assert "version" == caught.value.code
        keys = [Key("default", "note", str(number)) for number in range(MAX_BATCH_CHANGES)]
        applied = await held.desk.commit([Delete(key=key) for key in keys])
        assert MAX_BATCH_CHANGES == len(applied.versions) == len(applied.previous)
    fences = [Check(key=key, labels={"token": 1}) for key in keys[: MAX_FENCES + 1]]
    rest = [Delete(key=key) for key in keys[MAX_FENCES + 1 :]]
    assert MAX_BATCH_CHANGES == len(Batch((*fences, *rest)).changes)
    with pytest.raises(Invalid, match="max_batch_changes"):
        Batch(
            (
                *fences,
                *rest,
                *(Delete(key=Key("default", "other", n)) for n in "abcdefghijklmnopqrst"),
            )
        )


async def test_what_makes_no_sense_is_refused(storage: Storage) -> None:
    """A bad time, a contradiction, an unknown choice: the error names it, nothing is written."""
    bad: list[tuple[str, Callable[[], object]]] = [
        ("ttl", lambda: storage.lease(NAME, ttl=0)),
        ("ttl", lambda: storage.lease(NAME, ttl=float("nan"))),
        ("wait", lambda: storage.lease(NAME, wait=-1)),
        ("wait", lambda: storage.lease(NAME, wait=1, when_busy="reject")),
        ("wait", lambda: storage.lease(NAME, wait=1, when_busy="take_over")),
        ("when_busy", lambda: storage.lease(NAME, when_busy="ask")),
        ("name", lambda: storage.lease("")),
        ("owner", lambda: storage.lease(NAME, owner="")),
    ]
    for field, make in bad:
        with pytest.raises(Invalid) as caught:
            async with make():  # type: ignore[attr-defined]
                raise AssertionError
        assert field == caught.value.facts["field"]
    with pytest.raises(Invalid, match="written by storage"):
        await storage.records.save({"id": NAME, "type": "lease"})

    assert {} == await storage.kinds()


@pytest.mark.seed("4.5")
@pytest.mark.parametrize("when_busy", ["wait", "take_over"])
async def test_cancelled_anywhere_nothing_is_left(storage: Storage, when_busy: str) -> None:
    """Wherever acquiring, writing and giving back is broken off: no lease, no ticket, no task."""

    async def work() -> None:
        async with storage.lease(NAME, when_busy=when_busy) as held:
            await note(held.storage, "a")

    async def after(ended: Ended[None]) -> None:
        assert () == await storage.leases.list(), str(ended)
        assert "ticket" not in await storage.kinds(), str(ended)

    assert await cancel_everywhere(work, after) >= 4
