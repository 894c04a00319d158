"""Floats are added exactly and rounded once, whatever their order and size."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.record import Key, Record
from ropewalk.domain.tally import FloatSum, tally_records


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False, max_value=1e300, min_value=-1e300))
)
def test_it_answers_as_fsum_does(values: list[float]) -> None:
    """Wherever `math.fsum` has an answer, the running sum gives the same float."""
    total = FloatSum()
    for value in values:
        total.add(value)
    assert (len(values), math.fsum(values)) == (total.count, total.result())


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_beyond_all_floats_is_infinite(sign: int) -> None:
    """Two huge labels add up to infinity instead of failing, and back again to a number."""
    total = FloatSum()
    total.add(sign * 1.7e308)
    total.add(sign * 1.7e308)
    assert sign * math.inf == total.result()
    total.add(sign * -1.7e308)
    assert sign * 1.7e308 == total.result()


def test_a_tally_of_huge_floats_answers() -> None:
    """A tally whose float sum overflows says infinity; an integer beside it changes nothing."""
    records = [
        Record(key=Key("s", "k", f"{n}"), version=1, created_at=0, updated_at=0, labels={"x": x})
        for n, x in enumerate((1.7e308, 1.7e308, 1))
    ]
    (answer,) = tally_records(records, ("x",), ())
    assert (math.inf,) == answer.sums
