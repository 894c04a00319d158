"""Anything that JSON can hold, as Hypothesis draws it."""

from __future__ import annotations

import os
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES: Final = settings(
    max_examples=1_000 if os.environ.get("ROPEWALK_LONG") else 40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
"""For tests that write a file for each example."""

TEXTS: Final = st.text(st.characters(codec=None, exclude_categories=()), max_size=8)
"""Texts with lone surrogates among them."""

_LEAVES: Final = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.just(10**30)

JSON: Final[st.SearchStrategy[Any]] = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)

OBJECTS: Final[st.SearchStrategy[dict[str, Any]]] = st.dictionaries(TEXTS, JSON, max_size=3)

TIMES: Final[st.SearchStrategy[Any]] = (
    st.datetimes().map(lambda time: time.isoformat())
    | st.sampled_from(["2025-11-07T10:00:00+08:00", "2025-11-07", "yesterday", 1763164961.52, None])
    | JSON
)


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw objects with some of these fields, and some others."""
    known: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries({}, optional=fields)
    return st.builds(_merged, OBJECTS, known)


def _merged(more: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    return {**more, **own}
