"""Texts and integers are checked at the door, and the refusal names field and limit."""

from __future__ import annotations

import enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.errors import Invalid
from ropewalk.domain.limits import MAX_INT64, MIN_INT64, check_int64, check_text


class Colour(enum.StrEnum):
    """A text that is also something else."""

    RED = "red"


@given(st.text(min_size=1, max_size=12))
def test_a_text_is_accepted_or_refused_by_its_bytes(text: str) -> None:
    """What fits in UTF-8 comes back as it is; what does not is refused by the limit's name."""
    fits = len(text.encode("utf-8", "surrogatepass")) <= 12
    try:
        text.encode()
    except UnicodeEncodeError:
        fits = False
    if fits:
        assert text == check_text(text, field="id", limit=12, limit_name="max_id_bytes")
    else:
        with pytest.raises(Invalid, match="id"):
            check_text(text, field="id", limit=12, limit_name="max_id_bytes")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "empty"),
        (None, "bad_type"),
        (b"bytes", "bad_type"),
        (7, "bad_type"),
        ("a\ud800b", "bad_text"),
        ("\udfff" * 5, "bad_text"),
        ("abcdefg", "too_long"),
        ("\u00e9\u00e9\u00e9x", "too_long"),
    ],
)
def test_a_refused_text_says_why(value: object, code: str) -> None:
    """Each refusal has its own code and names the field."""
    with pytest.raises(Invalid, match="title") as caught:
        check_text(value, field="title", limit=6, limit_name="max_title_bytes")
    assert (code, "title") == (caught.value.code, caught.value.facts["field"])
    if code == "too_long":
        assert "max_title_bytes" == caught.value.facts["limit"]


@pytest.mark.parametrize(
    "text", ["\0", "a\0b", " ", "\U0001f9f6", "abcdef", Colour.RED, "\u00e9" * 3]
)
def test_any_other_text_is_accepted(text: str) -> None:
    """NUL, blanks, emoji and subclasses of str pass, up to the limit in bytes."""
    assert text == check_text(text, field="title", limit=6, limit_name="max_title_bytes")


@pytest.mark.parametrize("value", [MIN_INT64, -1, 0, 1, MAX_INT64])
def test_integers_of_64_bits_are_accepted(value: int) -> None:
    """Both ends of the range belong to it."""
    assert value == check_int64(value, field="n")


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (MIN_INT64 - 1, "too_big"),
        (MAX_INT64 + 1, "too_big"),
        pytest.param(10**5_000, "too_big", id="enormous"),
        (True, "bad_type"),
        (1.0, "bad_type"),
        ("1", "bad_type"),
        (None, "bad_type"),
    ],
)
def test_other_integers_are_refused(value: object, code: str) -> None:
    """Bigger ones, bools, floats and texts are no 64-bit integers."""
    with pytest.raises(Invalid, match="count") as caught:
        check_int64(value, field="count")
    assert code == caught.value.code
