"""Instants are exact in both directions, and a time without a zone is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.errors import Invalid
from ropewalk.domain.moment import EPOCH, from_micros, to_micros

ZONES = st.integers(-23 * 60, 23 * 60).map(lambda m: timezone(timedelta(minutes=m)))


@given(st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1), timezones=ZONES))
def test_an_instant_survives_the_trip(moment: datetime) -> None:
    """To the microsecond, from any zone, before and after 1970."""
    again = from_micros(to_micros(moment))
    assert (moment, UTC) == (again, again.tzinfo)
    assert (moment - EPOCH) == timedelta(microseconds=to_micros(moment))


@given(st.datetimes(timezones=ZONES), st.datetimes(timezones=ZONES))
def test_micros_sort_as_instants_do(left: datetime, right: datetime) -> None:
    """Order is that of the instants, whatever the zones."""
    assert (left < right) == (to_micros(left) < to_micros(right))


def test_known_instants() -> None:
    """1970 is 0, and what lies before is negative."""
    assert 0 == to_micros(EPOCH)
    assert -1 == to_micros(EPOCH - timedelta(microseconds=1))
    assert 1_750_000_000_000_000 == to_micros(datetime(2025, 6, 15, 15, 6, 40, tzinfo=UTC))


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        (datetime(2025, 1, 1), "naive_time"),
        (date(2025, 1, 1), "bad_type"),
        (1_750_000_000, "bad_type"),
        ("2025-01-01T00:00:00Z", "bad_type"),
        (None, "bad_type"),
    ],
)
def test_what_is_no_instant_is_refused(moment: object, code: str) -> None:
    """A naive datetime, a date, a number or a text is `Invalid`, naming the field."""
    with pytest.raises(Invalid, match="created_at") as caught:
        to_micros(moment, field="created_at")
    assert code == caught.value.code


@pytest.mark.parametrize("micros", [-(2**63), 2**63 - 1, 2**200, 253_402_300_800_000_000])
def test_instants_outside_the_calendar_are_refused(micros: int) -> None:
    """Years before 1 and after 9999 are `Invalid`, not an overflow."""
    with pytest.raises(Invalid, match="years 1 to 9999"):
        from_micros(micros, field="created_at")
