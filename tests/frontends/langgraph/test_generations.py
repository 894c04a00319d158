"""What is asked for stays, what is not goes, and the room is bounded."""

from __future__ import annotations

import pytest

from ropewalk.frontends.langgraph.generations import MOST, Generations

pytestmark = pytest.mark.seed("3.4")

MEBIBYTE = 1024 * 1024


def test_what_is_asked_for_stays() -> None:
    """However much else is kept meanwhile, while everything else goes in time."""
    kept: Generations[int, str] = Generations()
    kept.keep(-1, "here", weight=MEBIBYTE)
    for number in range(200):
        kept.keep(number, "there", weight=MEBIBYTE)
        assert "here" == kept.get(-1)

    there = [number for number in range(200) if kept.get(number) == "there"]
    assert 199 in there
    assert len(there) <= 32
    assert kept.turns > 10


def test_a_key_is_new_once() -> None:
    """It is forgotten with the second question, and when too many others were asked about."""
    kept: Generations[int, str] = Generations()

    assert [True, False, True, False] == [kept.is_new(1) for _ in range(4)]
    assert kept.is_new(1)
    assert MOST == sum(kept.is_new(number) for number in range(2, MOST + 2))
    assert kept.is_new(1)
