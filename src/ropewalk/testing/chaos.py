"""Many tasks at once on one store, cancelled at random; afterwards every promise is checked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from time import monotonic
from typing import Any, Final, TypeVar

from ..domain.change import Batch, Put
from ..domain.errors import Conflict, Unavailable
from ..domain.ports import Backend, Capability
from ..domain.query import NEWEST_FIRST, Condition, Query
from ..domain.record import Key
from ..layers.base import stop
from .books import (
    ACCOUNT_KEYS,
    ACCOUNTS,
    ALL_ACCOUNTS,
    ALL_RECEIPTS,
    SPACE,
    START,
    Ledger,
    audit,
    balance,
    opening,
    transfer,
)
from .samples import last_seq

T = TypeVar("T")

CANCELLED: Final = 0.3
"""The share of the pieces of work that are cancelled on their way."""

SOON: Final = 0.01
"""Seconds within which such a piece is cancelled, where not within a few turns of the loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosReport:
    """What happened, and what is wrong: `hung` must be 0 and `broken` empty.

    `transfers` were acknowledged, `conflicts` refused, `cancelled` pieces of work broken off;
    `reads` are gets, scans, tallies and feeds; `unavailable` counts failures that may pass.
    """

    tasks: int
    seconds: float
    transfers: int
    conflicts: int
    cancelled: int
    reads: int
    unavailable: int
    hung: int
    broken: tuple[str, ...]


async def chaos(
    backend: Backend,
    *,
    seconds: float = 2.0,
    rounds: int | None = None,
    tasks: int = 200,
    seed: int = 0,
    patience: float = 60.0,
) -> ChaosReport:
    """Let many tasks move money at once in an open, empty store, then audit the books.

    Each task does pieces of random work for `seconds`, or until it has done `rounds` of them:
    transfers between accounts that expect the versions read, reads of all accounts, scans left
    half-way, tallies, feeds. Three of ten pieces are cancelled at a random moment. A piece that
    has not ended after `patience` seconds counts as hung, and ends the run. The work is drawn by
    `seed`; which task is faster is up to the machine.
    """
    begin = monotonic()
    crowd = _Crowd(backend, until=begin + seconds, patience=patience)
    await _patiently(lambda: backend.apply(opening()))
    work = [
        asyncio.create_task(crowd.live(n, rounds, Random(f"{seed}-{n}")))  # noqa: S311 (repeatable)
        for n in range(tasks)
    ]
    _, hung = await asyncio.wait(work, timeout=seconds + 2 * patience)
    for task in hung:
        task.cancel()
    failed = [task for task in work if task not in hung and task.exception() is not None]
    for task in failed:
        await task
    broken = list(crowd.broken)
    if not hung and not crowd.counts["hung"]:
        # Last of all a write: what was left in flight by cancelled callers lies behind it.
        broken += await _patiently(lambda: _epilogue(backend))
        broken += await _patiently(lambda: audit(backend, crowd.ledger))
    counts = crowd.counts
    return ChaosReport(
        tasks=tasks,
        seconds=monotonic() - begin,
        transfers=len(crowd.ledger.acknowledged),
        conflicts=len(crowd.ledger.refused),
        cancelled=counts["cancelled"],
        reads=counts["reads"],
        unavailable=counts["unavailable"],
        hung=max(len(hung), counts["hung"]),
        broken=tuple(broken),
    )


