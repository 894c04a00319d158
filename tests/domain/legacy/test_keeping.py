"""What an entity cannot give back is kept beside its metadata, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.legacy.keeping import ABSENT, difference, join, part, restore, same
from ropewalk.domain.legacy.values import canonical

from ...sources.legacy.strategies import JSON, OBJECTS

NAMES = st.sampled_from(["a", "b", "c", "legacy", "legacy~2"])


@pytest.mark.seed("7.3")
@given(raw=st.dictionaries(NAMES, JSON), own=st.dictionaries(NAMES, JSON))
def test_what_is_kept_gives_the_original_again(raw: dict[str, Any], own: dict[str, Any]) -> None:
    """Whatever the entity tells, with what was kept it is the original to the byte."""
    assert canonical(raw) == canonical(restore(own, difference(raw, own)))


@given(metadata=st.dictionaries(NAMES, JSON), kept=OBJECTS)
def test_metadata_and_what_is_kept_come_apart_again(
    metadata: dict[str, Any], kept: dict[str, Any]
) -> None:
    """Also where the user's metadata has a key called `legacy` itself."""
    own, ours = part(join(metadata, kept))
    assert (canonical(metadata), canonical(kept)) == (canonical(own), canonical(ours))


def test_only_what_differs_is_kept() -> None:
    """Values that the entity has are not kept twice; keys that it has too many are named."""
    raw = {"a": 1, "b": 2.0, "c": [1]}
    own = {"a": 1, "b": 2, "d": None}
    assert {"b": 2.0, "c": [1], ABSENT: ["d"]} == difference(raw, own)
    assert {"x": 1} == join({"x": 1}, {})


@pytest.mark.parametrize(
    ("left", "right"),
    [(1, 1.0), (1, True), (0.0, -0.0), (None, 0), ("", None), ([1], [1.0]), ("1", 1)],
)
def test_values_of_different_spelling_differ(left: object, right: object) -> None:
    """Values are the same only if they are written alike."""
    assert not same(left, right)
    assert same(left, left)
    assert same([left, float("nan")], [left, float("nan")])
