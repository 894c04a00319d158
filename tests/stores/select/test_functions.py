"""The functions whose meaning is ours: letters, patterns, days."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.stores.select import functions

from .oracle import matches

pytestmark = [pytest.mark.seed("2.3")]


@given(text=st.text("abAB%_!é\0\n.*", max_size=8), pattern=st.text("abA%_!é\0\n.*", max_size=6))
def test_a_pattern_means_what_trying_everything_finds(text: str, pattern: str) -> None:
    """The quick matcher agrees with one that tries every way, for every text and pattern."""
    assert matches(text, pattern) == bool(functions.like(text, pattern, "!"))


def test_only_ascii_letters_have_a_case() -> None:
    """What a build of SQLite or a locale thinks of other letters does not matter."""
    assert ("aé\0z", "Aé\0Z", 4) == (
        functions.lower("Aé\0Z"),
        functions.upper("aé\0z"),
        functions.length("Aé\0z"),
    )
    assert (1, 0, 0) == (
        functions.like("K", "k", ""),
        functions.like("\N{KELVIN SIGN}", "k", ""),
        functions.like("É", "é", ""),
    )


def test_nothing_stays_nothing() -> None:
    """NULL in, NULL out."""
    for function in (functions.lower, functions.upper, functions.length):
        assert function(None) is None
    assert functions.by_day(None) is None
    assert functions.by_hour(None) is None
    assert functions.like(None, "a", "") is None
    assert functions.like("a", None, "") is None


@pytest.mark.parametrize(
    ("micros", "hour"),
    [
        (0, "1970-01-01T00"),
        (-1, "1969-12-31T23"),
        (1_767_355_200_000_000, "2026-01-02T12"),
        (1_767_355_200_000_000.5, "2026-01-02T12"),
        (-62_135_596_800_000_000, "0001-01-01T00"),
        (-62_135_596_800_000_001, None),
        (2**63 - 1, None),
        (float("inf"), None),
        (1e300, None),
    ],
)
def test_days_and_hours_are_those_of_utc(micros: float, hour: str | None) -> None:
    """Rounded down, also before 1970; NULL where no calendar goes."""
    assert hour == functions.by_hour(micros)
    assert (hour and hour[:10]) == functions.by_day(micros)


def test_no_pattern_takes_for_ever() -> None:
    """A pattern that would bring a backtracking matcher down is decided at once."""
    text, pattern = "a" * 5_000, "%a" * 60 + "%b"
    begun = time.process_time()
    assert 0 == functions.like(text, pattern, "")
    assert time.process_time() - begun < 1
