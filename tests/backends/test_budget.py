"""A budget is a number of milliseconds, and nothing else."""

from __future__ import annotations

import pytest

from ropewalk.backends.budget import milliseconds
from ropewalk.domain.errors import Invalid


@pytest.mark.parametrize("value", [-1, True, "x", None, "nan", float("inf"), "1 ms"])
def test_a_budget_is_a_number_of_milliseconds(value: object) -> None:
    """Anything else is refused by name."""
    with pytest.raises(Invalid, match="loop_budget"):
        milliseconds("loop_budget", value)
    assert [0.0, 2.5, 3.0] == [milliseconds("x", good) for good in (0, "2.5", 3)]
