"""Random load for as long as one likes, by tasks of several processes, checked in rounds."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from random import Random
from time import monotonic_ns
from typing import Final

from ..domain.change import Commit
from ..domain.ports import Backend
from .histories import History, Listing, Transaction
from .recording import Recording, Tape, item
from .samples import commits
from .workload import ITEMS, Caller, any_act

ROUND: Final = 500_000_000
"""Nanoseconds after which everybody goes on to new items, so that histories stay short."""


async def put_load(
    backend: Backend,
    tape: Tape,
    *,
    name: str,
    tasks: int,
    begin: int,
    is_over: Callable[[], bool],
    seed: int = 0,
) -> None:
    """Let tasks work on an open store until it is over, and write on `tape` what they did.

    `begin` is a time of `time.monotonic_ns`, which on Linux all processes of a machine share:
    those that are given the same one work on the same items.
    """
    async with asyncio.TaskGroup() as group:
        for number in range(tasks):
            recording = Recording(backend, tape, who=f"{name}{number}")
            random = Random(f"load {seed} {name} {number}")  # noqa: S311 (repeatable)
            group.create_task(_live(recording, random, begin, is_over))


async def _live(
    recording: Recording, random: Random, begin: int, is_over: Callable[[], bool]
) -> None:
    caller = Caller(recording)
    while not is_over():
        caller.prefix = f"{(monotonic_ns() - begin) // ROUND}-"
        await caller.do(any_act(random.randrange))
        # A store may answer without waiting: the others want their turn all the same.
        await asyncio.sleep(0)


async def conclude(backend: Backend, tape: Tape, *, begin: int) -> list[Commit]:
    """Read all items of all rounds once more, and return the whole feed."""
    recording = Recording(backend, tape, who="last")
    for number in range((monotonic_ns() - begin) // ROUND + 1):
        await recording.get([item(f"{number}-{name}") for name in ITEMS])
    return await commits(backend)


def rounds(history: History) -> Iterator[History]:
    """Take a history of load apart into its rounds, which have no item in common."""
    transactions: dict[str, list[Transaction]] = defaultdict(list)
    for transaction in history.transactions:
        transactions[_round(transaction)].append(transaction)
    told: dict[str, list[Commit]] = defaultdict(list)
    for commit in history.commits or ():
        told[commit.changes[0].key.id.partition("-")[0]].append(commit)
    for name, part in transactions.items():
        yield History(tuple(part), None if history.commits is None else tuple(told[name]))


def _round(transaction: Transaction) -> str:
    for step in transaction.steps:
        if isinstance(step, Listing):
            return step.tag.partition("-")[0]
        return step.key.rpartition("/")[2].partition("-")[0]
    return ""
