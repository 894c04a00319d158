"""Random records, random queries: every back end answers as plain Python does."""

from __future__ import annotations

from math import isclose
from typing import Any

import pytest
from hypothesis import given

from ..trio import THOROUGH, Trio
from .questions import GROUPS, RECORDS, ROWS
from .wording import Groups, Rows

pytestmark = [pytest.mark.seed("2.3"), pytest.mark.seed("6.3")]


def same(expected: object, actual: object) -> bool:
    """Tell whether two values are equal and of one sort; floats may differ in the last digits."""
    if isinstance(expected, float) and isinstance(actual, int | float):
        return isclose(expected, actual, rel_tol=1e-12)
    return isinstance(expected, bool) == isinstance(actual, bool) and expected == actual


def check(trio: Trio, saved: list[dict[str, Any]], question: Rows | Groups) -> None:
    """Ask every back end, and compare its rows with those that plain Python makes."""
    text, params = question.write()
    for records in trio.stores():
        trio.run(records.save_many([{**one, "id": f"{n}"} for n, one in enumerate(saved)]))
        expected = question.answer(
            [row for row in trio.run(records.list()) if row["type"] == "note"]
        )
        actual = [list(row.values()) for row in trio.run(records.query(text, params))]
        assert len(expected) == len(actual), text
        for wanted, found in zip(expected, actual, strict=True):
            assert all(map(same, wanted, found)), (text, wanted, found)


@THOROUGH
@given(saved=RECORDS, question=ROWS)
def test_rows_are_chosen_calculated_and_sorted_alike(
    trio: Trio, saved: list[dict[str, Any]], question: Rows
) -> None:
    """SELECT, WHERE, ORDER BY, LIMIT and OFFSET mean what the page about them says."""
    check(trio, saved, question)


@THOROUGH
@given(saved=RECORDS, question=GROUPS)
def test_groups_are_formed_and_summed_alike(
    trio: Trio, saved: list[dict[str, Any]], question: Groups
) -> None:
    """GROUP BY, HAVING and the functions of many rows mean what the page about them says."""
    check(trio, saved, question)
