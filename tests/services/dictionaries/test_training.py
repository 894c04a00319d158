"""Dictionaries are made in stages out of what is written, beside the writing, and once each."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from ropewalk.domain.leaning import DEFAULT_SIZE, LEAST_SIZE, MOST_SIZE
from ropewalk.domain.ports import Dictionary
from ropewalk.services.dictionaries.bodies import stages
from ropewalk.services.dictionaries.training import Plan, Stage, Training

PLAN: Plan[bytes] = Plan(
    stages=(Stage(10, 100), Stage(40, 200)), weigh=len, measure=len, longest=6, most=30
)


class Shelf:
    """Keeps what is adopted, in memory."""

    def __init__(self, *kept: Dictionary) -> None:
        self.kept = [*kept]
        self.refuses = False

    async def dictionary(self) -> Dictionary | None:
        """Return the last."""
        return self.kept[-1] if self.kept else None

    async def adopt(self, dictionary: Dictionary) -> None:
        """Keep one, unless it must not be."""
        if self.refuses:
            message = "not now"
            raise RuntimeError(message)
        self.kept.append(dictionary)


class Maker:
    """Makes dictionaries when it is told to, out of what it notes."""

    def __init__(self) -> None:
        self.calls: list[tuple[tuple[bytes, ...], int]] = []
        self.leave = threading.Event()
        self.gains = True

    def __call__(self, samples: Sequence[bytes], size: int) -> Dictionary | None:
        """Wait for leave, and make one of that size."""
        self.calls.append((tuple(samples), size))
        assert self.leave.wait(30)
        return Dictionary(f"{size}", bytes(size)) if self.gains else None


async def _thread_ends() -> None:
    for thread in threading.enumerate():
        if thread.name == "ropewalk-training":
            await asyncio.to_thread(thread.join)


async def test_each_stage_makes_one() -> None:
    """When enough was seen a thread makes it, writing goes on, and a later save adopts it."""
    shelf, make = Shelf(), Maker()
    training = Training(shelf, make, PLAN)
    await training.offer([b"aaaa", b"bbbb"])
    assert [] == make.calls
    await training.offer([b"cc", b"much too long"])
    assert [((b"aaaa", b"bbbb", b"cc"), 100)] == make.calls
    await training.offer([b"dddd"])
    assert (1, []) == (len(make.calls), shelf.kept)
    make.leave.set()
    await _thread_ends()
    await training.offer([b"eeee"])
    assert [100] == [len(made.content) for made in shelf.kept]
    assert [False] == [training.is_over]
    for _ in range(9):
        await training.offer([b"ffff"])
        await _thread_ends()
    await training.offer([])
    assert [100, 200] == [len(made.content) for made in shelf.kept]
    assert sum(map(len, make.calls[1][0])) < 30 + 6
    assert [True] == [training.is_over]
    await training.offer([b"gggg" * 100])
    assert 2 == len(make.calls)


async def test_it_goes_on_where_earlier_programs_were() -> None:
    """What a space has already is not made again."""
    for size, calls in ((100, [200]), (60, [200]), (40, [100]), (200, [])):
        make = Maker()
        make.leave.set()
        training = Training(Shelf(Dictionary("x", bytes(size))), make, PLAN)
        await training.offer([b"aaaa"] * 10)
        await _thread_ends()
        assert calls == [wanted for _, wanted in make.calls]
        assert training.is_over is not bool(calls)


async def test_what_gains_nothing_is_not_kept() -> None:
    """Then the next stage is tried."""
    shelf, make = Shelf(), Maker()
    make.gains = False
    make.leave.set()
    training = Training(shelf, make, PLAN)
    for _ in range(12):
        await training.offer([b"aaaa"])
        await _thread_ends()
    assert ([100, 200], []) == ([size for _, size in make.calls], shelf.kept)


async def test_what_was_refused_is_offered_again() -> None:
    """The caller is told, and nothing that was made is lost."""
    shelf, make = Shelf(), Maker()
    make.leave.set()
    shelf.refuses = True
    training = Training(shelf, make, PLAN)
    await training.offer([b"aaaa"] * 3)
    await _thread_ends()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="not now"):
            await training.offer([])
    shelf.refuses = False
    await training.offer([])
    assert [100] == [len(made.content) for made in shelf.kept]


def test_stages_end_with_the_size_that_is_set() -> None:
    """Never longer than that, one at least, and none where it is turned off."""
    told = {size: [stage.size for stage in stages(size)] for size in (0, 1_024, 20_000, 65_536)}
    assert {0: [], 1_024: [1_024], 20_000: [16_384, 20_000], 65_536: [16_384, 32_768, 65_536]} == (
        told
    )
    assert (1_024, 65_536, 2**20) == (LEAST_SIZE, DEFAULT_SIZE, MOST_SIZE)
    assert [16_384, 32_768, 2**20] == [stage.size for stage in stages(MOST_SIZE)]
