"""Differences in words that a person reads in one line."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.wording import brief, said, word_diff

LONG = "the quick brown fox jumps over the lazy dog " * 30


@dataclass
class Spoken:
    """A message of a library."""

    type: str
    content: str


LINES: list[tuple[str, str, object, object, str]] = [
    ("changed", "budget", 300, 260, "budget 300 → 260"),
    ("changed", "", 1, 2, "state 1 → 2"),
    ("changed", "a", None, "", "a None → "),
    ("appended", "m[3]", None, [{"role": "assistant"}], "m +1 (assistant)"),
    ("appended", "m[3]", None, [Spoken("ai", "x"), Spoken("ai", "y")], "m +2 (2 ai)"),
    ("appended", "[0]", None, [7], "state +1 (7)"),
    ("inserted", "m[3]", None, [1, 2], "m[3] +2"),
    ("cut", "m[0]", [{"role": "tool"}], None, "m[0] -1 (tool)"),
    ("added", "a", None, {"x": 1}, "a added: {1 key}"),
    ("removed", "a", b"abc", None, "a removed: 3 bytes"),
    ("reordered", "a", [], [], "a has its keys in another order"),
]


@pytest.mark.parametrize(("kind", "path", "old", "new", "expected"), LINES)
def test_each_kind(kind: str, path: str, old: object, new: object, expected: str) -> None:
    """What happened, where, and to what."""
    assert expected == said(kind, path, old, new)


def test_long_texts_are_told_by_the_words_that_differ() -> None:
    """With three words around, and what was left out marked."""
    new = LONG.replace("lazy", "sleepy", 1)
    expected = "…jumps over the [-lazy-] {+sleepy+} dog the quick…"
    assert expected == word_diff(LONG, new)


def test_what_is_long_is_cut() -> None:
    """A difference is one line, however much differs."""
    assert len(word_diff("a " * 9_000, "b " * 9_000)) < 300
    assert len(brief("x" * 9_000)) < 80
    assert len(word_diff("", LONG)) < 120


@given(old=st.text(), new=st.text())
def test_any_two_texts(old: str, new: str) -> None:
    """One line each time, and the same one."""
    line = word_diff(old, new)
    assert line == word_diff(old, new)
    assert 1 >= len(line.splitlines())