class _Crowd:
    """The tasks, and what they know together."""

    def __init__(self, backend: Backend, *, until: float, patience: float) -> None:
        self._backend = backend
        self._until = until
        self._patience = patience
        self.ledger = Ledger()
        self.counts: Counter[str] = Counter()
        self.broken: list[str] = []

    async def live(self, number: int, rounds: int | None, random: Random) -> None:
        """Do one piece of work after the other until the time or the rounds are over."""
        kinds = [self._transfer] * 6 + [self._look, self._browse]
        if Capability.TALLY in self._backend.capabilities:
            kinds.append(self._tally)
        if Capability.FEED in self._backend.capabilities:
            kinds.append(self._follow)
        done = 0
        while monotonic() < self._until and done != rounds and not self.counts["hung"]:
            kind = random.choice(kinds)
            await self._attempt(kind.__name__, kind(random, f"task-{number}"), random)
            done += 1
            # A store may answer without waiting: the others want their turn all the same.
            await asyncio.sleep(0)

    async def _attempt(self, name: str, work: Coroutine[Any, Any, None], random: Random) -> None:
        """Do a piece of work, or begin it and cancel it on its way."""
        task = asyncio.create_task(work)
        if random.random() < CANCELLED:
            await _disturb(task, random)
        done, _ = await asyncio.wait([task], timeout=self._patience)
        if not done:
            self.counts["hung"] += 1
            self.broken.append(f"{name} did not end in {self._patience} seconds")
            task.cancel()
        elif task.cancelled():
            self.counts["cancelled"] += 1
        elif isinstance(error := task.exception(), Unavailable):
            self.counts["unavailable"] += 1
        elif error is not None:
            raise error

    async def _transfer(self, random: Random, actor: str) -> None:
        pair = random.sample(ACCOUNT_KEYS, 2)
        giver, taker = await self._backend.get(pair)
        if giver is None or taker is None:
            self.broken.append(f"one of {pair} is not there")
            return
        amount = random.randint(1, 50)
        batch = transfer(giver, taker, amount, random=random, actor=actor)
        try:
            await self._apply(batch)
        except (asyncio.CancelledError, Unavailable):
            # Not known: asking again tells, and half of the callers do ask.
            if random.random() < 1 / 2:
                await asyncio.shield(asyncio.ensure_future(self._ask_again(batch)))
            raise

    async def _apply(self, batch: Batch) -> None:
        try:
            applied = await self._backend.apply(batch)
        except Conflict:
            self.ledger.refused.add(batch.id)
        else:
            self.ledger.acknowledged[batch.id] = applied

    async def _ask_again(self, batch: Batch) -> None:
        while True:
            try:
                await self._apply(batch)
            except Unavailable:
                self.counts["unavailable"] += 1
            else:
                return

    async def _look(self, random: Random, actor: str) -> None:
        del random, actor
        accounts = [record for record in await self._backend.get(ACCOUNT_KEYS) if record]
        self._compare_total("get", sum(map(balance, accounts)))

    async def _browse(self, random: Random, actor: str) -> None:
        del actor
        giver = Condition("labels.giver", "eq", random.choice(ACCOUNT_KEYS).id)
        asked = Query(
            space=SPACE, kinds=("receipt",), where=(giver,), order=NEWEST_FIRST, bodies=False
        )
        wanted = random.randint(0, 20)
        scan = self._backend.scan(random.choice((asked, ALL_RECEIPTS, ALL_ACCOUNTS)))
        seen: set[Key] = set()
        try:
            async for record in scan:
                if record.key in seen:
                    self.broken.append(f"a scan gave {record.key} twice")
                seen.add(record.key)
                if len(seen) >= wanted:
                    break
        finally:
            await stop(scan)
        self.counts["reads"] += 1

    async def _tally(self, random: Random, actor: str) -> None:
        del random, actor
        (answer,) = await self._backend.tally(ALL_ACCOUNTS, ("balance",))
        self._compare_total("tally", answer.sums[0])

    async def _follow(self, random: Random, actor: str) -> None:
        del actor
        after = last = random.choice((0, len(self.ledger.acknowledged)))
        wanted = random.randint(1, 50)
        feed = self._backend.feed(after)
        try:
            async for commit in feed:
                if commit.seq <= last:
                    self.broken.append(f"the feed told {commit.seq} behind {last}")
                last = commit.seq
                wanted -= 1
                if not wanted:
                    break
        finally:
            await stop(feed)
        self.counts["reads"] += 1

    def _compare_total(self, verb: str, total: float) -> None:
        self.counts["reads"] += 1
        if total != ACCOUNTS * START:
            self.broken.append(f"{verb} saw {total} in the accounts, not {ACCOUNTS * START}")


async def _disturb(task: asyncio.Task[None], random: Random) -> None:
    """Cancel a task after a few turns of the loop, or after some milliseconds."""
    if random.random() < 1 / 2:
        for _ in range(random.randint(0, 30)):
            await asyncio.sleep(0)
        task.cancel()
    else:
        handle = asyncio.get_running_loop().call_later(random.random() * SOON, task.cancel)
        task.add_done_callback(lambda _: handle.cancel())


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Call again where the store says that trying again may help."""
    for _ in range(1_000):
        with suppress(Unavailable):
            return await call()
    return await call()


async def _epilogue(backend: Backend) -> list[str]:
    """Return what is wrong with the store for whoever comes after the chaos."""
    before = await last_seq(backend) if Capability.FEED in backend.capabilities else 0
    key = Key("epilogue", "note", "x")
    applied = await backend.apply(Batch((Put(key=key, body=b"after"),)))
    (record,) = await backend.get([key])
    wrong: list[str] = []
    if applied.seq <= before:
        wrong.append(f"the commit after the chaos is {applied.seq}, not beyond {before}")
    if record is None or record.body != b"after":
        wrong.append("what was written after the chaos cannot be read")
    return wrong
