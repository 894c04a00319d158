"""The depth of MessagePack bytes is told without reading them."""

from __future__ import annotations

import ormsgpack
import pytest
from hypothesis import given, settings

from ropewalk.codecs.depth import nesting
from ropewalk.testing.values import PLAIN_VALUES, Value

FEW = settings(max_examples=100, deadline=None, database=None)


def _levels(value: Value) -> int:
    inside = list(value.values()) if value.__class__ is dict else value
    if inside.__class__ is not list:
        return 0
    return 1 + max(map(_levels, inside), default=0)


@given(value=PLAIN_VALUES)
@FEW
def test_the_depth_is_that_of_the_value(value: Value) -> None:
    """Counting brackets in the bytes gives what walking through the value gives."""
    assert _levels(value) == nesting(ormsgpack.packb(value), limit=1_000)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 0),
        ([], 1),
        ([1, "x" * 40, b"y" * 70_000, "z" * 300, 1.5, -(2**40), 2**40, None, True], 1),
        ([[1] * 20, [[2] * 70_000]], 3),
        ([{str(n): [n] for n in range(70_000)}], 3),
        ([ormsgpack.Ext(1, b"\x91" * size) for size in (1, 2, 3, 4, 8, 16, 300, 70_000)], 1),
        ([-1, -32, 127, 128, 2**15, 2**31, -(2**7), -(2**15), -(2**31)], 1),
    ],
    ids=["number", "empty", "scalars", "long lists", "long maps", "extensions", "integers"],
)
def test_every_form_is_passed(value: Value, expected: int) -> None:
    """Every marker of the format is known with its length; extensions are jumped over."""
    assert expected == nesting(ormsgpack.packb(value), limit=10)


def test_counting_stops_at_the_limit() -> None:
    """Endless brackets are not counted to their end."""
    assert 101 == nesting(b"\x91" * 10_000_000, limit=100)


@pytest.mark.parametrize(
    "data",
    [b"", b"\x91", b"\x92\x01", b"\x81\xa1a", b"\xc1"],
    ids=lambda data: data.hex() or "empty",
)
def test_bytes_that_are_no_value_are_refused(data: bytes) -> None:
    """An early end and the one marker without meaning are errors."""
    with pytest.raises(ValueError, match=r"end within|begins no value"):
        nesting(data, limit=10)
