"""`transact`: a unit of work is run again until it meets nobody, and nobody waits for ever."""

from __future__ import annotations

import asyncio

import pytest

from ropewalk.domain.errors import Conflict
from ropewalk.domain.policy import LastWins, Reject, Retry
from ropewalk.services.precedence import Precedence
from ropewalk.services.storage import Storage
from ropewalk.services.unit import Unit

pytestmark = pytest.mark.seed("5.2")

QUICK = Retry(first=0.0001, longest=0.001)


async def _account(storage: Storage, id: str, n: int) -> None:
    await storage.records.save({"id": id, "type": "account", "data": {"n": n}})


async def _balance(storage: Storage | Unit, id: str) -> int:
    return int((await storage.records.load(id, type="account") or {})["data"]["n"])


@pytest.mark.seed("5.1")
async def test_concurrent_transfers_all_go_through(storage: Storage) -> None:
    """Eight workflows that move money between three accounts lose nothing and nobody gives up."""
    for name in "abc":
        await _account(storage, name, 100)

    async def move(source: str, target: str) -> int:
        async def work(unit: Unit) -> int:
            for id, change in ((source, -1), (target, 1)):
                n = await _balance(unit, id) + change
                await unit.records.update(id, {"data": {"n": n}}, type="account")
            return 1

        return sum([await storage.transact(work) for _ in range(5)])

    pairs = [("a", "b"), ("b", "c"), ("a", "c"), ("a", "b")] * 2
    assert [5] * 8 == await asyncio.gather(*[move(*pair) for pair in pairs])

    assert [70, 110, 120] == [await _balance(storage, name) for name in "abc"]


async def _meet(storage: Storage, unit: Unit, times: list[int]) -> None:
    """Change an account in a unit while somebody else does, as often as `times` says."""
    n = await _balance(unit, "a")
    await unit.records.update("a", {"data": {"n": n + 1}}, type="account")
    if times:
        times.pop()
        await _account(storage, "a", n + 10)


async def test_a_late_unit_is_run_again(storage: Storage) -> None:
    """The work is done anew on what others have written, and its last result is returned."""
    await _account(storage, "a", 0)
    times = [0, 0, 0]

    async def work(unit: Unit) -> str:
        await _meet(storage, unit, times)
        return f"saw {await _balance(unit, 'a')}"

    assert "saw 31" == await storage.transact(work, policy=QUICK)
    assert 31 == await _balance(storage, "a")


@pytest.mark.parametrize(
    ("policy", "runs"),
    [(Retry(attempts=3, first=0.0001), 3), (Reject(), 1), (Retry(deadline=1e-9), 1)],
)
async def test_patience_ends(storage: Storage, policy: Retry | Reject, runs: int) -> None:
    """After so many attempts, or so much time, the last conflict is raised; nothing is written."""
    await _account(storage, "a", 0)
    times = [0] * 10

    with pytest.raises(Conflict) as caught:
        await storage.transact(lambda unit: _meet(storage, unit, times), policy=policy)

    assert 10 - runs == len(times)
    assert [f"tried {runs} times"] == caught.value.__notes__
    assert 10 * runs == await _balance(storage, "a")


async def test_a_policy_decides_before_anything_is_run_again(storage: Storage) -> None:
    """Under another policy than `Retry` a changed record is settled without a second run."""
    await _account(storage, "a", 0)
    times = [0]

    await storage.transact(lambda unit: _meet(storage, unit, times), policy=LastWins())

    assert 1 == await _balance(storage, "a")


async def test_a_conflict_of_the_work_itself_is_final(storage: Storage) -> None:
    """What would conflict again each time is raised at once, if nobody was in the way."""
    await storage.sessions.create(id="taken")
    runs: list[int] = []

    async def work(unit: Unit) -> None:
        runs.append(1)
        await unit.sessions.create(id="taken")

    with pytest.raises(Conflict) as caught:
        await storage.transact(work)

    assert ("exists", 1) == (caught.value.code, len(runs))


async def test_a_conflict_from_a_stale_view_is_not_final(storage: Storage) -> None:
    """Where what the work had read has changed, its own conflict may be due to that."""
    await storage.sessions.create(id="s")
    runs: list[int] = []

    async def work(unit: Unit) -> str:
        runs.append(1)
        session = await unit.sessions.get("s")
        if len(runs) == 1:
            await storage.sessions.update("s", title="now")
            raise Conflict(f"{session.title!r} does not suit me")
        return session.title

    assert "now" == await storage.transact(work, policy=QUICK)


@pytest.mark.seed("4.5")
async def test_a_cancelled_transaction_leaves_nothing(storage: Storage) -> None:
    """Whoever is cancelled on the way has written nothing and holds nobody up."""
    await _account(storage, "a", 0)
    begun = asyncio.Event()

    async def stuck(unit: Unit) -> None:
        await _meet(storage, unit, [0] if not begun.is_set() else [])
        if begun.is_set():
            await asyncio.Event().wait()
        begun.set()

    task = asyncio.create_task(storage.transact(stuck, policy=QUICK))
    await begun.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    times = [0]
    await storage.transact(lambda unit: _meet(storage, unit, times), policy=QUICK)
    assert 21 == await _balance(storage, "a")


async def test_losers_come_in_turn() -> None:
    """One at a time has his turn, in the order of coming; it is free again however he ends."""
    precedence = Precedence()
    order: asyncio.Queue[int] = asyncio.Queue()

    async def lose(n: int, go: asyncio.Event) -> None:
        async with precedence.turn(patience=60) as came:
            assert came
            order.put_nowait(n)
            await go.wait()

    gates = [asyncio.Event() for _ in range(4)]
    tasks = [asyncio.create_task(lose(n, gate)) for n, gate in enumerate(gates)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    for n in (0, 2, 3):
        assert n == await order.get()
        gates[n].set()
    await asyncio.gather(tasks[0], tasks[2], tasks[3])

    assert order.empty()
    async with precedence.turn(patience=0.01) as came:
        assert came


async def test_a_turn_is_no_condition() -> None:
    """Whose patience ends goes on without a turn, so two who wait for each other are not stuck."""
    precedence = Precedence()

    async with precedence.turn(patience=60), precedence.turn(patience=0.001) as came:
        assert not came


async def test_newcomers_let_losers_go_first(storage: Storage) -> None:
    """Who has not lost waits a moment while others stand in line, and then goes on all the same."""
    await _account(storage, "a", 0)
    order: list[str] = []
    lost, go = asyncio.Event(), asyncio.Event()
    times = [0]

    async def loser(unit: Unit) -> None:
        if not times:
            lost.set()
            await go.wait()
            order.append("loser")
        await _meet(storage, unit, times)

    async def newcomer(unit: Unit) -> None:
        order.append("newcomer")
        await unit.sessions.create(id="new")

    first = asyncio.create_task(storage.transact(loser, policy=QUICK))
    await lost.wait()
    second = asyncio.create_task(storage.transact(newcomer))
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(first, second)
    assert ["loser", "newcomer"] == order
