"""A tally counts and sums by group, exactly where that is possible."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.errors import Invalid
from ropewalk.domain.labels import Label
from ropewalk.domain.record import Key, Record
from ropewalk.domain.tally import (
    DAY,
    GROUP_FIELDS,
    MICROSECONDS_PER_DAY,
    Tally,
    check_tally,
    tally_records,
)
from ropewalk.testing.strategies import LABELS


def record(number: int, labels: dict[str, Label], *, created_at: int = 0) -> Record:
    """Return a record of a session in which every other one has a thread."""
    return Record(
        key=Key("s", "k", str(number)),
        version=1,
        created_at=created_at,
        updated_at=0,
        session_id="x",
        thread_id="t" if number % 2 else None,
        labels=labels,
    )


@pytest.mark.seed("6.3")
def test_without_groups_there_is_one() -> None:
    """Of no records too: a sum over nothing is 0."""
    assert [Tally((), 0, (0, 0))] == tally_records([], ["a", "b"], [])
    assert tally_records([], ["a"], ["kind"]) == []
    assert [Tally((), 2, (5,))] == tally_records(
        [record(1, {"a": 2}), record(2, {"a": 3})], ["a"], []
    )


@pytest.mark.seed("6.3")
def test_groups_are_sorted_and_counted() -> None:
    """Absent comes first; 1 and 1.0 are one group, shown as an integer; `True` is another."""
    values: list[Label] = ["b", 1.0, True, 1, 0.5, False]
    records = [record(n, {"g": value, "v": n}) for n, value in enumerate(values)]
    answer = tally_records([*records, record(6, {"v": 6})], ["v"], ["labels.g"])
    assert [
        ((None,), 1, (6,)),
        ((False,), 1, (5,)),
        ((True,), 1, (2,)),
        ((0.5,), 1, (4,)),
        ((1,), 2, (4,)),
        (("b",), 1, (0,)),
    ] == [(tally.group, tally.count, tally.sums) for tally in answer]
    assert [int] == [
        type(tally.group[0]) for tally in answer if tally.group[0] == 1 and tally.count == 2
    ]


def test_days_are_floored() -> None:
    """The microsecond before 1970 belongs to day -1."""
    times = [-1, 0, MICROSECONDS_PER_DAY - 1, MICROSECONDS_PER_DAY]
    records = [record(n, {}, created_at=at) for n, at in enumerate(times)]
    assert [((-1,), 1), ((0,), 2), ((1,), 1)] == [
        (tally.group, tally.count) for tally in tally_records(records, [], [DAY])
    ]


@pytest.mark.seed("6.3")
def test_sums_are_exact_integers_until_a_float_comes() -> None:
    """Beyond 64 bits too; a float makes a float; texts, bools and absence add nothing."""
    records = [record(n, {"big": 2**63 - 1, "text": "1", "flag": True}) for n in range(3)]
    (answer,) = tally_records(records, ["big", "text", "flag", "none"], [])
    assert (3 * (2**63 - 1), 0, 0, 0) == answer.sums
    assert {int} == {type(total) for total in answer.sums}
    (mixed,) = tally_records([*records, record(9, {"big": 0.5})], ["big"], [])
    assert [float] == [type(total) for total in mixed.sums]


@pytest.mark.seed("6.3")
@given(
    st.lists(LABELS, max_size=12),
    st.lists(st.sampled_from([*sorted(GROUP_FIELDS), "labels.n", "labels.N"]), max_size=2),
)
def test_groups_part_the_records(labels: list[dict[str, Label]], group_by: list[str]) -> None:
    """Every record is in exactly one group, and the groups' sums make the whole sum."""
    records = [
        record(n, each, created_at=n * MICROSECONDS_PER_DAY // 3) for n, each in enumerate(labels)
    ]
    groups = tally_records(records, ["n"], group_by)
    (whole,) = tally_records(records, ["n"], [])
    assert whole.count == sum(tally.count for tally in groups)
    if group_by:
        assert all(tally.count for tally in groups)
        assert len({str(tally.group) for tally in groups}) == len(groups)
    parts = sum(Fraction(tally.sums[0]) for tally in groups)
    assert abs(parts - Fraction(whole.sums[0])) <= abs(Fraction(10) ** 5)
    if all(isinstance(each.get("n"), int | str | None) for each in labels):
        assert parts == whole.sums[0]


@given(st.lists(LABELS, max_size=6))
def test_the_order_of_records_does_not_matter(labels: list[dict[str, Label]]) -> None:
    """Any order of the records gives the same answer, to the last bit."""
    records = [record(n, each) for n, each in enumerate(labels)]
    expected = tally_records(records, ["n", "a.b"], ["labels.N", "thread_id"])
    for shuffled in itertools.islice(itertools.permutations(records), 12):
        assert expected == tally_records(shuffled, ["n", "a.b"], ["labels.N", "thread_id"])


def test_unknown_groups_and_nameless_sums_are_refused() -> None:
    """The refusal names what is unknown and lists what is known."""
    check_tally(["a", "a.b"], [*GROUP_FIELDS, "labels.x"])
    with pytest.raises(Invalid, match=r"'colour'.*created_day"):
        check_tally([], ["colour"])
    with pytest.raises(Invalid, match="group_by"):
        check_tally([], ["labels."])
    with pytest.raises(Invalid, match="sum"):
        check_tally([""], [])
