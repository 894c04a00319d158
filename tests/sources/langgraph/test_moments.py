"""Times that ids tell, and ids that are made of times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.checkpoint.base.id import uuid6

from ropewalk.domain.moment import EPOCH
from ropewalk.sources.langgraph.moments import as_id, of_id, read

pytestmark = pytest.mark.seed("7.2")

TIMES = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


def test_an_id_of_langgraph_says_when_it_was_made() -> None:
    """To the microsecond, as the ids are UUIDs of version 6."""
    before = datetime.now(UTC)
    made = of_id(str(uuid6(clock_seq=-1)))
    assert before - timedelta(seconds=1) <= made <= datetime.now(UTC) + timedelta(seconds=1)
    # The example of RFC 9562, A.5.
    example = "1EC9414C-232A-6B00-B3C8-9F6BDECED846"
    assert datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC) == of_id(example)


def test_other_ids_say_nothing() -> None:
    """Then it is 1970: at every reading the same."""
    others = ["1", "", "1f0", "2f1b2f2e-2b5e-4c9d-9d7c-2f1b2f2e2b5e"]
    assert [EPOCH] * 4 == [of_id(other) for other in others]


def test_a_number_is_seconds_since_1970() -> None:
    """A program that called a saver by itself wrote its clock; what is no time says nothing."""
    assert datetime(2025, 11, 15, 0, 2, 41, 520000, tzinfo=UTC) == read(1763164961.52)
    assert [None] * 4 == [read(other) for other in (float("nan"), 1e300, True, "soon")]


@given(TIMES)
def test_an_id_that_is_a_time_becomes_one_that_says_it(at: datetime) -> None:
    """The first savers named checkpoints so; the new id is always the same."""
    text = at.isoformat()
    made = as_id(text)
    assert (6, made) == (UUID(made).version, as_id(text))
    assert at == of_id(made) == of_id(text)


@given(TIMES, TIMES)
def test_ids_sort_as_their_times(one: datetime, other: datetime) -> None:
    """The newest checkpoint is still the newest."""
    ids = sorted([as_id(one.isoformat()), as_id(other.isoformat())])
    assert sorted([one, other]) == [of_id(id_) for id_ in ids]


def test_a_time_without_a_zone_is_utc() -> None:
    """As LangGraph wrote them; what is no time is none."""
    assert datetime(2024, 5, 4, 6, tzinfo=UTC) == read("2024-05-04T06:00:00")
    assert [None] * 3 == [read("soon"), read(None), read(5)]
    assert "not a time" == as_id("not a time")
