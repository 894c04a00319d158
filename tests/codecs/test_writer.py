"""Values may nest as deep as the limits say, may not hold themselves, and never crash."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from ropewalk.codecs.allowlist import TypeRegistry
from ropewalk.codecs.format import MAX_DEPTH, MAX_TYPED_DEPTH
from ropewalk.codecs.serialize import MsgPack
from ropewalk.domain.errors import Invalid
from ropewalk.testing.values import Value

PACK = MsgPack(TypeRegistry())


def nested(levels: int, inside: Value = None) -> list[Any]:
    """Return so many lists inside one another."""
    value: list[Any] = [] if inside is None else [inside]
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize("levels", [1, 100, MAX_DEPTH])
def test_what_nests_up_to_the_limit_is_kept(levels: int) -> None:
    """The quick way and the walk have the same limit, and what is kept can be read."""
    for value in (nested(levels), nested(levels, 2**70), nested(levels, bytearray(b"x"))):
        assert value == PACK.loads(PACK.dumps(value))


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 10_000])
def test_what_nests_deeper_is_refused(levels: int) -> None:
    """Deeper values are an error with a path, not a crash."""
    for value in (nested(levels), nested(levels, 2**70)):
        with pytest.raises(Invalid, match="nests deeper than max_depth, which is 255") as caught:
            PACK.dumps({"deep": value})
        assert "deep[0][0]" == str(caught.value.facts["path"])[:10]
        assert len(str(caught.value.facts["path"])) < 100


@pytest.mark.parametrize("width", [1, 300], ids=["narrow", "wide"])
def test_the_limit_counts_through_typed_values(width: int) -> None:
    """Levels around a tuple and within it add up, however the tuple is written."""
    for levels in (100, MAX_DEPTH - 3):
        fits = nested(levels, (nested(MAX_DEPTH - levels - 1), [[]] * width))
        assert fits == PACK.loads(PACK.dumps(fits))
        with pytest.raises(Invalid, match="max_depth"):
            PACK.dumps(nested(levels, (nested(MAX_DEPTH - levels), [[]] * width)))


def test_typed_values_nest_up_to_their_limit() -> None:
    """Tuples and their like nest less deep, so that reading them never exhausts the stack."""
    value: tuple[Any, ...] = ()
    for _ in range(MAX_TYPED_DEPTH - 1):
        value = (value,)
    assert value == PACK.loads(PACK.dumps(value))
    with pytest.raises(Invalid, match="max_typed_depth"):
        PACK.dumps((value,))


@pytest.mark.parametrize("inside", [None, 2**70], ids=["quick", "walk"])
def test_a_value_that_holds_itself_is_refused(inside: int | None) -> None:
    """A circle is named by the two places where it closes."""
    circle: list[Any] = [inside]
    circle.append({"again": circle})
    with pytest.raises(Invalid) as caught:
        PACK.dumps({"state": circle})
    message = "state[1].again holds state, in which it lies; a value cannot hold itself"
    assert ("cycle", message) == (caught.value.code, caught.value.message)


def test_a_stack_that_is_nearly_full_is_told() -> None:
    """A value that fits its limit but not the stack that the caller left is an error of ours."""
    value = nested(200, 2**70)

    def descend(frames: int) -> str:
        if frames:
            return descend(frames - 1)
        try:
            PACK.dumps({"k": value, 1: 2})
        except Invalid as error:
            return error.code
        return "value"

    outcomes: list[str] = []
    for frames in range(100, sys.getrecursionlimit()):
        try:
            outcomes.append(descend(frames))
        except RecursionError:
            outcomes.append("no stack at all")
    assert ["value", "too_deep", "no stack at all"] == list(dict.fromkeys(outcomes))
