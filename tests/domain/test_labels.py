"""Labels are small scalars; metadata becomes labels without making a filter wrong."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.errors import Invalid
from ropewalk.domain.labels import PARTIAL, check_label, check_labels, metadata_labels
from ropewalk.domain.limits import MAX_LABEL_BYTES, MAX_LABEL_NAME_BYTES, MAX_LABELS


class Level(enum.IntEnum):
    """An integer that is also something else."""

    HIGH = 3


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=4)
    | st.binary(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.text(max_size=3) | st.just("a.b"), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("value", ["", "x" * MAX_LABEL_BYTES, 0, -(2**63), 1.5, -0.0, True, False])
def test_scalars_may_be_labels(value: object) -> None:
    """Texts (the empty one too), 64-bit integers, finite floats and bools pass."""
    check_label(value, field="labels.v")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (math.nan, "not_finite"),
        (math.inf, "not_finite"),
        (-math.inf, "not_finite"),
        (2**63, "too_big"),
        ("x" * (MAX_LABEL_BYTES + 1), "too_long"),
        ("\ud800", "bad_text"),
        (None, "bad_type"),
        (b"x", "bad_type"),
        ([1], "bad_type"),
        ({"a": 1}, "bad_type"),
        (datetime(2025, 1, 1, tzinfo=UTC), "bad_type"),
    ],
)
def test_anything_else_is_refused_by_name(value: object, code: str) -> None:
    """The refusal names the label and what is wrong with it."""
    with pytest.raises(Invalid, match=r"labels\.v") as caught:
        check_labels({"v": value})
    assert code == caught.value.code


@pytest.mark.parametrize("name", ["", "\ud800", "x" * (MAX_LABEL_NAME_BYTES + 1)])
def test_a_label_needs_a_name(name: str) -> None:
    """A name is a non-empty text of limited length."""
    with pytest.raises(Invalid, match="label name"):
        check_labels({name: 1})


def test_a_record_has_so_many_labels() -> None:
    """The limit is reached, not passed."""
    check_labels({str(n): n for n in range(MAX_LABELS)})
    with pytest.raises(Invalid, match="max_labels"):
        check_labels({str(n): n for n in range(MAX_LABELS + 1)})


def test_metadata_is_flattened_with_dots() -> None:
    """Nested dictionaries become paths; `None` is as good as absent."""
    labels = metadata_labels({"a": 1, "b": {"c": "x", "d": {"e": True}}, "n": None, "f": 0.5})
    assert {
        "metadata.a": 1,
        "metadata.b.c": "x",
        "metadata.b.d.e": True,
        "metadata.f": 0.5,
    } == labels


@pytest.mark.parametrize(
    "metadata",
    [
        {"a": [1]},
        {"a": {}},
        {"a": ()},
        {"a": b""},
        {"a": math.nan},
        {"a": 2**63},
        {"a": "x" * (MAX_LABEL_BYTES + 1)},
        {"a": "\ud800"},
        {"a": Level.HIGH},
        {"": 1},
        {"a.b": 1},
        {"x" * MAX_LABEL_NAME_BYTES: 1},
        {"a": {"b": [1]}},
        {1: "x"},
    ],
)
def test_what_does_not_fit_says_so(metadata: Mapping[str, object]) -> None:
    """What cannot be a label marks the record, so that a filter looks into the body."""
    assert {PARTIAL: True} == metadata_labels(metadata)


def test_metadata_that_bites_its_own_tail_has_an_end() -> None:
    """A dictionary within itself, or nested without end, is partial and no endless loop."""
    snake: dict[str, Any] = {"a": 1}
    snake["self"] = snake
    labels = metadata_labels(snake)
    assert (True, 1, 1) == (labels[PARTIAL], labels["metadata.a"], labels["metadata.self.a"])
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"d": deep}
    assert {PARTIAL: True} == metadata_labels(deep)


def test_there_is_room_for_so_many() -> None:
    """Beyond the room the rest is left to the body, and that is said."""
    labels = metadata_labels({f"k{n}": n for n in range(200)}, room=10)
    assert labels.pop(PARTIAL) is True
    assert {f"metadata.k{n}": n for n in range(10)} == labels
    assert PARTIAL not in metadata_labels({f"k{n}": n for n in range(10)}, room=10)


@given(st.dictionaries(st.text(max_size=3), VALUES, max_size=4))
def test_metadata_labels_never_lie(metadata: dict[str, Any]) -> None:
    """Labels pass the check, and without the mark they are the whole metadata."""
    labels = metadata_labels(metadata)
    check_labels(labels)
    if PARTIAL not in labels:
        assert _paths(metadata, "metadata.") == {
            name: (type(value), value) for name, value in labels.items()
        }
    else:
        paths = _paths(metadata, "metadata.")
        for name, value in labels.items():
            assert name == PARTIAL or paths[name] == (type(value), value)


def _paths(metadata: Mapping[str, Any], prefix: str) -> dict[str, tuple[type, object]]:
    """Return every leaf by its path; where two have one path, the first without dots in it."""
    paths: dict[str, tuple[type, object]] = {}
    for name, value in metadata.items():
        if "." in name:
            continue
        if isinstance(value, dict):
            paths |= _paths(cast("dict[str, Any]", value), f"{prefix}{name}.")
        elif value is not None:
            leaf: object = value
            paths[prefix + name] = type(leaf), leaf
    return paths
