"""Random records and random queries for them, for Hypothesis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from hypothesis import strategies as st

from .oracle import Node
from .wording import Groups, Rows, Sorted

Nodes: TypeAlias = st.SearchStrategy[Node]

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
DAY = 86_400_000_000

# Halves and quarters add up exactly in any order, so that sums can be compared.
NUMBERS: st.SearchStrategy[Any] = st.integers(-4, 4) | st.sampled_from(
    [0.0, -0.5, 1.0, 2.25, 3.0, 2**40, -(2**50), 1e15]
)
TEXTS = st.sampled_from(["", "a", "b", "ab", "Ab", "a%", "a_b", "é", "É", "\0", "a\0b", "1", "z'"])
SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), NUMBERS, TEXTS, st.just(NOON), st.just(2**70)
)
VALUES: st.SearchStrategy[Any] = (
    SCALARS
    | st.lists(SCALARS, max_size=2)
    | st.dictionaries(st.sampled_from(["x", "y", "0"]), SCALARS, max_size=2)
)
BODIES: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["x", "y", "z"]), VALUES, max_size=3
)
RECORDS: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["note", "note", "todo"]),
            "data": BODIES,
            "metadata": BODIES,
            "created_at": st.integers(0, 2 * DAY).map(lambda n: NOON + timedelta(microseconds=n)),
        },
        optional={"session_id": st.sampled_from(["s", "t"]), "thread_id": st.just("s")},
    ),
    max_size=8,
)

PATHS = st.sampled_from(
    [f"{root}.{rest}" for root in ("data", "metadata") for rest in ("x", "x", "y", "z", "x.y")]
    + ['data.x."0"', "metadata.y[0]", "data.z[1]"]
)


def _values(values: st.SearchStrategy[Any]) -> Nodes:
    return st.tuples(st.sampled_from(["value", "param"]), values)


def _read(what: str) -> Nodes:
    return st.tuples(st.just(what), PATHS)


def _columns(*names: str) -> Nodes:
    return st.tuples(st.just("column"), st.sampled_from(names))


def _calls(names: list[str], *parts: Nodes) -> Nodes:
    return st.tuples(st.sampled_from(names), *parts)


_TEXT_LEAVES = _values(TEXTS) | _read("text") | _columns("id", "type", "session_id", "thread_id")
_NUMBER_LEAVES = _values(NUMBERS) | _read("num") | _columns("version")
_TIMES = _columns("created_at")
_MOMENT: Nodes = st.just(("param", NOON + timedelta(hours=24)))

TEXT: Nodes = st.recursive(
    _TEXT_LEAVES,
    lambda inner: (
        _calls(["lower", "upper"], inner)
        | _calls(["coalesce"], inner, inner)
        | _calls(["by_day", "by_hour"], _TIMES)
    ),
    max_leaves=2,
)
NUMBER: Nodes = st.recursive(
    _NUMBER_LEAVES,
    lambda inner: (
        st.tuples(st.just("arithmetic"), st.sampled_from(["+", "-", "*", "/"]), inner, inner)
        | _calls(["-", "abs"], inner)
        | _calls(["coalesce"], inner, inner)
        | _calls(["length"], TEXT)
    ),
    max_leaves=3,
)


def _comparisons(values: Nodes) -> Nodes:
    compare = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
    null = _values(st.none())
    return st.one_of(
        st.tuples(st.just("compare"), compare, values, values),
        st.tuples(st.just("between"), values, values, values),
        st.tuples(st.just("in"), values, st.lists(values | null, min_size=1, max_size=3)),
        _calls(["null"], values),
    )


PATTERNS = st.text(st.sampled_from("ab%_!é\0A"), max_size=4)

CONDITION: Nodes = st.recursive(
    st.one_of(
        _comparisons(TEXT),
        _comparisons(NUMBER),
        _read("bool"),
        st.tuples(st.just("like"), TEXT, PATTERNS),
        st.tuples(st.just("compare"), st.sampled_from(["<", ">="]), _TIMES, _MOMENT),
    ),
    lambda inner: (
        st.tuples(st.sampled_from(["AND", "OR"]), st.lists(inner, min_size=2, max_size=3))
        | _calls(["not", "true"], inner)
    ),
    max_leaves=4,
)

ANY: Nodes = TEXT | NUMBER | CONDITION

_EXACT: Nodes = _read("num") | _columns("version")
AGGREGATE: Nodes = st.one_of(
    st.just(("count",)),
    st.tuples(st.just("count"), ANY),
    st.tuples(st.just("count"), TEXT | NUMBER, st.just("distinct")),
    _calls(["sum", "avg"], _EXACT),
    _calls(["min", "max"], TEXT | NUMBER),
)

# A constant that is written out would count the columns of the answer.
_TERMS: Nodes = (TEXT | NUMBER).filter(lambda node: node[0] != "value")

ROWS = st.builds(
    Rows,
    items=st.lists(ANY, min_size=1, max_size=3),
    where=st.none() | CONDITION,
    order=st.lists(
        st.builds(
            Sorted, _TERMS, st.booleans(), st.sampled_from(["", " NULLS FIRST", " NULLS LAST"])
        ),
        max_size=2,
    ),
    limit=st.none() | st.integers(0, 4),
    offset=st.integers(0, 2),
)
GROUPS = st.builds(
    Groups,
    group=st.lists(_TERMS, max_size=2),
    items=st.lists(AGGREGATE, min_size=1, max_size=3),
    where=st.none() | CONDITION,
    having=st.none() | st.tuples(st.sampled_from([">", "<="]), st.integers(0, 2)),
)
