"""One part of a state is read without the rest of it."""

from __future__ import annotations

from collections import deque
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.codecs.allowlist import TypeRegistry
from ropewalk.codecs.serialize import MsgPack
from ropewalk.domain.errors import Invalid, NotFound
from ropewalk.testing.values import same
from ropewalk.trees.path import read_path
from ropewalk.trees.read import TreeReader
from ropewalk.trees.root import WHOLE, Root
from ropewalk.trees.steps import Step, parse_path, path_of

from .growing import STATES, Value, items_of, small_trees, text_keys, words
from .growing import Step as Typed
from .shelf import Shelf
from .test_split import MANY, TYPED


def planted(shelf: Shelf, state: dict[str, Value]) -> Root:
    """Write a state as a writer of states does."""
    slots = {key: shelf.write(value)[0] for key, value in state.items()}
    return Root("", 0, is_dict=True, slots=slots)


def whole(shelf: Shelf, state: Value) -> Root:
    """Write a state that is not taken apart by its keys."""
    return Root("", 0, is_dict=False, slots={WHOLE: shelf.write(state)[0]})


def at(shelf: Shelf, root: Root, path: str) -> Any:  # noqa: ANN401 (a user's value)
    """Read one part."""
    shelf.asked = 0
    return shelf.read(read_path(TreeReader(shelf.values), root, path))


MESSAGES = [{"role": "user", "content": words(n, 300), "n": n} for n in range(2_000)]
STATE: dict[str, Value] = {
    "messages": MESSAGES,
    "plan": [{"city": "Rome", "days": (1, 2, {"a": deque([7, 8])})}],
    "notes": {"a.b": 1, "[0]": 2, "": 3, "x": {"1": "one"}},
    "by key": {f"key {n}": [n] * 200 for n in range(500)},
    "long keys": {f"{n}" * 60: n for n in range(90)},
    "text": "€" * 9_000,
    "bytes": bytes(range(256)) * 40,
    "typed": [Typed("one", {"k": [1, 2]}), Typed("big", list(range(9_000)))],
    "empty": [],
}
FOUND: list[tuple[str, Value]] = [
    ("messages.40", MESSAGES[40]),
    ("messages[40]", MESSAGES[40]),
    ("messages.-1", MESSAGES[-1]),
    ("messages[-2000]", MESSAGES[0]),
    ("messages[1999].content", MESSAGES[1999]["content"]),
    ("messages[-10:]", MESSAGES[-10:]),
    ("messages[:3]", MESSAGES[:3]),
    ("messages[700:703]", MESSAGES[700:703]),
    ("messages[5:2]", []),
    ("messages[1990:5000]", MESSAGES[1990:]),
    ("messages[3000:]", []),
    ("plan.0.city", "Rome"),
    ("plan[0].days[1]", 2),
    ("plan[0].days.-1.a.0", 7),
    ("plan[0].days[1:]", (2, {"a": deque([7, 8])})),
    ('notes["a.b"]', 1),
    ('notes["[0]"]', 2),
    ('notes[""]', 3),
    ("notes.x.1", "one"),
    ("by key.key 250[7]", 250),
    (f"long keys.{'7' * 60}", 7),
    (f"long keys.{'89' * 60}", 89),
    ("text[:2]", "€€"),
    ("bytes[1:3]", b"\1\2"),
    ("typed[0].inside.k.1", 2),
    ("typed[1].inside[-1]", 8_999),
    ("typed.1.name", "big"),
    ("empty", []),
]


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    """Nodes of the state."""
    return Shelf(TYPED)


@pytest.fixture(scope="module")
def root(shelf: Shelf) -> Root:
    """The root of the state."""
    return planted(shelf, STATE)


@pytest.mark.parametrize(("path", "expected"), FOUND, ids=[path[:30] for path, _ in FOUND])
def test_what_lies_at_a_path(shelf: Shelf, root: Root, path: str, expected: Value) -> None:
    """By keys, indices, indices from the end, and ranges."""
    assert expected == at(shelf, root, path)


COSTS: list[tuple[str, int]] = [
    ("messages.40", 8),
    ("messages.-1", 8),
    ("messages[-10:]", 22),
    ("messages[1000].content", 8),
    ("notes.x.1", 2),
    ("by key.key 3", 120),
]


@pytest.mark.parametrize(("path", "most"), COSTS, ids=[path for path, _ in COSTS])
def test_only_what_is_on_the_way_is_read(shelf: Shelf, root: Root, path: str, most: int) -> None:
    """A few nodes of thousands; for a key, the leaves of its dictionary."""
    at(shelf, root, path)
    assert shelf.asked <= most
    assert len(shelf.bodies) > 2_500


