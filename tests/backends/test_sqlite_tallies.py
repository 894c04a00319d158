"""Sums of whole numbers take one plain statement, all others a second one that takes care."""

from __future__ import annotations

import pytest

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.labels import Label
from ropewalk.domain.limits import MAX_INT64, MIN_INT64
from ropewalk.domain.query import Query
from ropewalk.domain.tally import tally_records
from ropewalk.testing.samples import SPACE, assert_tallies, everything, put, write

WHOLE: dict[str, tuple[Label | None, ...]] = {
    "integers": (1, -2, 3),
    "integers and none": (7, None, 0),
    "none at all": (None, None),
    "to the edge": (MAX_INT64, MIN_INT64, 0),
}
ODD: dict[str, tuple[Label | None, ...]] = {
    "floats": (0.5, 1.25),
    "a float behind integers": (1, 2, 0.5),
    "whole floats": (1.0, 2.0),
    "a text": (1, "2"),
    "an empty text": (1, ""),
    "a bool": (1, True),
    "too great a sum": (MAX_INT64, 1),
    "too small a sum": (MIN_INT64, -1),
}


async def _statements(
    store: SqliteBackend, said: list[tuple[str, int]], values: tuple[Label | None, ...]
) -> int:
    """Add up labels, with and without groups, and return how many statements each took."""
    for number, value in enumerate(values):
        labels: dict[str, Label] = {"group": number % 2}
        if value is not None:
            labels["n"] = value
        await write(store, put(f"r{number}", session_id="s", labels=labels))
    query = Query(space=SPACE, session_id="s")
    there = await everything(store, query)
    counts: set[int] = set()
    for group_by in ((), ("labels.group",), ("kind",)):
        said.clear()
        found = await store.tally(query, ("n",), group_by)
        counts.add(sum("count(*)" in statement for statement, _ in said))
        assert_tallies(tally_records(there, ("n",), group_by), found)
    return max(counts)


@pytest.mark.seed("2.3", "6.3")
@pytest.mark.parametrize("case", WHOLE)
async def test_whole_numbers(said: list[tuple[str, int]], store: SqliteBackend, case: str) -> None:
    """One statement adds them up exactly."""
    assert 1 == await _statements(store, said, WHOLE[case])


@pytest.mark.seed("2.3", "6.3")
@pytest.mark.parametrize("case", ODD)
async def test_anything_else(said: list[tuple[str, int]], store: SqliteBackend, case: str) -> None:
    """The plain statement gives up, and the other one's answer is that of the definition."""
    assert 2 == await _statements(store, said, ODD[case])
