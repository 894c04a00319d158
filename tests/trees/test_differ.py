"""Two states are compared by what differs: found, told, and put into operations."""

from __future__ import annotations

import copy
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.diff import Diff, Difference, Steps
from ropewalk.domain.patch import Operation, as_json
from ropewalk.testing.values import same
from ropewalk.trees.differ import compared, differ
from ropewalk.trees.read import TreeReader
from ropewalk.trees.root import WHOLE, Root

from .growing import EDITS, STATES, Edit, Value, edited, items_of, small_trees, text_keys, words
from .shelf import Shelf
from .test_split import MANY, TYPED


def planted(shelf: Shelf, state: object) -> Root:
    """Write a state as a writer of states does."""
    pairs = text_keys(state)
    if pairs is not None:
        slots = {key: shelf.write(value)[0] for key, value in pairs.items()}
        return Root("", 0, is_dict=True, slots=slots)
    return Root("", 0, is_dict=False, slots={WHOLE: shelf.write(state)[0]})


def diff_of(shelf: Shelf, old: object, new: object) -> Diff:
    """Compare two states through their trees; `asked` is then what the comparison read."""
    return between(shelf, planted(shelf, old), planted(shelf, new))


def between(shelf: Shelf, old: Root, new: Root) -> Diff:
    """Compare two states that are written already."""
    shelf.asked = 0
    found = shelf.read(differ(TreeReader(shelf.values), old, new))
    return Diff(old_id="a", new_id="b", differences=found)


def patched(value: Any, operations: list[Operation]) -> Any:  # noqa: ANN401 (JSON)
    """Apply the three operations that are used, by the letter of RFC 6902."""
    box = [copy.deepcopy(value)]
    for operation in operations:
        pointer = str(operation["path"])
        steps = [s.replace("~1", "/").replace("~0", "~") for s in pointer.split("/")[1:]]
        here: Any = box
        for step in ["0", *steps][: len(steps)]:
            here = here[step if text_keys(here) is not None else int(step)]
        last, what = ["0", *steps][-1], operation["op"]
        assert what in ("add", "remove", "replace")
        pairs = text_keys(here)
        if pairs is not None:
            assert what == "add" or last in pairs
            here.pop(last, None)
            if what != "remove":
                here[last] = operation["value"]
            continue
        items = cast("list[Any]", here)
        at = len(items) if last == "-" else int(last)
        assert at < len(items) or (what == "add" and at == len(items))
        items[at : at + (what != "add")] = [] if what == "remove" else [operation["value"]]
    return box[0]


def sorted_keys(value: Any) -> Any:  # noqa: ANN401 (JSON)
    """Return JSON with its keys in order, because their order means nothing there."""
    pairs = text_keys(value)
    if pairs is not None:
        return {key: sorted_keys(pairs[key]) for key in sorted(pairs)}
    items = items_of(value)
    return value if items is None else [sorted_keys(item) for item in items]


def check(shelf: Shelf, old: Value, new: Value) -> None:
    """Compare through trees and at hand: patches fit, and equal states have no difference."""
    found = diff_of(shelf, old, new)
    assert (shelf.values.dumps(old) == shelf.values.dumps(new)) == (not found.differences)
    at_hand = compared(TreeReader(shelf.values), old, new)
    for diff in (found, Diff(old_id="a", new_id="b", differences=at_hand)):
        before, after = as_json(old), as_json(new)
        result = patched(before, diff.json_patch())
        assert same(sorted_keys(after), sorted_keys(result))
        assert len(diff.differences) == str(diff).count("\n") + bool(diff.differences)


@given(value=STATES, edits=st.lists(EDITS, min_size=1, max_size=4))
@MANY
def test_patches_make_the_new_state_of_the_old(value: Value, edits: list[Edit]) -> None:
    """For any change of any state, in trees of tiny nodes."""
    new = value
    for edit in edits:
        new = edited(new, edit)
    shelf = Shelf(TYPED)
    with small_trees():
        check(shelf, value, new)
        check(shelf, {"a": value, "b": 1}, {"b": 1, "a": new})


@given(old=STATES, new=STATES)
@MANY
def test_patches_fit_states_that_have_nothing_in_common(old: Value, new: Value) -> None:
    """The same from anything to anything."""
    with small_trees():
        check(Shelf(TYPED), old, new)


NUMBERS = st.lists(st.integers(0, 6), max_size=60)


@given(old=NUMBERS, new=NUMBERS)
@MANY
def test_patches_fit_lists_of_the_same_items_again_and_again(
    old: list[int], new: list[int]
) -> None:
    """Where equal nodes stand in many places."""
    with small_trees():
        check(Shelf(TYPED), old, new)
        check(Shelf(TYPED), {"a": [[n] for n in old]}, {"a": [[n] for n in new]})


def message(number: int, role: str = "user") -> dict[str, Value]:
    """Return a message."""
    return {"role": role, "content": words(number, 200), "number": number}


MESSAGES = [message(number) for number in range(10_000)]


def change(items: list[Value], at: int, value: Value) -> list[Value]:
    """Return the items with another one at one place."""
    return [*items[:at], value, *items[at + 1 :]]


