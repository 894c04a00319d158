"""A cursor leaves the program as a text, comes back the same, and is never taken on trust."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.cursor import Cursor
from ropewalk.domain.errors import Invalid
from ropewalk.testing.strategies import CURSORS


def encoded(value: object) -> str:
    """Return any JSON value in the clothes of a cursor."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@given(CURSORS)
def test_a_cursor_survives_the_trip(cursor: Cursor) -> None:
    """Decoding what was encoded gives an equal cursor of the same types, safe in a URL."""
    text = cursor.encode()
    written = json.dumps(
        [cursor.value, cursor.id, cursor.kind, cursor.space], separators=(",", ":")
    )
    assert base64.urlsafe_b64encode(written.encode()).decode().rstrip("=") == text
    again = Cursor.decode(text)
    assert (cursor, type(cursor.value), cursor.key) == (again, type(again.value), again.key)
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "not a cursor",
        "!!!!",
        "\u00e9\u00e9\u00e9\u00e9",
        Cursor(1, "a").encode()[:-3],
        Cursor(1, "a").encode() + "A",
        encoded([1, "a", "b"]),
        encoded([1, "a", "b", "c", "d"]),
        encoded([1, 2, "b", "c"]),
        encoded([1, None, "b", "c"]),
        encoded([[1], "a", "b", "c"]),
        encoded([2**63, "a", "b", "c"]),
        encoded([float("inf"), "a", "b", "c"]),
        encoded([float("nan"), "a", "b", "c"]),
        encoded(["\ud800", "a", "b", "c"]),
        encoded([1, "\ud800", "b", "c"]),
        encoded([1, "a", "b", "\udfff"]),
        encoded("abcd"),
        encoded({"a": 1, "b": 2, "c": 3, "d": 4}),
        encoded(None),
        encoded(7),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
        base64.urlsafe_b64encode(b"[" + b"9" * 10_000 + b', "a", "b", "c"]').decode(),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
    ids=range(25),
)
def test_anything_else_is_refused(text: str) -> None:
    """Torn, foreign or malicious texts are `Invalid`, with the parser's reason kept."""
    with pytest.raises(Invalid, match="cursor") as caught:
        Cursor.decode(text)
    assert ("bad_cursor", True) == (caught.value.code, caught.value.__cause__ is not None)


@given(st.text(max_size=40))
def test_no_text_does_harm(text: str) -> None:
    """Whatever is passed as a cursor either is one or is refused with `Invalid`."""
    try:
        cursor = Cursor.decode(text)
    except Invalid:
        return
    assert Cursor.decode(cursor.encode()) == cursor
