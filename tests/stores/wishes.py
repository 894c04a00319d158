"""Random records and random filters for them, for Hypothesis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.0, 1.0, 2.5, float("inf"), 2**63, 2**70, -(2**64), 1e300]),
    st.sampled_from(["", "a", "ab", "b", "1", "é", "\0", "z" * 4_097]),
    st.sampled_from([NOON, NOON + HOUR]),
)
NAMES = st.sampled_from(["a", "b", "a.b", "0"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
BODIES: st.SearchStrategy[dict[str, Any]] = st.dictionaries(NAMES, VALUES, max_size=3)
RECORDS: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["note", "todo"]), "data": BODIES, "metadata": BODIES},
        optional={
            "session_id": st.sampled_from(["s", "t"]),
            "thread_id": st.sampled_from(["s", "t"]),
        },
    ),
    max_size=6,
)
COMPARISONS: st.SearchStrategy[Any] = st.one_of(
    SCALARS,
    st.dictionaries(st.sampled_from(["$eq", "$ne"]), SCALARS, min_size=1, max_size=2),
    st.dictionaries(
        st.sampled_from(["$gt", "$gte", "$lt", "$lte"]),
        SCALARS.filter(lambda value: value is not None),
        min_size=1,
        max_size=2,
    ),
    st.dictionaries(
        st.sampled_from(["$in", "$nin"]), st.lists(SCALARS, max_size=3), min_size=1, max_size=2
    ),
    st.fixed_dictionaries({"$exists": st.booleans()}),
    st.fixed_dictionaries({"$prefix": st.sampled_from(["", "a", "ab", "\0"])}),
)


def _path(root: str, steps: list[str]) -> str:
    return ".".join([root, *steps])


PATHS = st.builds(
    _path,
    st.sampled_from(["metadata", "data"]),
    st.lists(st.sampled_from(["a", "b", "0", "1"]), min_size=1, max_size=2),
)
TEXTS: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(["s", "t", "note", None]),
    st.fixed_dictionaries({"$ne": st.sampled_from(["s", "note", None])}),
    st.fixed_dictionaries({"$in": st.lists(st.sampled_from(["s", "todo", None]), max_size=2)}),
    st.fixed_dictionaries({"$exists": st.booleans()}),
)
HEADER: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["session_id", "thread_id"]), TEXTS, max_size=1
) | st.fixed_dictionaries({"type": st.sampled_from(["note", "gone", {"$ne": "todo"}])})


def _joined(inside: dict[str, Any], outside: dict[str, Any]) -> dict[str, Any]:
    return {**inside, **outside}


FILTERS: st.SearchStrategy[dict[str, Any]] = st.builds(
    _joined,
    st.dictionaries(PATHS, COMPARISONS, max_size=2),
    HEADER,
)
