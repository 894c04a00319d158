"""Filters on metadata: what holds, and that the labels never rule out what holds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.errors import Invalid
from ropewalk.domain.labels import metadata_labels
from ropewalk.domain.record import Key, Record
from ropewalk.frontends.langgraph.filters import checked, conditions, holds

pytestmark = pytest.mark.seed("3.4")

METADATA: dict[str, Any] = {
    "source": "loop",
    "step": 3,
    "ratio": 0.5,
    "done": True,
    "none": None,
    "größe": {"ähnlich": "日本"},
    "a.b": "dotted",
    "nested": {"deep": {"x": 1, "y": 2}, "list": [1, {"k": 2}]},
    "tags": ["a", "b"],
}


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"source": "loop"},
        {"source": "loop", "step": 3},
        {"step": 3.0},
        {"done": True},
        {"none": None},
        {"absent": None},
        {"größe.ähnlich": "日本"},
        {"größe": {"ähnlich": "日本"}},
        {"a.b": "dotted"},
        {"nested.deep.x": 1},
        {"nested": {"deep": {"x": 1}}},
        {"nested": {}},
        {"nested.deep": {"y": 2}},
        {"nested": {"list": [1, {"k": 2}]}},
        {"nested": {"none": None}},
        {"tags": ["a", "b"]},
        {"tags": ("a", "b")},
    ],
)
def test_a_filter_holds(wanted: dict[str, Any]) -> None:
    """Every name must hold; paths reach into nested values; a dictionary contains another."""
    assert holds(METADATA, wanted)
    assert all(condition.matches(_record(METADATA)) for condition in conditions(wanted))


@pytest.mark.parametrize(
    "wanted",
    [
        {"source": "input"},
        {"source": "loop", "step": 4},
        {"step": "3"},
        {"step": True},
        {"done": 1},
        {"done": "True"},
        {"source": None},
        {"absent": 1},
        {"a": {"b": "dotted"}},
        {"nested.deep.z": 1},
        {"nested": {"deep": {"x": 1, "z": 1}}},
        {"nested": 1},
        {"source": {"loop": 1}},
        {"tags": ["a"]},
        {"tags": ["b", "a"]},
        {"tags": "a"},
        {"": "loop"},
        {"source'; drop table": "loop"},
        {"x" * 300: 1},
        {"source": "x" * 5_000},
        {"step": 10**30},
        {"step": float("nan")},
    ],
)
def test_a_filter_does_not_hold(wanted: dict[str, Any]) -> None:
    """Another value, another type, a name that is not there: none of them match."""
    assert not holds(METADATA, wanted)


def test_labels_decide_what_fits_into_them() -> None:
    """A record whose metadata are all in labels is ruled out without being opened."""
    plain = {"source": "loop", "nested": {"x": 1}}
    ruled_out: list[dict[str, Any]] = [
        {"source": "input"},
        {"nested": {"x": 2}},
        {"nested.x": 2},
        {"größe": "1"},
    ]

    assert [False] * 4 == [
        all(condition.matches(_record(plain)) for condition in conditions(wanted))
        for wanted in ruled_out
    ]


SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "é", 0.5, 1.0])
NAMES = st.sampled_from(["a", "b", "a.b", "é", "", ".", "a."])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=6,
)


@given(st.dictionaries(NAMES, VALUES, max_size=3), st.dictionaries(NAMES, VALUES, max_size=2))
def test_labels_never_rule_out_what_holds(metadata: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Whatever holds passes the conditions that the store is asked for."""
    passes = all(condition.matches(_record(metadata)) for condition in conditions(wanted))

    assert passes or not holds(metadata, wanted)


@given(st.dictionaries(NAMES, VALUES, max_size=3))
def test_metadata_hold_themselves(metadata: dict[str, Any]) -> None:
    """A filter of all that a checkpoint's metadata are finds it."""
    assert holds(metadata, metadata)


@pytest.mark.parametrize(("wanted", "message"), [([], "must be a dict"), ({1: 2}, "must be text")])
def test_a_filter_of_another_form_is_refused(wanted: object, message: str) -> None:
    """The error names the field."""
    with pytest.raises(Invalid, match=message) as caught:
        checked(wanted)

    assert "filter" == caught.value.facts["field"]


def _record(metadata: dict[str, Any]) -> Record:
    return Record(
        key=Key("default", "checkpoint", "c"),
        body=b"",
        seal="",
        labels=metadata_labels(metadata),
        version=1,
        created_at=0,
        updated_at=0,
    )