CASES: list[tuple[str, list[Value], list[str], int]] = [
    ("append", [*MESSAGES, message(-1, "assistant")], ["messages +1 (assistant)"], 30),
    (
        "appends",
        [*MESSAGES, message(-1, "assistant"), message(-2, "tool"), message(-3, "tool")],
        ["messages +3 (assistant, 2 tool)"],
        30,
    ),
    (
        "insert",
        [*MESSAGES[:5_000], message(-1), *MESSAGES[5_000:]],
        ["messages[5000] +1 (user)"],
        30,
    ),
    ("cut", [*MESSAGES[:100], *MESSAGES[102:]], ["messages[100] -2 (2 user)"], 30),
    (
        "change",
        change(MESSAGES, 7_000, {**MESSAGES[7_000], "number": "x"}),
        ["messages[7000].number 7000 → x"],
        30,
    ),
    (
        "far apart",
        [*change(MESSAGES, 9, {**MESSAGES[9], "new": 1}), message(-1)],
        ["messages[9].new added: 1", "messages +1 (user)"],
        60,
    ),
    ("none", MESSAGES, [], 0),
]


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    """A shelf with a long list."""
    return Shelf(TYPED)


@pytest.fixture(scope="module")
def long(shelf: Shelf) -> tuple[Shelf, Root]:
    """A state of ten thousand messages, written once."""
    return shelf, planted(shelf, {"messages": MESSAGES, "n": 1})


@pytest.mark.parametrize(("what", "new", "lines", "most"), CASES, ids=[case[0] for case in CASES])
def test_only_what_differs_is_read(
    long: tuple[Shelf, Root], what: str, new: list[Value], lines: list[str], most: int
) -> None:
    """A few nodes of thousands, and the line that a person would write."""
    assert what
    shelf, old = long
    diff = between(shelf, old, planted(shelf, {"messages": new, "n": 1}))
    assert lines == str(diff).splitlines()
    assert shelf.asked <= most
    assert same(new, patched(MESSAGES, _under(diff, "/messages")))


def _under(diff: Diff, prefix: str) -> list[Operation]:
    return [
        {**operation, "path": str(operation["path"]).removeprefix(prefix)}
        for operation in diff.json_patch()
    ]


def test_a_key_of_a_long_dictionary_is_found_by_the_leaves_that_differ(shelf: Shelf) -> None:
    """Not by all of them."""
    old = {f"key {n}": message(n) for n in range(5_000)}
    new = {**old, "key 2500": {**old["key 2500"], "number": 0}, "last": 1}
    diff = diff_of(shelf, {"by": old}, {"by": new})
    assert ["by.key 2500.number 2500 → 0", "by.last added: 1"] == str(diff).splitlines()
    assert shelf.asked <= 40


TEXT = words(5, 400)
SAID: list[tuple[Value, Value, str]] = [
    ({"budget": 300}, {"budget": 260}, "budget 300 → 260"),
    ({}, {"a": [1, 2]}, "a added: [2 items]"),
    ({"a": {"b": 1}}, {}, "a removed: {1 key}"),
    ({"a": 1}, {"a": True}, "a 1 → True"),
    ({"a": 1}, {"a": "1"}, "a int 1 → str 1"),
    ({"a": b"12"}, {"a": b"13"}, "a bytes 2 bytes → bytes 2 bytes"),
    ({"a.b": [1]}, {"a.b": [1, 2]}, '["a.b"] +1 (2)'),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}, "state has its keys in another order"),
    ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}, "a has its keys in another order"),
    ([1], {"a": 1}, "state [1 item] → {1 key}"),
    ([1, 2, 3], [3], "[0] -2"),
    ([1], [1, 2, 3], "state +2"),
    ({"a": "one"}, {"a": "two\nthree"}, "a one → two three"),
    ({"a\nb": 1}, {"a\nb": 2}, '["a\\nb"] 1 → 2'),
    (
        {"a": f"{TEXT} red fox {TEXT}"},
        {"a": f"{TEXT} blue fox {TEXT}"},
        "[-red-] {+blue+} fox",
    ),
]


@pytest.mark.parametrize(("old", "new", "expected"), SAID, ids=[line for _, _, line in SAID])
def test_differences_are_told_in_a_line(old: Value, new: Value, expected: str) -> None:
    """Short, and the same each time; of long texts, the words that differ and a few around."""
    shelf = Shelf()
    diff = diff_of(shelf, old, new)
    assert str(diff) == str(diff_of(shelf, old, new))
    if "{+" in expected:
        assert expected in str(diff)
        assert len(str(diff)) < 120
    else:
        assert expected == str(diff)


def test_the_steps_of_a_difference_lead_to_it() -> None:
    """For programs: keys and indices of the older state, and the values themselves."""
    shelf = Shelf()
    old = {"a": [{"b": 1}, {"b": 2}]}
    new = {"a": [{"b": 1}, {"b": 3}, 9]}
    [first, second] = diff_of(shelf, old, new).differences
    expected: tuple[Steps, Steps] = ("a", 1, "b"), ("a", 2)
    assert expected == (first.steps, second.steps)
    assert ("a[1].b", "changed", 2, 3) == (first.path, first.kind, first.old, first.new)
    assert ("a[2]", "appended", None, [9]) == (second.path, second.kind, second.old, second.new)
    assert isinstance(first, Difference)


@pytest.mark.timeout(30)
def test_lists_without_landmarks_take_no_longer() -> None:
    """Very many equal items in two orders are compared in seconds, and not in hours."""
    old = [n % 2 for n in range(20_000)]
    new = [(n // 2) % 2 for n in range(20_001)]
    diff = diff_of(Shelf(), old, new)
    assert new == patched(old, diff.json_patch())
