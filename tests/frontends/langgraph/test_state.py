"""A checkpoint laid out as a state, and put together again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from langgraph.checkpoint.base import Checkpoint
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from ropewalk.domain.errors import Corrupt, Invalid
from ropewalk.frontends.langgraph.state import (
    located,
    made_at,
    to_checkpoint,
    to_state,
)
from ropewalk.frontends.langgraph.values import SerdeValues

from .kinds import Plan

pytestmark = pytest.mark.seed("3.4")

VALUES = SerdeValues(JsonPlusSerializer())


def _checkpoint(**channels: Any) -> Checkpoint:  # noqa: ANN401 (values of channels)
    return {
        "v": 4,
        "id": "c-1",
        "ts": "2026-11-22T01:02:03+00:00",
        "channel_values": channels,
        "channel_versions": dict.fromkeys(channels, "1"),
        "versions_seen": {"node": {}},
        "updated_channels": None,
    }


def test_channels_lie_on_top() -> None:
    """A channel is found under its name, everything else under one key, the id under none."""
    state = to_state(_checkpoint(messages=["a"], step=1), {}, VALUES)

    assert ["messages", "step", "~checkpoint"] == list(state)
    assert ["a"] == state["messages"]
    assert "id" not in state["~checkpoint"]  # type: ignore[operator]


def test_a_checkpoint_comes_back() -> None:
    """Also with keys that a later version adds, and with channels that are called like our keys."""
    names = {"~checkpoint": 1, "~": 2, "~~": 3, "": 4, "~metadata": 5, "a.b": 6}
    checkpoint = _checkpoint(**names)
    checkpoint["pending_sends"] = []  # type: ignore[typeddict-unknown-key]

    state = to_state(checkpoint, {"odd": 1}, VALUES)

    assert checkpoint == to_checkpoint("c-1", state)
    assert {"odd": 1} == state["~metadata"]


@pytest.mark.parametrize("names", [[f"c{n}" for n in range(300)], ["fine", "torn \ud800"]])
def test_channels_that_cannot_lie_on_top_lie_together(names: list[str]) -> None:
    """Hundreds of channels, or a name that is no Unicode, stand under one key of ours."""
    checkpoint = _checkpoint(**{name: ["x"] for name in names})

    state = to_state(checkpoint, {}, VALUES)

    assert {"~channels", "~checkpoint"} == set(state)
    assert checkpoint == to_checkpoint("c-1", state)


def test_what_a_node_changes_meanwhile_is_not_seen() -> None:
    """Lists and dictionaries are the state's own from the moment of the call."""
    messages, scratch = [{"a": 1}], {"list": [1]}
    state = to_state(_checkpoint(messages=messages, scratch=scratch), {}, VALUES)

    messages[0]["a"] = 2
    messages.append({})
    scratch["list"].append(2)
    scratch["more"] = []

    assert [{"a": 1}] == state["messages"]
    assert {"list": [1]} == state["scratch"]


def test_a_state_of_another_kind_is_refused() -> None:
    """A state that no adapter wrote is not taken for an empty checkpoint."""
    with pytest.raises(Corrupt, match="c-9"):
        to_checkpoint("c-9", {"messages": []})


@pytest.mark.parametrize(
    ("ts", "expected"),
    [
        ("2026-11-22T01:02:03+00:00", datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)),
        ("2026-11-22T01:02:03", None),
        ("", None),
        ("soon", None),
        (None, None),
    ],
)
def test_the_time_is_taken_where_there_is_one(ts: str, expected: datetime | None) -> None:
    """A text that names no moment leaves it to the store."""
    checkpoint = _checkpoint()
    checkpoint["ts"] = ts

    assert expected == made_at(checkpoint)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (object(), "channel"),
        ([1, {"a": {"b": [object()]}}], "channel[1].a.b[0]"),
        (Plan(["a"], extra={"k": object()}), "channel.extra.k"),
        ({"a": 2**64}, "channel.a"),
    ],
)
def test_an_error_names_the_path(value: object, path: str) -> None:
    """What cannot be written is named by where it lies in the state."""
    error = Invalid("no", code="unserializable")

    found = located(error, VALUES, {"fine": [1], "channel": value})

    assert path == found.facts["path"]
    assert str(found).startswith(f"{path} is a ")


def test_errors_about_something_else_stay_as_they_are() -> None:
    """Nothing is said about a path where the trouble is another one, or passed in the meantime."""
    other = Invalid("no", code="too_long")
    passed = Invalid("no", code="unserializable")

    assert other is located(other, VALUES, {"channel": object()})
    assert passed is located(passed, VALUES, {"channel": 1})


def test_a_serializer_that_sees_all_names_the_path_too() -> None:
    """With pickles allowed, what even they cannot hold is named."""
    values = SerdeValues(JsonPlusSerializer(pickle_fallback=True))

    with pytest.raises(Invalid, match=r"^steps\[1\] is a "):
        to_state(_checkpoint(steps=[1, lambda: None]), {}, values)