LOST: list[tuple[str, str]] = [
    ("message.1", "no message in the state: there are messages, plan, notes"),
    ("messages[2000]", "no [2000] in messages: there are 2000 items, from 0"),
    ("messages.-2001", "no -2001 in messages: there are 2000 items"),
    ("messages.first", "no first in messages: there are 2000 items"),
    ("messages[3].contents", "no contents in messages[3]: there are role, content, n"),
    ("empty[0]", "no [0] in empty: it is empty"),
    ("by key.key 900", "there are key 0, key 1, key 2"),
    ("by key.key 900", "and 488 more"),
    ("by key[0:3]", "no [0:3] in by key: there are key 0"),
    ("plan[0].city.x", "no x in plan[0].city: it is a str, which has no parts"),
    ("plan[0].days[7]", "no [7] in plan[0].days: there are 3 items"),
    ("typed[0].outside", "no outside in typed[0]: there are name, inside"),
    ("[0:1]", "no [0:1] in the state"),
]


@pytest.mark.parametrize(("path", "message"), LOST)
def test_a_path_that_leads_nowhere(shelf: Shelf, root: Root, path: str, message: str) -> None:
    """The error says where it ended, and what there is."""
    with pytest.raises(NotFound) as caught:
        at(shelf, root, path)
    assert message in caught.value.message
    assert "path" == caught.value.facts["what"]


def test_an_object_of_an_unknown_class_is_closed(shelf: Shelf, root: Root) -> None:
    """How it is kept is no part of it: the error says where it is, and what was left to go."""
    reader = TreeReader(MsgPack(TypeRegistry()))
    for path in ("typed[0].inside.k.1", "typed[0].data", "typed[0].tag[0:1]"):
        with pytest.raises(NotFound, match="class this program does not know") as caught:
            shelf.read(read_path(reader, root, path))
        assert "unknown_class" == caught.value.code
        assert "typed[0]" == caught.value.facts["led"]
        assert parse_path(path)[2:] == list(cast("tuple[Step]", caught.value.facts["rest"]))
    kept = shelf.read(read_path(reader, root, "typed[0]"))
    assert "Opaque" == type(kept).__name__


BAD = ["", ".", "a.", ".a", "a..b", "a[", "a[]", "a[x]", "a]b", 'a["x]', "a[1:2].b", "a[0]b"]


@pytest.mark.parametrize("path", [*BAD, "a[1:2:3]", "a" * 5_000, 'a["\\q"]'])
def test_what_is_no_path(shelf: Shelf, root: Root, path: str) -> None:
    """It is refused before anything is read."""
    with pytest.raises(Invalid) as caught:
        at(shelf, root, path)
    assert "bad_path" == caught.value.code
    assert 0 == shelf.asked


def test_states_that_are_no_dictionary(shelf: Shelf) -> None:
    """Their path begins with an index, or with a key of a state of very many keys."""
    assert 7 == at(shelf, whole(shelf, [1, 7]), "[1]")
    assert 7 == at(shelf, whole(shelf, list(range(900))), "7")
    assert [7, 8] == at(shelf, whole(shelf, list(range(900))), "[7:9]")
    many = {f"k{n}": n for n in range(900)}
    assert 7 == at(shelf, whole(shelf, many), "k7")


STEPS = st.lists(st.text() | st.integers(-(10**15), 10**15), min_size=1, max_size=6)


@given(steps=STEPS, stop=st.none() | st.integers(-9, 9))
@MANY
def test_a_path_is_read_as_it_is_written(steps: list[Step], stop: int | None) -> None:
    """Whatever the keys are made of."""
    steps = [*steps, slice(None, stop)]
    assert steps == parse_path(path_of(steps))


def _paths(value: Value, steps: tuple[Step, ...]) -> list[tuple[tuple[Step, ...], Value]]:
    found: list[tuple[tuple[Step, ...], Value]] = [(steps, value)] if steps else []
    items = items_of(value)
    if items is not None:
        for number, item in enumerate(items[:6]):
            found += _paths(item, (*steps, number))
        found += [((*steps, slice(start, None)), items[start:]) for start in (0, 3, -2)]
    for key, item in list((text_keys(value) or {}).items())[-6:]:
        found += _paths(item, (*steps, key))
    return found


@given(state=st.dictionaries(st.text(max_size=3), STATES, max_size=4))
@MANY
def test_every_part_of_a_state_has_a_path(state: dict[str, Value]) -> None:
    """What is read at a path is what Python finds there."""
    shelf = Shelf(TYPED)
    with small_trees():
        root = planted(shelf, state)
        for steps, expected in _paths(state, ())[:60]:
            assert same(expected, at(shelf, root, path_of(steps)))
