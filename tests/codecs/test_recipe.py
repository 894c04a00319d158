"""A seal can be taken apart, and what a body is bound to cannot be mistaken."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropewalk.codecs.recipe import Recipe, Step, key_bytes, parse, steps_bytes
from ropewalk.domain.errors import Corrupt, Invalid
from ropewalk.domain.record import Key

FEW = settings(max_examples=100, deadline=None, database=None)

PARTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)


def test_a_seal_is_undone_from_its_end() -> None:
    """Each step comes with everything that was done before it."""
    expected = Recipe(
        "msgpack",
        (
            (Step("crc32"), "msgpack|zstd|aesgcm:k3"),
            (Step("aesgcm", "k3"), "msgpack|zstd"),
            (Step("zstd"), "msgpack"),
        ),
    )
    assert expected == parse("msgpack|zstd|aesgcm:k3|crc32")
    assert Recipe("msgpack", ()) == parse("msgpack")


@pytest.mark.seed("8.2")
@pytest.mark.parametrize(
    "seal",
    [
        *("", "|", "msgpack|", "|crc32", "msgpack||crc32", "Msgpack", "msgpack:1", "msgpack|zstd:"),
        *("msgpack|a:b:c", "msgpack|zs td", "msgpack|zstd\n", "m" * 65, "msgpack|x:" + "k" * 256),
    ],
)
def test_what_is_no_seal_is_damage(seal: str) -> None:
    """A damaged seal is told as such."""
    with pytest.raises(Corrupt, match="is not a row of steps"):
        parse(seal)


@pytest.mark.parametrize(
    ("name", "parameter"),
    [("", ""), ("a|b", ""), ("A", ""), ("1a", ""), ("a", "b|c"), ("a", "b c"), ("a", "b:c")],
)
def test_a_step_that_would_not_survive_is_refused(name: str, parameter: str) -> None:
    """Names and parameters that would break a seal are refused before anything is sealed."""
    with pytest.raises(Invalid):
        Step(name, parameter)


@given(one=st.tuples(PARTS, PARTS, PARTS, PARTS), other=st.tuples(PARTS, PARTS, PARTS, PARTS))
@FEW
def test_no_two_keys_are_bound_alike(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    """Different keys, or different steps, never give the same bytes."""

    def bound(parts: tuple[str, ...]) -> bytes:
        return key_bytes(Key(*parts[:3])) + steps_bytes(parts[3])

    assert (one == other) == (bound(one) == bound(other))


def test_letters_do_not_move_from_one_part_to_the_next() -> None:
    """The parts are told apart by their lengths, which are written down."""
    assert key_bytes(Key("ab", "c", "d")) != key_bytes(Key("a", "bc", "d"))
    expected = b"\0\0\0\2\xc3\xa9\0\0\0\1k\0\0\0\1i"
    assert expected == key_bytes(Key("\u00e9", "k", "i"))
    assert b"\0\0\0\7msgpack" == steps_bytes("msgpack")
