"""One value of every kind that graphs keep in a channel, and types of a program of its own."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Network
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.serde.types import _DeltaSnapshot  # pyright: ignore[reportPrivateUsage]
from langgraph.types import Interrupt, Send
from pydantic import BaseModel


class Colour(Enum):
    """An enumeration of a program."""

    RED = "red"


class Point(NamedTuple):
    """A named tuple of a program."""

    x: int
    y: int


@dataclass
class Plan:
    """A dataclass of a program."""

    steps: list[str]
    done: bool = False
    extra: dict[str, Any] = field(default_factory=dict[str, Any])


class Order(BaseModel):
    """A pydantic model of a program."""

    name: str
    amount: float = 0.5
    tags: list[str] = []


CALL: Final = {"name": "search", "args": {"q": "trains"}, "id": "call-1", "type": "tool_call"}
WHEN: Final = datetime(2026, 11, 22, 1, 2, 3, 456_789, tzinfo=UTC)

KINDS: Final[dict[str, Any]] = {
    "none": None,
    "bool": True,
    "int": 2**62,
    "float": -0.0,
    "infinity": float("inf"),
    "text": "größe \0 日本",
    "lone surrogate": "a\ud800b",
    "long text": "wörter " * 9_000,
    "bytes": b"\0\xff",
    "bytearray": bytearray(b"\0\xff"),
    "long bytes": bytes(range(256)) * 200,
    "empty list": [],
    "list": [1, None, "x", b"y", bytearray(b"z"), [2, {"k": ()}]],
    "long list": [{"n": n, "text": "word " * 40} for n in range(60)],
    "tuple": (1, (2, [3])),
    "dict": {"a": 1, "b": {"c": [None]}},
    "odd keys": {1: "a", (2, 3): "b", None: "c", 1.5: "d"},
    "set": {7},
    "frozenset": frozenset({"a"}),
    "deque": deque([1, 2], maxlen=2),
    "datetime": WHEN,
    "naive": WHEN.replace(tzinfo=None),
    "zone": WHEN.astimezone(ZoneInfo("Europe/Rome")),
    "date": date(2026, 11, 22),
    "time": time(1, 2, 3, tzinfo=timezone(timedelta(hours=2))),
    "duration": timedelta(days=-1, microseconds=1),
    "uuid": UUID(int=5),
    "decimal": Decimal("1.10"),
    "enum": Colour.RED,
    "pattern": re.compile("a+", re.IGNORECASE),
    "path": Path("/a/b"),
    "address": [IPv4Address("10.0.0.1"), IPv6Network("fe80::/10")],
    "named tuple": Point(1, 2),
    "dataclass": Plan(["a"], extra={"p": Point(3, 4)}),
    "pydantic": Order(name="n", tags=["x"]),
    "messages": [
        HumanMessage("hello", id="1"),
        AIMessage("", tool_calls=[CALL], id="2", response_metadata={"tokens": 3}),
        ToolMessage("found", tool_call_id="call-1", artifact={"raw": b"\0"}),
    ],
    "document": Document("page", metadata={"source": "s"}),
    "send": Send("node", {"a": [1]}),
    "interrupt": (Interrupt(value={"ask": "?"}, id="i"),),
    "array": np.arange(6, dtype=np.int16).reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "snapshot": _DeltaSnapshot([1, {"a": 2}]),
    "error": ValueError("as text"),
}

BIG: Final[dict[str, Any]] = {
    "dataclass": Plan([f"step {n} " * 9 for n in range(300)]),
    "pydantic": Order(name="n", tags=[f"tag {n} " * 9 for n in range(300)]),
    "message": AIMessage("word " * 5_000, tool_calls=[CALL], id="3"),
    "tool message": ToolMessage([{"type": "text", "text": "w " * 9_000}], tool_call_id="c"),
    "document": Document("page " * 5_000),
    "set": {f"member {n} " * 9 for n in range(300)},
    "deque": deque([f"item {n} " * 9 for n in range(300)]),
    "array": np.arange(9_000, dtype=np.float64).reshape(90, 100),
    "columns": np.asfortranarray(np.arange(9_000.0).reshape(90, 100)),
    "snapshot": _DeltaSnapshot([{"n": n, "text": "word " * 40} for n in range(60)]),
    "send": Send("node", {"text": "word " * 5_000}),
    "named tuple": Point("x " * 9_000, 2),  # type: ignore[arg-type]
}
