"""What a serializer wrote comes out of our form as the serializer itself reads it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import ormsgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from ropewalk.codecs.foreign import ForeignValues
from ropewalk.domain.errors import Corrupt
from ropewalk.domain.graph import LANGGRAPH
from ropewalk.frontends.langgraph.values import SerdeValues
from ropewalk.sources.langgraph.forms import form_of, value_of

pytestmark = pytest.mark.seed("7.2")

SERDE = JsonPlusSerializer()
STORED = ForeignValues(LANGGRAPH)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)

OBJECTS: list[Any] = [
    {"messages": [HumanMessage("hi", id="h"), AIMessage("ho" * 9_000, id="a")]},
    {"set": {1, 2}, "when": datetime(2026, 1, 2, tzinfo=UTC), "id": UUID(int=5), 7: [b"\x00"]},
    b"bytes",
    bytearray(b"array"),
    None,
    [],
]


def _ours(form: str | None, data: bytes) -> object:
    """Bring a value in, store it, and read it as the saver does."""
    return SerdeValues(SERDE).loads(STORED.dumps(value_of(form, data)))


@settings(max_examples=40)
@given(JSON)
def test_json_is_read_as_langgraph_reads_it(value: object) -> None:
    """Also numbers beyond 64 bits and lone surrogates, which MessagePack has not."""
    data = json.dumps(value).encode()
    assert SERDE.loads_typed(("json", data)) == _ours("json", data)


def test_constructors_in_json_stay_with_langgraph() -> None:
    """Nothing of them is imported here; the serializer that reads them makes the objects."""
    message = HumanMessage("hi", id="h").to_json()
    where = {"lc": 2, "type": "constructor", "id": ["uuid", "UUID"], "args": ["0" * 32]}
    data = json.dumps({"messages": [message, {"deep": [where]}], "odd": "\ud800"}).encode()
    expected = {"messages": [HumanMessage("hi", id="h"), {"deep": [UUID(int=0)]}], "odd": "\ud800"}
    assert expected == SERDE.loads_typed(("json", data)) == _ours("json", data)


@pytest.mark.parametrize("value", OBJECTS, ids=[str(type(each).__name__) for each in OBJECTS])
def test_every_other_form_stays_what_it_is(value: object) -> None:
    """Byte for byte in MessagePack, and with its type elsewhere."""
    form, data = SERDE.dumps_typed(value)
    ours = _ours(form, data)
    assert (type(value), value) == (type(ours), ours)
    if form == "msgpack":
        assert data == STORED.dumps(value_of(form, data))


def test_a_form_may_be_seen_from_the_bytes() -> None:
    """Where the first savers wrote none."""
    packed = ormsgpack.packb({"a": 1})
    forms = [form_of(data) for data in (b' {"a": 1}', b"\x80\x04N.", packed, b"\x80", b"")]
    assert ["json", "pickle", "msgpack", "msgpack", "msgpack"] == forms
    assert {"a": 1} == value_of(None, packed)


@pytest.mark.parametrize(
    ("form", "data"),
    [("msgpack", b"\xc1"), ("msgpack", b""), ("json", b"{"), ("json", b"[" * 200_000)],
)
def test_damage_is_named(form: str, data: bytes) -> None:
    """Bytes that are not in their form are told as damage."""
    with pytest.raises(Corrupt, match="it is no"):
        value_of(form, data)
