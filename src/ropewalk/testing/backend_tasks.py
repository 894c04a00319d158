"""What every back end owes many tasks at once: no lost update, no torn read, safe cancellation."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from ..domain.change import Batch
from ..domain.errors import Conflict
from ..domain.ports import Backend, Capability
from ..domain.query import Query
from .samples import (
    DEADLINE,
    SPACE,
    T,
    drain,
    everything,
    found,
    ids,
    key,
    put,
    soon,
    versions,
    write,
)

# Loop turns after which a caller is cancelled: each of the first, then ever rarer ones, as a
# store that works in threads may need thousands of turns.
MOMENTS = (*range(20), *(2**n for n in range(5, 14)))

# A store may answer at once, without letting the loop turn, but not for ever: so many calls take
# far longer than anybody may keep the loop.
CALLS = 10_000


class TaskContract:
    """Races end as if the batches had come one by one, and a cancelled caller harms nobody."""

    @pytest.mark.seed("5.1", "5.2")
    async def test_no_increment_is_lost(self, backend: Backend) -> None:
        """Fifty tasks that each add one by compare-and-set make fifty."""
        await write(backend, put("counter", b"0"))

        async def add_one() -> None:
            while True:
                record = await found(backend, "counter")
                total = int(record.body or b"") + 1
                with contextlib.suppress(Conflict):
                    await write(backend, put("counter", b"%d" % total, expect=record.version))
                    return

        await soon(asyncio.gather(*[add_one() for _ in range(50)]))
        record = await found(backend, "counter")
        assert (b"50", 51) == (record.body, record.version)

    @pytest.mark.seed("5.2")
    async def test_one_of_many_creators_wins(self, backend: Backend) -> None:
        """Of thirty tasks that create the same record exactly one succeeds, the others know it."""

        async def create(n: int) -> bool:
            try:
                await write(backend, put("prize", b"%d" % n, expect=0), put(f"winner-{n}"))
            except Conflict:
                return False
            return True

        won = await soon(asyncio.gather(*[create(n) for n in range(30)]))
        assert won.count(True) == 1
        winner = won.index(True)
        assert await ids(backend, Query(space=SPACE)) == ["prize", f"winner-{winner}"]
        assert (await found(backend, "prize")).body == b"%d" % winner

    @pytest.mark.seed("5.1", "8.3")
    async def test_a_read_is_of_one_moment(self, backend: Backend) -> None:
        """Two records that are always written together are always read equal."""
        await write(backend, put("left", b"0"), put("right", b"0"))
        done = asyncio.Event()

        async def turn_over() -> None:
            for n in range(1, 60):
                await write(backend, put("left", b"%d" % n), put("right", b"%d" % n))
            done.set()

        async def compare() -> int:
            looks = 0
            while not done.is_set():
                left, right = await backend.get([key("left"), key("right")])
                assert left is not None
                assert right is not None
                assert (left.body, left.version) == (right.body, right.version)
                looks += 1
            return looks

        _, *looks = await soon(asyncio.gather(turn_over(), *[compare() for _ in range(5)]))
        assert all(looks)

    @pytest.mark.seed("4.1")
    async def test_every_verb_lets_others_run(self, backend: Backend) -> None:
        """Whoever calls a verb again and again lets others run: none keeps the event loop."""
        query = Query(space=SPACE)
        verbs: dict[str, Callable[[], Awaitable[object]]] = {
            "apply": lambda: backend.apply(Batch((put("a"),))),
            "get": lambda: backend.get([key("a")]),
            "scan": lambda: drain(backend.scan(query)),
            "ping": backend.ping,
        }
        if Capability.TALLY in backend.capabilities:
            verbs["tally"] = lambda: backend.tally(query)
        if Capability.FEED in backend.capabilities:
            verbs["feed"] = lambda: drain(backend.feed())
        for name, verb in verbs.items():
            turned = asyncio.Event()
            asyncio.get_running_loop().call_soon(turned.set)
            # Not through a task of its own: that alone would let the loop turn.
            for _ in range(CALLS):
                await verb()
                if turned.is_set():
                    break
            else:
                pytest.fail(f"{name} did not let the event loop turn")

    @pytest.mark.seed("4.5", "8.3")
    async def test_a_cancelled_writer_leaves_all_or_nothing(self, backend: Backend) -> None:
        """Cancelled at whatever moment, a batch is there as a whole or not at all.

        Applying it again says which, and the store goes on at once.
        """
        for moment in MOMENTS:
            names = (f"left-{moment}", f"right-{moment}")
            batch = Batch(tuple(put(name, expect=0) for name in names))
            task = asyncio.ensure_future(backend.apply(batch))
            in_time = await _cancelled_after(task, moment)
            assert await soon(versions(backend, *names)) in ([0, 0], [1, 1])
            applied = await soon(backend.apply(batch))
            assert (1, 1) == applied.versions
            assert [1, 1] == await soon(versions(backend, *names))
            if not in_time:
                break

    @pytest.mark.seed("4.5")
    async def test_a_cancelled_reader_leaves_no_trace(self, backend: Backend) -> None:
        """Reads that are cancelled at whatever moment block neither reads nor writes after."""
        await write(backend, *[put(f"n{n}") for n in range(20)])
        query = Query(space=SPACE)
        reads: list[Callable[[], Awaitable[object]]] = [
            lambda: backend.get([key("n1")]),
            lambda: drain(backend.scan(query)),
        ]
        if Capability.TALLY in backend.capabilities:
            reads.append(lambda: backend.tally(query, (), ("kind",)))
        if Capability.FEED in backend.capabilities:
            reads.append(lambda: drain(backend.feed()))
        for make in reads:
            for moment in MOMENTS:
                in_time = await _cancelled_after(asyncio.ensure_future(make()), moment)
                await soon(write(backend, put("n1")))
                if not in_time:
                    break
        assert len(await soon(everything(backend, query))) == 20

    @pytest.mark.seed("4.5", "5.1")
    async def test_a_cancelled_writer_harms_no_other(self, backend: Backend) -> None:
        """Of forty writers at once half are cancelled: every other one succeeds, none hangs."""
        batches = [Batch((put(f"a{n:02}"), put(f"b{n:02}"))) for n in range(40)]
        for turns in range(4):
            tasks = [
                asyncio.ensure_future(backend.apply(replace(batch, id=f"{turns}-{batch.id}")))
                for batch in batches
            ]
            for _ in range(turns):
                await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            answers = await soon(asyncio.gather(*tasks, return_exceptions=True))
            refused = [answer for answer in answers[1::2] if isinstance(answer, BaseException)]
            assert refused == []
            for n in range(40):
                a, b = await versions(backend, f"a{n:02}", f"b{n:02}")
                assert a == b

    @pytest.mark.seed("4.4", "5.1")
    async def test_a_failing_writer_harms_no_other(self, backend: Backend) -> None:
        """Of forty writers at once half meet a conflict: every other one succeeds."""
        await write(backend, put("taken"))
        batches = [
            Batch((put(f"n{n:02}"), put("taken", expect=0)) if n % 2 else (put(f"n{n:02}"),))
            for n in range(40)
        ]
        answers = await soon(
            asyncio.gather(*[backend.apply(batch) for batch in batches], return_exceptions=True)
        )
        assert [n % 2 == 1 for n in range(40)] == [isinstance(a, Conflict) for a in answers]
        there = [*(f"n{n:02}" for n in range(0, 40, 2)), "taken"]
        assert there == sorted(await ids(backend, Query(space=SPACE)))


async def _cancelled_after(task: asyncio.Future[T], turns: int) -> bool:
    """Cancel a task after some turns of the loop, wait for its end, and say if it was in time."""
    for _ in range(turns):
        if task.done():
            break
        await asyncio.sleep(0)
    in_time = task.cancel()
    done, _ = await asyncio.wait([task], timeout=DEADLINE)
    assert done == {task}, f"the task hangs after it was cancelled in turn {turns}"
    assert task.cancelled() == in_time, f"the cancellation in turn {turns} was swallowed"
    return in_time
