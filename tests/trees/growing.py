"""Strategies for states and for what happens to them from one step to the next."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeGuard, cast

import pytest
from hypothesis import strategies as st

from ropewalk.testing.values import VALUES
from ropewalk.trees import chunk, dicts, edge, lists, split

Value: TypeAlias = Any

SMALL: Final[Mapping[str, int]] = {
    "LEAF_TARGET": 24,
    "INNER_TARGET": 84,
    "INLINE": 8,
    "SHORT_BYTES": 12,
    "LONG_BYTES": 40,
    "LEAST": 8,
    "MOST": 40,
    "_PIECE": 64,
    "_TOGETHER": 60,
}
"""Sizes so small that little data makes tall trees."""


@contextmanager
def small_trees() -> Generator[None]:
    """Let every node be tiny while this lasts."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (lists, dicts, edge, split, chunk):
            for name, size in SMALL.items():
                if hasattr(module, name):
                    patch.setattr(module, name, size)
        yield


@dataclass(eq=True)
class Step:
    """A registered class that is heavier than most values."""

    name: str
    inside: Value


LETTERS: Final = "abcdefghijklmnopqrstuvwxyzäß—      ".encode("cp1252")
FROM_BYTES: Final = bytes(LETTERS[byte % len(LETTERS)] for byte in range(256))


def words(seed: int, size: int) -> str:
    """Return `size` characters of text that a seed decides."""
    return noise(seed, size).translate(FROM_BYTES).decode("cp1252")


def noise(seed: int, size: int) -> bytes:
    """Return bytes that a seed decides."""
    return random.Random(seed).randbytes(size)


def numbers(seed: int, size: int) -> list[int]:
    """Return numbers in a row."""
    return list(range(seed, seed + size))


def counted(seed: int, size: int) -> dict[str, int]:
    """Return numbers by words."""
    return {words(seed + number, 6): number for number in range(size)}


def repeated(items: list[Value], times: int) -> list[Value]:
    """Return the same items again and again."""
    return items * times


SEEDS = st.integers(0, 30)
SIZES = st.sampled_from([0, 1, 3, 9, 40, 200])

LEAVES = st.one_of(
    st.integers(-5, 300),
    st.none(),
    VALUES,
    st.builds(words, SEEDS, SIZES),
    st.builds(noise, SEEDS, SIZES),
    st.sampled_from(["\ud800", "\ud800" * 60, "€" * 30]),
)
"""Values that fit in one node or in a row of chunks."""


def _rows(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    lists_ = st.lists(inner, max_size=12)
    return st.one_of(
        lists_,
        st.builds(repeated, lists_, st.integers(2, 12)),
        st.builds(numbers, SEEDS, SIZES),
        st.dictionaries(st.text(max_size=20), inner, max_size=12),
        st.builds(counted, SEEDS, SIZES),
        lists_.map(tuple),
        st.dictionaries(st.integers(0, 99), inner, max_size=12),
        st.builds(Step, st.text(max_size=4), inner),
    )


STATES = st.recursive(LEAVES, _rows, max_leaves=20)
"""Anything that may lie under a key of a state."""


def text_keys(value: Value) -> dict[str, Value] | None:
    """Return a dictionary if its keys are all texts."""
    if type(value) is not dict:
        return None
    pairs = cast("dict[object, Value]", value)
    named = {key: item for key, item in pairs.items() if isinstance(key, str)}
    return named if len(named) == len(pairs) else None


def is_list(value: object) -> TypeGuard[list[Value]]:
    """Tell whether a value is a list."""
    return isinstance(value, list)


def items_of(value: object) -> list[Value] | None:
    """Return a list if it is one."""
    return value if is_list(value) else None


Edit: TypeAlias = tuple[str, float, Value]

EDITS: st.SearchStrategy[Edit] = st.tuples(
    st.sampled_from(["append", "insert", "set", "delete", "inside", "inside", "new", "none"]),
    st.floats(0, 0.999),
    STATES,
)
"""What happens to a state, at which part of it, and a value for that."""


def edited(value: Value, edit: Edit) -> Value:
    """Return a value changed in one place; untouched parts are the same objects."""
    what, place, new = edit
    if what == "none":
        return value
    if what == "new":
        return new
    change = _CHANGES.get(cast("type[object]", type(value)))
    return change(value, what, place, new) if change else new


def _in_list(value: list[Value], what: str, place: float, new: Value) -> list[Value]:
    items = list(value)
    at = int(place * len(items))
    if what == "append" or not items:
        items.append(new)
    elif what == "insert":
        items.insert(at, new)
    elif what == "set":
        items[at] = new
    elif what == "delete":
        del items[at]
    else:
        items[at] = edited(items[at], ("append", place, new))
    return items


def _in_dict(value: dict[Value, Value], what: str, place: float, new: Value) -> dict[Value, Value]:
    pairs = dict(value)
    if what in ("append", "insert") or not pairs:
        pairs[f"k{place}"] = new
        return pairs
    key = list(pairs)[int(place * len(pairs))]
    if what == "set":
        pairs[key] = new
    elif what == "delete":
        del pairs[key]
    else:
        pairs[key] = edited(pairs[key], ("append", place, new))
    return pairs


def _in_text(value: str, what: str, place: float, new: Value) -> str:
    at = int(place * len(value))
    more = new if isinstance(new, str) else "more"
    return value[:at] + more + value[at + (what != "insert") :]


def _in_step(value: Step, what: str, place: float, new: Value) -> Step:
    return Step(value.name, edited(value.inside, (what if what != "none" else "set", place, new)))


_CHANGES: Final[dict[type[object], Callable[[Any, str, float, Value], Value]]] = {
    list: _in_list,
    dict: _in_dict,
    str: _in_text,
    Step: _in_step,
}
