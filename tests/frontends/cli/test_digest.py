"""One line about anything: whatever shape a model or a tool gave it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ropewalk.domain.history import LLMRequest, LLMResponse, Message, ToolCall
from ropewalk.frontends.cli.digest import digest, spoken
from ropewalk.frontends.cli.text import ELLIPSIS

COMMON: dict[str, Any] = {"id": "e", "created_at": datetime(2025, 6, 15, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("hello", "hello"),
        ([{"type": "text", "text": "look at"}, {"type": "text", "text": "this"}], "look at this"),
        ({"text": "hello"}, "hello"),
        ({"content": "hello"}, "hello"),
        ([{"type": "image", "url": "u"}], "{type, url}"),
        (("a", ["b", "c"]), "a b c"),
        (None, "nothing"),
        (7, "7"),
        (b"\x00", "AA=="),
    ],
)
def test_what_is_said_is_found_in_every_shape(content: object, said: str) -> None:
    """Plain text, parts, and objects with a text; anything else in a few words."""
    assert said == spoken(content)


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (Message(role="user", content="one\n  two\x1b[0m", **COMMON), r"user: one two\x1b[0m"),
        (
            ToolCall(tool_name="search", tool_input={"q": "x", "n": [1]}, tool_output=[], **COMMON),
            "search(q=x, n=1 item) gave 0 items",
        ),
        (ToolCall(tool_name="wait", error="too late", **COMMON), "wait() gave failed: too late"),
        (
            ToolCall(tool_name="sum", tool_input=(1, 2), tool_output=3, **COMMON),
            "sum(2 items) gave 3",
        ),
        (LLMRequest(model="m", messages=[1, 2, 3], **COMMON), "3 messages sent, m"),
        (LLMResponse(model="m", content="done", **COMMON), "(stop) done, m"),
    ],
)
def test_each_kind_has_its_line(item: Any, line: str) -> None:  # noqa: ANN401 (any entry)
    """One line without control characters, with what matters first."""
    assert line == digest(item)


def test_long_things_are_cut() -> None:
    """However much was said, one line stays one line."""
    line = digest(Message(role="user", content="word " * 100_000, **COMMON))
    assert line.endswith(ELLIPSIS)
    assert len(line) < 100
