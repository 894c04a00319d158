"""Remembered forms of messages: always what the serializer would write now."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Final, cast

import ormsgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.ai import UsageMetadata
from langgraph.checkpoint.base import CheckpointMetadata
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from pydantic import BaseModel, PlainSerializer, computed_field, field_serializer, model_serializer

from ropewalk.domain.errors import Invalid
from ropewalk.frontends.langgraph import RopewalkSaver, opened
from ropewalk.frontends.langgraph.forms import Forms, forms_of, writes_plainly
from ropewalk.frontends.langgraph.values import SerdeValues

from .chains import Step, checkpoint, thread
from .kinds import CALL, Order

pytestmark = pytest.mark.seed("3.4")

SERDE = JsonPlusSerializer()
EXAMPLES = 2_000 if os.environ.get("ROPEWALK_LONG") else 30


class Shade(StrEnum):
    """A text that is written as something else."""

    DARK = "dark"


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, -0.0, 1.0, "1", "dark"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)
ODD = st.sampled_from(
    [
        *(Shade.DARK, (1, 2), b"b", bytearray(b"b"), {1: 2}, {"k"}, Order(name="n"), "a\ud800"),
        *(2**63, ormsgpack.Ext(3, b"x"), ormsgpack.Fragment(b"\xcc\x01")),
    ]
)
USAGE: Final[UsageMetadata] = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
HELD = PLAIN | PLAIN | ODD
KINDS = st.sampled_from(
    [
        lambda: HumanMessage("hello", id="1"),
        lambda: HumanMessage([{"type": "text", "text": "t"}, "u"]),
        lambda: AIMessage("", tool_calls=[{**CALL}], response_metadata={"tokens": {"in": 3}}),
        lambda: AIMessageChunk(content="c", usage_metadata=USAGE),
        lambda: ToolMessage("found", tool_call_id="c", artifact={"raw": 1}),
        lambda: SystemMessage("rules", colour="red"),
        lambda: Document("page", metadata={"n": 1}),
    ]
)


def _attribute(name: str, value: object) -> Callable[[Any], None]:
    return lambda model: model.__dict__.__setitem__(name, value)


def _extra(value: object) -> Callable[[Any], None]:
    def edit(model: Any) -> None:  # noqa: ANN401 (a message or a document)
        if model.__pydantic_extra__ is not None:
            model.__pydantic_extra__["more"] = value

    return edit


def _within(value: object) -> Callable[[Any], None]:
    def edit(model: Any) -> None:  # noqa: ANN401 (a message or a document)
        for held in model.__dict__.values():
            if isinstance(held, dict):
                held["x"] = value
            elif isinstance(held, list) and held:
                cast("list[object]", held)[0] = value
            elif isinstance(held, list):
                cast("list[object]", held).append({"name": value, "args": {}, "y": 1})

    return edit


def _nothing(_: object) -> None:
    """Leave a model as it is."""


def _less(model: Any) -> None:  # noqa: ANN401 (a message or a document)
    model.__dict__.pop("name", None)


EDITS = st.one_of(
    st.builds(_attribute, st.sampled_from(["content", "id", "artifact", "name"]), HELD),
    st.builds(_extra, HELD),
    st.builds(_within, HELD),
    st.just(_less),
)


def _by_langgraph(value: object) -> bytes:
    return SERDE.dumps_typed(value)[1]


def _outcome(write: Callable[[], bytes]) -> bytes | str:
    try:
        return write()
    except (Invalid, TypeError, ValueError):
        return "refused"


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(KINDS, min_size=1, max_size=4), st.lists(st.tuples(st.integers(0, 3), EDITS)))
def test_models_changed_in_place_are_written_as_they_are_now(
    makers: list[Callable[[], Any]], edits: list[tuple[int, Callable[[Any], None]]]
) -> None:
    """One by one and in lists, at the first call and at later ones, to the byte."""
    values = SerdeValues(SERDE)
    models = [make() for make in makers]

    for place, edit in [(0, _nothing), *edits]:
        edit(models[place % len(models)])
        for each in (models, *models):
            expected = _outcome(partial(_by_langgraph, each))
            for _ in range(3):
                assert expected == _outcome(partial(values.dumps, each))
                if isinstance(expected, bytes):
                    assert values.same(each, expected, bare=False)


MESSAGES = st.sampled_from([HumanMessage, AIMessage, SystemMessage])
CHANGES: st.SearchStrategy[tuple[str, Any, Any]] = st.one_of(
    st.tuples(st.just("add"), MESSAGES, st.integers(0, 300)),
    st.tuples(st.just("edit"), st.integers(0, 200), PLAIN),
    st.tuples(st.just("drop"), st.integers(0, 200), st.just(0)),
    st.tuples(st.just("again"), st.integers(0, 200), st.just(0)),
)


@settings(max_examples=EXAMPLES // 4, deadline=None)
@given(st.lists(st.lists(CHANGES, max_size=5), min_size=1, max_size=6), st.integers(1, 60))
def test_what_is_loaded_is_what_langgraphs_own_saver_keeps(
    steps: list[list[tuple[str, Any, Any]]], begin: int
) -> None:
    """Puts of a list of messages that are edited in place between them, from any checkpoint."""
    memory = InMemorySaver()
    messages: list[BaseMessage] = [HumanMessage(f"word {n} " * 20, id=str(n)) for n in range(begin)]
    with opened("memory://") as storage:
        ours = RopewalkSaver(storage)
        parents = [thread("t")]
        for number, changes in enumerate(steps):
            for how, what, more in changes:
                place = what % len(messages) if isinstance(what, int) and messages else 0
                if isinstance(what, type):
                    messages.append(what("text " * more))
                elif messages and how == "edit":
                    messages[place].response_metadata["x"] = more
                elif messages and how == "drop":
                    del messages[place]
                elif messages:
                    messages.append(messages[place])
            step = Step({"messages": messages}, version=4)
            new = {**checkpoint(step, id=f"{number:03}"), "ts": ""}
            versions = new["channel_versions"] = {"messages": f"v{number}"}
            for saver in (memory, ours):
                about = cast("CheckpointMetadata", {"step": number})
                saver.put(parents[number // 2], cast("Any", new), about, cast("Any", versions))
            parents.append(thread("t", id=f"{number:03}"))

        for config in parents[1:]:
            kept, found = memory.get_tuple(config), ours.get_tuple(config)
            assert kept is not None
            assert found is not None
            seen = found.checkpoint["channel_values"]["messages"]
            assert repr(kept.checkpoint["channel_values"]["messages"]) == repr(seen)


def test_a_form_is_of_what_was_compared() -> None:
    """A message that changes while it is written does not leave a form that is not its own."""
    forms = Forms()
    message = HumanMessage("before")
    expected = SERDE.dumps_typed(message)[1]

    def write(model: object) -> bytes:
        message.content = "meanwhile"
        return SERDE.dumps_typed(model)[1]

    assert forms.of(message, write) is None
    assert expected == forms.of(message, write)
    message.content = "before"
    assert expected == forms.of(message, write)


def test_a_list_is_asked_of_the_serializer_twice() -> None:
    """From the third time on its form is known, of other objects that hold the same too."""
    asked: list[object] = []
    forms = Forms()

    def write(models: object) -> bytes:
        asked.append(models)
        return SERDE.dumps_typed(models)[1]

    found = [
        forms.of([HumanMessage("a"), AIMessage("b", tool_calls=[CALL])], write) for _ in "abcd"
    ]

    expected = SERDE.dumps_typed([HumanMessage("a"), AIMessage("b", tool_calls=[CALL])])[1]
    assert [None, expected, expected, expected] == found
    assert 1 == len(asked)


def test_memory_is_bounded() -> None:
    """What nobody asked for while many others were written is asked of the serializer again."""
    asked: list[object] = []
    forms = Forms()

    def write(models: object) -> bytes:
        asked.append(models)
        return b"form" * 40_000

    for number in [*range(300), 0]:
        for _ in range(2):
            forms.of([HumanMessage(f"{number} " + "x" * 60_000)], write)

    assert 301 == len(asked)


def test_long_lists_are_left_to_the_serializer() -> None:
    """No copy is made of what would take the room of everything else."""
    forms = Forms()
    long = [HumanMessage("x" * 1_000) for _ in range(300)]

    assert [None] * 3 == [forms.of(long, lambda _: b"") for _ in range(3)]


def test_models_with_code_of_their_own_are_left_to_the_serializer() -> None:
    """Whatever such code looks at is not seen from outside."""

    class Field(BaseModel):
        """A field is written by a method."""

        n: int = 1

        @field_serializer("n")
        def _n(self, n: int) -> int:
            return n

    class Whole(BaseModel):
        """A method writes everything."""

        @model_serializer
        def _all(self) -> dict[str, int]:
            return {}

    class Computed(BaseModel):
        """A value is made when it is asked for."""

        @computed_field  # type: ignore[prop-decorator]
        @property
        def n(self) -> int:
            """One."""
            return 1

    class Annotation(BaseModel):
        """A type brings its own way."""

        n: list[Annotated[int, PlainSerializer(lambda n: n)]] = []

    class Dump(BaseModel):
        """The method that the serializer calls is another one."""

        def model_dump(self, **_: object) -> dict[str, Any]:
            return {}

    own = [Field, Whole, Computed, Annotation, Dump]
    plain = [HumanMessage, AIMessage, ToolMessage, SystemMessage, AIMessageChunk, Document, Order]
    assert [False] * len(own) == [writes_plainly(kind) for kind in own]
    assert [True] * len(plain) == [writes_plainly(kind) for kind in plain]


def test_savers_on_one_store_share_their_forms() -> None:
    """A program may make a saver for each request; another store has forms of its own."""
    with opened("memory://") as one, opened("memory://") as other:
        assert forms_of(one) is forms_of(one)
        assert forms_of(one) is not forms_of(other)
