"""Messages that are made again are those that the serializer reads, and nobody else's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final, cast

import ormsgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from ropewalk.frontends.langgraph.replicas import Replicas
from ropewalk.frontends.langgraph.values import SerdeValues

from .kinds import CALL, Order

pytestmark = pytest.mark.seed("3.4")

SERDE: Final = JsonPlusSerializer()
EXAMPLES: Final = 1_000 if os.environ.get("ROPEWALK_LONG") else 25

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([-0.0, 1.5, "é", b"\0"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=5,
)
NAMED: st.SearchStrategy[Mapping[str, Any]] = st.dictionaries(st.sampled_from("abc"), PLAIN)
CONTENTS = st.text(max_size=40) | st.just([{"type": "text", "text": "t"}, "u"])
MESSAGES: st.SearchStrategy[BaseMessage] = st.one_of(
    st.builds(HumanMessage, CONTENTS, additional_kwargs=NAMED),
    st.builds(HumanMessage, CONTENTS, name=st.just("n"), colour=PLAIN),
    st.builds(AIMessage, CONTENTS, response_metadata=NAMED),
    st.builds(AIMessage, CONTENTS, tool_calls=st.just([{**CALL}]), id=st.just("1")),
    st.builds(ToolMessage, CONTENTS, tool_call_id=st.just("c"), artifact=PLAIN | st.just((1,))),
    st.builds(SystemMessage, CONTENTS),
)


def _state(message: object) -> str:
    state = cast("BaseMessage", message).__getstate__()
    fields = sorted(state.pop("__pydantic_fields_set__"))
    return repr([type(message), fields, state])


def _spoiled(message: BaseMessage) -> None:
    """Change everything that can be changed in a message."""
    for held in vars(message).values():
        if isinstance(held, dict):
            held["spoiled"] = True
        elif isinstance(held, list):
            cast("list[object]", held).append("spoiled")
    message.content = "spoiled"
    message.model_fields_set.add("spoiled")


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(MESSAGES, min_size=1, max_size=5))
def test_messages_are_those_that_the_serializer_reads(messages: list[BaseMessage]) -> None:
    """In class, content, extras and the fields that count as set; each time they are new ones."""
    values = SerdeValues(SERDE)
    form = SERDE.dumps_typed(messages)[1]
    expected = [_state(each) for each in SERDE.loads_typed(("msgpack", form))]

    for _ in range(4):
        found = cast("list[BaseMessage]", values.loads(form))
        assert expected == [_state(each) for each in found]
        assert form == SERDE.dumps_typed(found)[1]
        assert found == deepcopy(found)
        for each in found:
            _spoiled(each)


def _reads(values: SerdeValues, form: bytes, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return how often the serializer was asked up to each of four loads."""
    asked: list[str] = []

    def read(_: SerdeValues, form: str, payload: bytes) -> object:
        asked.append(form)
        return SERDE.loads_typed((form, payload))

    monkeypatch.setattr(SerdeValues, "_loaded", read)
    return [len(asked) for _ in range(4) if values.loads(form) is not None]


def test_the_serializer_is_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the third time on it need not be."""
    form = SERDE.dumps_typed([HumanMessage("a"), AIMessage("b")])[1]

    assert [1, 2, 2, 2] == _reads(SerdeValues(SERDE), form, monkeypatch)


@pytest.mark.parametrize(
    "items",
    [[Order(name="n")], [HumanMessage("a"), Order(name="n")], ["a", HumanMessage("a")], ["a"] * 9],
)
def test_other_lists_are_read_by_the_serializer(
    items: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What may be read depends on how it is set up."""
    form = SERDE.dumps_typed(items)[1]

    assert [1, 2, 3, 4] == _reads(SerdeValues(SERDE), form, monkeypatch)


def test_a_function_of_ones_own_is_asked_each_time() -> None:
    """A serializer that reads in its own way sees every value."""
    seen: list[int] = []

    def hook(code: int, _: bytes) -> None:
        seen.append(code)

    values = SerdeValues(JsonPlusSerializer(**cast("Any", {"__unpack_ext_hook__": hook})))
    form = SERDE.dumps_typed([HumanMessage("a")])[1]

    assert [[None]] * 4 == [values.loads(form) for _ in range(4)]
    assert [5] * 4 == seen


@pytest.mark.parametrize("size", [0, 1, 200, 70_000, 600_000])
def test_bytes_of_any_shape_are_no_surprise(size: int) -> None:
    """What is no list of messages, or too long a one, is not made again."""
    replicas = Replicas()
    short = [b"", b"\x90", b"\x91", b"\x91\xc7", ormsgpack.packb([ormsgpack.Ext(5, b"")])]
    long = SERDE.dumps_typed([HumanMessage("x" * size)])[1]

    for data in (*short, ormsgpack.packb(["x" * size]), long if size > 512 * 1024 else b"\x91\xc1"):
        for _ in range(3):
            assert replicas.of(data) is None
            replicas.learn(data, [HumanMessage("a")] if data is long else "no list")
