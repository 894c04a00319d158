"""What LangGraph kept is told as what it is, in a program that does without LangGraph."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

import ormsgpack
import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

import ropewalk
from ropewalk.codecs.allowlist import Opaque
from ropewalk.factory import unfold
from ropewalk.frontends.cli.foreign import Called, meaning
from ropewalk.frontends.cli.outline import outline
from ropewalk.frontends.cli.payload import faithful
from ropewalk.frontends.langgraph import RopewalkSaver

from .typing_it import typed

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig


class Color(Enum):
    """Something to choose from."""

    RED = "red"


@dataclass
class Trip:
    """Something with fields."""

    to: str
    at: datetime


KNOWN: list[object] = [
    {3, 1},
    frozenset({2}),
    set[int](),
    deque([1, 2]),
    date(2025, 6, 15),
    datetime(2025, 6, 15, 9, 30, tzinfo=UTC),
    time(9, 30),
    timedelta(1, 2, 3),
    timedelta(),
    Decimal("1.50"),
    UUID(int=5),
    ZoneInfo("Europe/Rome"),
    Path("a", "b"),
]


def _extension(value: object) -> tuple[int, object]:
    """Return the code of what LangGraph makes of a value, and what lies in it."""
    _, data = JsonPlusSerializer().dumps_typed(value)
    found: list[tuple[int, object]] = []

    def note(code: int, payload: bytes) -> None:
        found.append((code, ormsgpack.unpackb(payload)))

    ormsgpack.unpackb(data, ext_hook=note)
    return found[0]


@pytest.mark.parametrize("value", KNOWN, ids=repr)
def test_values_of_python_come_back(value: object) -> None:
    """What Python knows is the same value again, made by nothing but the list of such classes."""
    code, plain = _extension(value)
    assert value == meaning(f"langgraph:{code}", plain)


def test_an_enum_goes_by_its_class() -> None:
    """A class of the program's own is named, with what it was called with, and not imported."""
    code, plain = _extension(Color.RED)
    assert Called(f"{__name__}.Color", "red") == meaning(f"langgraph:{code}", plain)


@pytest.mark.parametrize(
    ("tag", "plain"),
    [
        ("other:0", ["builtins", "set", [1]]),
        ("langgraph:6", ["builtins", "set", [1]]),
        ("langgraph:x", ["builtins", "set", [1]]),
        ("langgraph:0", ["builtins", "set"]),
        ("langgraph:0", [1, "set", [1]]),
        ("langgraph:0", "builtins.set"),
    ],
)
def test_other_forms_mean_nothing(tag: str, plain: object) -> None:
    """What is in no form that LangGraph writes is left alone."""
    assert meaning(tag, plain) is None


@pytest.mark.parametrize("given", ["never", ["x"], None, 10**400])
def test_what_cannot_be_made_goes_by_its_name(given: object) -> None:
    """Damaged parts of a value are shown under the name of their class."""
    assert Called("uuid.UUID", given) == meaning("langgraph:0", ["uuid", "UUID", given])


async def _kept(value: object, folder: Path) -> str:
    """Keep a value as a graph does, and return the URL of the store."""
    url = f"sqlite:///{folder / 'graph.db'}"
    config: RunnableConfig = {"configurable": {"thread_id": "desk", "checkpoint_ns": ""}}
    checkpoint: Any = {
        "v": 4,
        "id": "1f1e6150-56bc-669b-8000-3c8d0f597b01",
        "ts": "2026-01-01T00:00:00+00:00",
        "channel_values": {"it": value},
        "channel_versions": {"it": "1"},
        "versions_seen": {},
        "updated_channels": ["it"],
    }
    async with ropewalk.open(url) as storage:
        metadata: Any = {"source": "loop", "step": 0, "parents": {}}
        await RopewalkSaver(storage).aput(config, checkpoint, metadata, {"it": "1"})
    return url


async def _state(url: str) -> object:
    async with ropewalk.open(url) as storage:
        newest = await storage.checkpoints.latest("desk")
        return None if newest is None else newest.state["it"]


async def test_what_lies_within_is_told_too(tmp_path: Path) -> None:
    """A message is shown by its fields, and an object inside an object is looked into."""
    at = datetime(2025, 6, 15, tzinfo=UTC)
    it = await _state(await _kept([HumanMessage("hi", id="1"), Trip("Rome", at)], tmp_path))
    lines = list(outline(it))
    assert "- !langchain_core.messages.human.HumanMessage" == lines[0]
    assert "  content: hi" in lines
    assert [
        f"- !{__name__}.Trip",
        "  to: Rome",
        "  at: !datetime 2025-06-15T00:00:00+00:00",
    ] == lines[-3:]
    payload: Any = faithful(it)
    assert "hi" == payload[0]["fields"]["content"]
    fields = {"to": "Rome", "at": {"$datetime": at.isoformat()}}
    assert {"$object": f"{__name__}.Trip", "fields": fields} == payload[1]


async def test_another_form_of_the_serializer_is_named(tmp_path: Path) -> None:
    """A bytearray is one again, and what was pickled or encrypted is bytes of that name."""
    it = await _state(await _kept(bytearray(b"raw"), tmp_path))
    assert ["!bytearray cmF3"] == list(outline(it))
    assert Called("pickle", b"raw") == meaning("langgraph:31", ["pickle", b"raw"])
    assert meaning("langgraph:31", b"raw") is None


def test_what_is_no_messagepack_is_bytes() -> None:
    """An extension of another program may hold anything, and is shown as it is."""
    assert ("langgraph:9", b"\xc1") == unfold(Opaque("langgraph:9", b"\xc1"))
    assert ["!langgraph:9 wQ=="] == list(outline(Opaque("langgraph:9", b"\xc1")))


def test_a_path_leads_into_a_message(tmp_path: Path) -> None:
    """`show --path` finds a field of a message, and JSON has the message's class."""
    url = asyncio.run(_kept([HumanMessage("hi", id="1")], tmp_path))
    assert "hi\n" == typed("show", "desk", "--path", "it.0.content", "-u", url).out
    shown = typed("show", "desk", "--path", "it.0", "--json", "-u", url).json["value"]
    assert "langchain_core.messages.human.HumanMessage" == shown["$object"]
