"""Clocks rise strictly, and ids sort by the time they were made."""

from __future__ import annotations

import time

import pytest

from ropewalk.domain.clock import FrozenClock, SystemClock
from ropewalk.domain.ports import Clock


@pytest.mark.parametrize("clock", [SystemClock(), FrozenClock()], ids=["system", "frozen"])
def test_a_clock_rises_strictly(clock: Clock) -> None:
    """No two looks give the same microsecond, and none goes back."""
    looks = [clock.now() for _ in range(10_000)]
    assert sorted(set(looks)) == looks
    assert isinstance(clock, Clock)


@pytest.mark.parametrize("clock", [SystemClock(), FrozenClock()], ids=["system", "frozen"])
def test_ids_are_new_and_sort_by_their_making(clock: Clock) -> None:
    """Ids made in a row sort in that row, are 32 hexadecimal digits, and never repeat."""
    ids = [clock.new_id() for _ in range(10_000)]
    assert sorted(set(ids)) == ids
    assert {32} == {len(id) for id in ids}
    assert set("".join(ids)) <= set("0123456789abcdef")


def test_the_system_clock_tells_the_time() -> None:
    """Microseconds since 1970, as the machine has it."""
    before = time.time_ns() // 1_000
    told = SystemClock().now()
    assert before <= told <= time.time_ns() // 1_000 + 1


def test_system_ids_are_uuids_of_version_seven() -> None:
    """RFC 9562: the time in front, version 7, and the variant's bits."""
    before = time.time_ns() // 1_000_000
    id = SystemClock().new_id()
    assert before <= int(id[:12], 16) <= time.time_ns() // 1_000_000
    assert "7" == id[12]
    assert id[16] in "89ab"


def test_ids_of_two_clocks_do_not_meet() -> None:
    """Two processes that make ids at the same time make different ones."""
    left, right = SystemClock(), SystemClock()
    assert 2_000 == len({clock.new_id() for clock in (left, right) for _ in range(1_000)})


def test_a_frozen_clock_moves_by_hand() -> None:
    """It steps by its tick at each look, by `advance` as far as asked, and not otherwise."""
    still = FrozenClock(100, tick=0)
    assert [100, 100] == [still.now(), still.now()]
    still.advance(50)
    assert 150 == still.now()
    ticking = FrozenClock(100, tick=3)
    assert [100, 103, 106] == [ticking.now() for _ in range(3)]


def test_frozen_ids_are_predictable() -> None:
    """The same clock makes the same ids, so that a demonstration looks alike each time."""
    assert [FrozenClock(5_000).new_id() for _ in range(2)] == ["0000000000057" + "0" * 18 + "1"] * 2
