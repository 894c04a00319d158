"""The laws of merging: who did not change gives way, and reducers keep what both have done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.errors import Invalid
from ropewalk.domain.merge import Merged, Rules, three_way
from ropewalk.domain.reducers import ABSENT, REDUCERS
from ropewalk.testing.strategies import FEW

pytestmark = pytest.mark.seed("5.2")

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.text(max_size=2))
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)
DEFAULTS = st.sampled_from([None, *REDUCERS])
NUMBERS = st.one_of(st.integers(), st.decimals(allow_nan=False, allow_infinity=False, places=3))
ROWS = st.lists(st.sampled_from([1, True, "x", 2.5, None]), max_size=5)


def _merge(
    base: object,
    ours: object,
    theirs: object,
    fields: Mapping[str | tuple[str, ...], str] | None = None,
    default: str | None = None,
) -> Merged:
    return three_way(base, ours, theirs, rules=Rules.of(fields or {}, default))


def _written(value: object) -> str:
    # Told apart by their letters: True is not 1 and a NaN is itself.
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value)
        return repr(sorted((name, _written(item)) for name, item in pairs.items()))
    if isinstance(value, list):
        return f"[{', '.join(map(_written, cast('list[object]', value)))}]"
    return repr(value)


def _everything(*sides: object) -> object:
    return sides


@FEW
@given(base=VALUES, side=VALUES, default=DEFAULTS)
def test_who_did_not_change_gives_way(base: object, side: object, default: str | None) -> None:
    """merge(base, x, base) = x and merge(base, base, x) = x, whatever would decide."""
    for merged in (
        _merge(base, side, base, default=default),
        _merge(base, base, side, default=default),
    ):
        assert (_written(side), ()) == (_written(merged.value), merged.conflicts)


@FEW
@given(base=VALUES, side=VALUES)
def test_the_same_change_twice_is_one(base: object, side: object) -> None:
    """merge(base, x, x) = x without rules: there is nothing to decide."""
    merged = _merge(base, side, side)

    assert (_written(side), ()) == (_written(merged.value), merged.conflicts)


@FEW
@given(base=VALUES, ours=VALUES, theirs=VALUES)
def test_a_chosen_side_leaves_no_conflict(base: object, ours: object, theirs: object) -> None:
    """With `first` or `last` everything is decided, and each is the other one turned round."""
    first = _merge(base, ours, theirs, default="first")
    last = _merge(base, theirs, ours, default="last")

    assert ((), ()) == (first.conflicts, last.conflicts)
    assert _written(first.value) == _written(last.value)


@FEW
@given(base=NUMBERS, ours=NUMBERS, theirs=NUMBERS, name=st.sampled_from(["sum", "max", "min"]))
def test_reducers_of_numbers_do_not_care_who_was_first(
    base: Decimal, ours: Decimal, theirs: Decimal, name: str
) -> None:
    """sum, max and min are commutative, and of integers a sum is what both have added."""
    one = _merge(base, ours, theirs, default=name)
    other = _merge(base, theirs, ours, default=name)

    assert one.conflicts == other.conflicts
    if not one.conflicts:
        assert one.value == other.value
    if name == "sum" and all(isinstance(n, int) for n in (base, ours, theirs)):
        assert base + (ours - base) + (theirs - base) == one.value


@FEW
@given(base=ROWS, ours=ROWS, theirs=ROWS)
def test_a_union_is_a_set_of_both(
    base: list[object], ours: list[object], theirs: list[object]
) -> None:
    """Union is commutative but for order, keeps what was added and drops what was removed."""

    def bag(items: list[object]) -> set[str]:
        return {repr(item) for item in items}

    old, own, new = bag(base), bag(ours), bag(theirs)
    if base in (ours, theirs):
        return
    merged: list[object] = _merge(base, ours, theirs, default="union").value

    assert bag(merged) == bag(_merge(base, theirs, ours, default="union").value)
    assert (own & new) | (own - old) | (new - old) == bag(merged)
    assert len(merged) == len(bag(merged))


@FEW
@given(base=ROWS, ours=ROWS, theirs=ROWS)
def test_appending_keeps_every_item(
    base: list[object], ours: list[object], theirs: list[object]
) -> None:
    """Append has what ours has, then what theirs has added; nothing is lost or doubled."""
    merged = _merge(base, [*base, *ours], [*base, *theirs], default="append")

    assert ([*base, *ours, *theirs], ()) == (merged.value, merged.conflicts)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "how", "taken"),
    [
        (5, 6, 6, "sum", 7),
        ([1], [1, 2], [1, 2], "append", [1, 2, 2]),
        (ABSENT, 1, 2, "sum", 3),
        (None, [1], (2,), "append", [1, 2]),
        ({1}, {1, 2}, {3}, "union", {2, 3}),
        ((1,), (1, 2), [1, 3], "union", (1, 2, 3)),
        (
            [{"a": 1}],
            [{"a": 1}, {"b": 2}],
            [{"b": 2}, {"b": True}],
            "union",
            [{"b": 2}, {"b": True}],
        ),
        ("a", "b", "c", "max", "c"),
        (3, None, 1, "min", 1),
        (0, 1, 2, _everything, (0, 1, 2)),
    ],
)
def test_a_reducer_decides(
    base: object,
    ours: object,
    theirs: object,
    how: str | Callable[[Any, Any, Any], Any],
    taken: object,
) -> None:
    """Each reducer means what it says, also where both changed alike or nothing stood there."""
    merged = three_way({"k": base}, {"k": ours}, {"k": theirs}, rules=Rules.of({"k": how}))

    assert ({"k": taken}, ()) == (merged.value, merged.conflicts)


@pytest.mark.parametrize(
    ("how", "ours", "theirs"),
    [
        ("append", [2], [1, 3]),
        ("append", "ab", "ac"),
        ("union", {"a": 1}, {"b": 1}),
        ("sum", True, 3),
        ("sum", Decimal(1), 0.5),
        ("max", "a", 1),
    ],
)
def test_what_a_reducer_cannot_do_is_in_conflict(how: str, ours: object, theirs: object) -> None:
    """A reducer does not guess: what it has no answer for is reported, and ours stays."""
    merged = _merge({"k": [1]}, {"k": ours}, {"k": theirs}, {"k": how})

    assert ({"k": ours}, ("k",)) == (merged.value, merged.conflicts)


def test_paths_lead_inwards() -> None:
    """Rules name nested places, any key by `*`, and a key with a dot by a tuple."""
    rules = Rules.of({"agents.*.n": "sum", ("a.b", "c"): "union", "gone": "last"}, "first")
    base: dict[str, Any] = {"agents": {"x": {"n": 1}}, "a.b": {"c": [1]}, "gone": 1, "t": 0}
    ours = {"agents": {"x": {"n": 2}}, "a.b": {"c": [1, 2]}, "gone": 2, "t": 1}
    theirs = {"agents": {"x": {"n": 3}, "y": {"n": 9}}, "a.b": {"c": [1, 3]}, "t": 2}

    merged = three_way(base, ours, theirs, rules=rules)

    assert {"agents": {"x": {"n": 4}, "y": {"n": 9}}, "a.b": {"c": [1, 2, 3]}, "t": 1} == (
        merged.value
    )
    assert {
        "agents.x.n": "sum",
        "agents.y": "theirs",
        "a.b.c": "union",
        "gone": "last",
        "t": "first",
    } == {choice.path: choice.how for choice in merged.choices}


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        ({"a": 1}, {"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {"a": 2}, {"a": 2}, {"a": 2}),
        ({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 2}, {"a": 2, "b": 2}),
        ({"a": {"x": 1}}, {"a": {"x": 1, "y": 2}}, {"a": {"x": 3}}, {"a": {"x": 3, "y": 2}}),
        ({"a": 1, "b": 1}, {"b": 1}, {"a": 1, "b": 2}, {"b": 2}),
        ({}, {"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        (None, {"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
    ],
)
def test_changes_of_different_places_both_count(
    base: object, ours: object, theirs: object, merged: object
) -> None:
    """Dictionaries are merged key by key, also where there was none; nothing is in conflict."""
    result = _merge(base, ours, theirs)

    assert (merged, ()) == (result.value, result.conflicts)


def test_types_count() -> None:
    """What is equal in Python but not the same is a change: True is not 1."""
    assert {"a": True} == _merge({"a": 1}, {"a": 1}, {"a": True}).value
    assert ("a",) == _merge({"a": 1}, {"a": True}, {"a": 1.0}).conflicts


def test_an_unknown_reducer_is_refused() -> None:
    """The error names the reducers that there are nearest to it."""
    with pytest.raises(Invalid, match="union"):
        Rules.of({"a": "unoin"})
