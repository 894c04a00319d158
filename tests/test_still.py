"""`still` holds dictionaries and lists as they are, and nothing else."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ropewalk.still import still

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_JSON)
def test_what_is_still_is_the_same(value: Any) -> None:  # noqa: ANN401 (any JSON)
    """It is equal, with the same keys in the same order."""
    held = still(value)

    assert value == held
    assert repr(value) == repr(held)


def test_what_is_changed_afterwards_does_not_count() -> None:
    """Dictionaries and lists are copied at any depth that a program has."""
    value: dict[str, Any] = {"a": [1, {"b": []}], "c": {}}
    held = still(value)
    value["a"][1]["b"].append(2)
    value["c"]["d"] = 3

    assert {"a": [1, {"b": []}], "c": {}} == held


def test_other_objects_are_the_same_ones() -> None:
    """A subclass has more than its items, and tuples cannot be changed."""
    ordered = OrderedDict[str, list[int]](a=[1])
    pair = ([1],)
    held = still([ordered, pair])

    assert held[0] is ordered
    assert held[1] is pair


def test_other_objects_are_what_somebody_makes_of_them() -> None:
    """Texts, numbers and bytes cannot be changed; anything else goes to `other`, at any depth."""
    pair = ([1],)
    held = still({"a": [pair, "text", 1.5, b"bytes", None, True, 7]}, other=lambda value: [value])

    assert {"a": [[pair], "text", 1.5, b"bytes", None, True, 7]} == held


def test_what_has_no_end_is_held_as_far_as_it_is_read() -> None:
    """A list that holds itself is refused where it is written, and not here."""
    endless: list[Any] = []
    endless.append(endless)
    held = still(endless)

    assert held is not endless
    for _ in range(32):
        held = held[0]
    assert held is endless
