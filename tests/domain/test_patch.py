"""Places and values as JSON Patch and JSON Pointer write them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from ropewalk.domain.diff import Diff, Difference, DifferenceKind
from ropewalk.domain.patch import as_json, patch_of, pointer


@dataclass
class Point:
    """A place."""

    x: int
    y: object


def test_pointers() -> None:
    """The examples of RFC 6901, section 5, and the whole document."""
    assert not pointer([])
    assert "/foo/0" == pointer(["foo", 0])
    assert "/" == pointer([""])
    assert "/a~1b" == pointer(["a/b"])
    assert "/m~0n" == pointer(["m~n"])
    assert "/~01" == pointer(["~1"])


FORMS: list[tuple[Any, Any]] = [
    (None, None),
    (True, True),
    (2**70, 2**70),
    (1.5, 1.5),
    (float("inf"), "inf"),
    ("\ud800", "\ud800"),
    (b"ab", "YWI="),
    ((1, [2]), [1, [2]]),
    (deque([1]), [1]),
    ({3, 1, 2}, [1, 2, 3]),
    ({1: "a", (2,): {"b"}}, {"1": "a", "[2]": ["b"]}),
    (Point(1, (2,)), {"x": 1, "y": [2]}),
    (Decimal("1.50"), "1.50"),
]


@pytest.mark.parametrize(("value", "expected"), FORMS, ids=[repr(value) for value, _ in FORMS])
def test_the_json_form_of_a_value(value: object, expected: object) -> None:
    """What JSON has none of is text, a list or an object, and the same each time."""
    assert expected == as_json(value)


PATCHES: list[tuple[str, Any, Any, list[dict[str, object]]]] = [
    ("added", None, 1, [{"op": "add", "path": "/a/2", "value": 1}]),
    ("removed", 1, None, [{"op": "remove", "path": "/a/2"}]),
    ("changed", 1, 2, [{"op": "replace", "path": "/a/2", "value": 2}]),
    ("cut", [1, 2], None, [{"op": "remove", "path": "/a/2"}] * 2),
    ("appended", None, [1], [{"op": "add", "path": "/a/-", "value": 1}]),
    (
        "inserted",
        None,
        [1, 2],
        [{"op": "add", "path": "/a/2", "value": 2}, {"op": "add", "path": "/a/2", "value": 1}],
    ),
    ("reordered", [1], [1], []),
]


@pytest.mark.parametrize(("kind", "old", "new", "expected"), PATCHES, ids=lambda v: str(v)[:12])
def test_operations(kind: str, old: object, new: object, expected: list[object]) -> None:
    """Each kind of difference in the words of RFC 6902."""
    assert expected == patch_of(kind, ["a", 2], old, new)


def test_every_kind_has_operations() -> None:
    """None is forgotten."""
    assert {kind for kind, *_ in PATCHES} == {kind.value for kind in DifferenceKind}


def test_the_caller_may_have_another_json_form() -> None:
    """Such as one that keeps types."""
    one = Difference(steps=("a",), path="a", kind=DifferenceKind.CHANGED, old=1, new=Decimal(2))
    diff = Diff(old_id="x", new_id="y", differences=[one])
    assert [{"op": "replace", "path": "/a", "value": "2"}] == diff.json_patch()
    assert [{"op": "replace", "path": "/a", "value": "2!"}] == diff.json_patch(lambda v: f"{v}!")
