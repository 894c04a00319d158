"""LangGraph's metadata: seen in the header, exact when they come back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointMetadata

from ropewalk.domain.graph import restored
from ropewalk.domain.labels import PARTIAL, metadata_labels
from ropewalk.frontends.langgraph.metadata import has_rest, taken

pytestmark = pytest.mark.seed("3.4")

CONFIG: RunnableConfig = {"configurable": {"thread_id": "t"}}
USUAL: CheckpointMetadata = {"source": "loop", "step": 1, "parents": {}, "run_id": "r-1"}


def _taken(metadata: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    parts = taken(CONFIG, metadata)  # type: ignore[arg-type]
    return parts.header, parts.rest


def test_usual_metadata_are_all_in_labels() -> None:
    """What LangGraph itself says of a checkpoint costs no entry in the state and is searchable."""
    parts = taken(CONFIG, USUAL)

    assert {"source": "loop", "step": 1, "run_id": "r-1"} == parts.header
    assert {} == parts.rest
    assert PARTIAL not in metadata_labels(parts.header)
    assert USUAL == restored(parts.header, parts.rest)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"parents": {"": "c-1"}},
        {"parents": None},
        {"~rest": 1, "~no_parents": 2, "~": 3},
        {"object": {1, 2}, "step": 1},
        {"nested": {"object": object}},
        {"keys": {1: 2}},
        {"": 1, "a.b": {"c.d": [1, None]}},
        {"big": 2**70, "nan": float("inf")},
    ],
)
def test_metadata_come_back(metadata: dict[str, Any]) -> None:
    """What no header can hold is put aside and comes back with the rest."""
    header, rest = _taken(metadata)

    assert metadata == restored(header, rest)
    assert has_rest(header) == bool(rest)


def test_what_is_put_aside_is_marked() -> None:
    """The header names what is not in it, so that a filter knows that it has to look."""
    header, rest = _taken({"source": "loop", "object": {1, 2}, "~own": 1, "torn": "\ud800"})

    assert {"object": {1, 2}, "~own": 1, "torn": "\ud800"} == rest
    assert ["object", "~own", "torn"] == header["~rest"]
    assert metadata_labels(header)[PARTIAL]


def test_tuples_become_lists_as_in_json() -> None:
    """As with every saver of LangGraph."""
    header, rest = _taken({"counters_since_delta_snapshot": {"messages": (1, 2)}})

    assert {"messages": [1, 2]} == header["counters_since_delta_snapshot"]
    assert {} == rest


def test_the_configuration_of_a_run_adds_to_metadata() -> None:
    """Plain values of the configuration are added, LangGraph's own keys and NUL are left out."""
    config: RunnableConfig = {
        "metadata": {"user": "u\0", "langgraph_step": 4, "object": [1]},
        "configurable": {"thread_id": "t", "__pregel_x": 1, "model": "m", "step": 9},
    }

    header = taken(config, {"step": 1}).header

    assert {"step": 1, "user": "u", "model": "m", "~no_parents": True} == header


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=5))
def test_everything_json_can_hold_is_exact(metadata: dict[str, Any]) -> None:
    """Nothing is lost, added or changed but the NUL that LangGraph takes out of texts."""
    expected = {k: v.replace("\0", "") if isinstance(v, str) else v for k, v in metadata.items()}

    assert expected == restored(*_taken(metadata))
