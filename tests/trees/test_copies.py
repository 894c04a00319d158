"""Items are copied for each who reads them again, or not kept at all."""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.trees.copies import made_of

pytestmark = pytest.mark.seed("3.4", "6.4")

_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def _emptied(value: Any) -> None:  # noqa: ANN401 (a list or a dictionary)
    """Take everything out of what can be changed, from the inside outwards."""
    parts: list[Any] = [*value.values()] if value.__class__ is dict else [*value]
    for part in parts:
        if part.__class__ in {dict, list}:
            _emptied(part)
    value.clear()


@given(st.lists(_PLAIN))
def test_a_copy_is_the_same_and_shares_nothing_that_can_be_changed(items: list[Any]) -> None:
    """Whoever empties every list and dictionary of a copy leaves the next one as it was."""
    as_it_was = repr(items)
    made = made_of(items, size=100)
    assert made is not None
    for _ in range(2):
        copy = made.again()
        assert as_it_was == repr(copy)
        _emptied(copy)


class _Text(str):
    """A text that might hold more."""

    __slots__ = ()


_ODD: dict[str, object] = {
    "tuple": (1, 2),
    "set": {1},
    "bytearray": bytearray(b"x"),
    "ordered": OrderedDict[str, int](a=1),
    "text": _Text("t"),
    "object": object(),
}


@pytest.mark.parametrize("odd", _ODD.values(), ids=_ODD)
def test_other_things_are_not_copied(odd: object) -> None:
    """What may be changed in another way, or holds more than its items, is never kept."""
    assert made_of([odd], size=10) is None
    assert made_of([{"deep": [{"er": odd}]}], size=10) is None


def test_what_is_too_deep_is_not_copied() -> None:
    """Thirty levels are copied, and forty are not."""

    def nested(levels: int) -> list[Any]:
        return [nested(levels - 1)] if levels else []

    assert made_of(nested(30), size=10) is not None
    assert made_of(nested(40), size=10) is None


def test_what_is_kept_has_a_weight() -> None:
    """It grows with the forms and with what stands beside them in memory."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    light, heavy = made_of([at], size=10), made_of([{"at": at}, []], size=10)
    assert light is not None
    assert heavy is not None
    assert 10 < light.weight < heavy.weight
