"""Fields of every type are read as the types that entities have, and what is odd is told."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from ropewalk.domain.legacy.fields import Fields, Times, fit
from ropewalk.domain.money import Money

from ...sources.legacy.writing import ZONE

TIMES = Times(ZONE)


def fields(value: object) -> Fields:
    """Make an object with one field, `x`."""
    return Fields({"x": value}, TIMES)


@pytest.mark.seed("7.1")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-11-07T10:00:00", datetime(2025, 11, 7, 2, tzinfo=UTC)),
        ("2025-11-07T10:00:00.000001", datetime(2025, 11, 7, 2, 0, 0, 1, tzinfo=UTC)),
        ("2025-11-07T10:00:00+00:00", datetime(2025, 11, 7, 10, tzinfo=UTC)),
        ("2025-11-07T10:00:00Z", datetime(2025, 11, 7, 10, tzinfo=UTC)),
        (1763164961.520501, datetime(2025, 11, 15, 0, 2, 41, 520501, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_times_without_an_offset_are_local(text: object, expected: datetime) -> None:
    """A time without an offset means the zone given; one with an offset means what it says."""
    assert expected == TIMES.read(text)


@pytest.mark.parametrize(
    "value",
    ["", "yesterday", "2025-13-01", "0001-01-01T00:00:00", 1e300, float("nan"), True, None, {}],
)
def test_what_is_no_time_is_none(value: object) -> None:
    """Nothing is made up, and nothing overflows."""
    assert TIMES.read(value) is None


def test_times_follow_the_clock_changes_of_a_zone() -> None:
    """A zone with summer time gives each local time its own offset."""
    berlin = Times(ZoneInfo("Europe/Berlin"))
    summer, winter = berlin.read("2025-07-01T12:00:00"), berlin.read("2025-12-01T12:00:00")
    assert (10, 11) == (summer and summer.hour, winter and winter.hour)


def test_times_are_written_as_they_were_read() -> None:
    """A local time survives the way to UTC and back."""
    for text in ("2025-11-07T10:00:00", "2025-11-07T10:00:00.000001"):
        moment = TIMES.read(text)
        assert moment is not None
        assert text == TIMES.write(moment)


@pytest.mark.parametrize(
    ("value", "nanos"),
    [
        (0.30000000000000004, 300_000_000),
        (0.30000000100000007, 300_000_001),
        (1e-09, 1),
        (5e-10, 0),
        (1.5e-9, 2),
        (2.5e-9, 2),
        (-0.07138, -71_380_000),
        (3, 3_000_000_000),
        (None, 0),
    ],
)
def test_money_is_the_decimal_that_was_written(value: object, nanos: int) -> None:
    """A float counts as its digits, rounded half-even to nano-units."""
    read = fields(value)
    assert Money(nanos, "EUR") == read.money("x", "EUR")
    assert {} == read.odd


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300, 10**40, "1.5", True, [1]])
def test_what_is_no_money_is_told(value: object) -> None:
    """An amount that nobody can keep becomes 0, and is told."""
    read = fields(value)
    assert Money(0) == read.money("x", "USD")
    assert {"x"} == read.odd.keys()


@pytest.mark.parametrize(
    ("value", "code", "odd"),
    [(None, "USD", False), ("CNY", "CNY", False), (" eur", "EUR", False), ("¥", "XXX", True)],
)
def test_currencies_are_codes(value: object, code: str, odd: bool) -> None:
    """A code in small letters is one; a sign is none, and then the amount has no currency."""
    read = fields(value)
    assert (code, odd) == (read.currency("x"), bool(read.odd))


@pytest.mark.parametrize(
    ("value", "count", "odd"),
    [
        (3, 3, False),
        (3.0, 3, False),
        (None, 0, False),
        (3.5, 0, True),
        ("3", 0, True),
        (True, 0, True),
        (2**63, 0, True),
        (float("inf"), 0, True),
    ],
)
def test_counts_are_integers_of_64_bits(value: object, count: int, odd: bool) -> None:
    """What cannot be counted is 0, and is told."""
    read = fields(value)
    assert (count, odd) == (read.count("x"), bool(read.odd))


@pytest.mark.parametrize(
    ("value", "number", "odd"),
    [
        (12.5, 12.5, False),
        (1, 1.0, False),
        (None, 7.0, False),
        (float("nan"), 7.0, True),
        ("1", 7.0, True),
        (10**400, 7.0, True),
        (False, 7.0, True),
    ],
)
def test_numbers_are_finite(value: object, number: float, odd: bool) -> None:
    """What cannot be summed takes the default, and is told."""
    read = fields(value)
    assert (number, odd) == (read.number("x", 7.0), bool(read.odd))


@pytest.mark.parametrize(
    ("value", "word", "odd"),
    [
        ("gpt-4", "gpt-4", False),
        ("", "", False),
        (None, "unknown", False),
        ("a\ud83db", "a\ufffdb", True),
        ({"a": 1}, '{"a": 1}', True),
        ("é" * 3000, "é" * 2048, True),
    ],
)
def test_words_fit_into_labels(value: object, word: str, odd: bool) -> None:
    """A word is valid Unicode of at most 4,096 bytes, and no character is cut in two."""
    read = fields(value)
    assert (word, odd) == (read.word("x", "unknown"), bool(read.odd))


@pytest.mark.parametrize("value", ["", "\ud83d", "x" * 2000, 5, ["a"]])
def test_what_cannot_be_an_id_is_no_link(value: object) -> None:
    """A reference that no record could have is none, and is told."""
    read = fields(value)
    assert (None, {"x"}) == (read.link("x"), set(read.odd))


def test_contents_keep_half_a_pair_of_surrogates() -> None:
    """Only words are made valid; what people wrote stays as it is."""
    assert "a\ud83d" == fields("a\ud83d").text("x")
    assert "\ufeffa" == fit("\ufeffa", 10)
    assert Decimal(0) == fields(None).money("x", "USD").amount
