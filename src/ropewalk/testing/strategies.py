"""Hypothesis strategies for keys, labels, changes and queries, full of near misses."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Final, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ..domain.change import Batch, Change, Check, Delete, Ensure, Put
from ..domain.cursor import Cursor
from ..domain.labels import Label
from ..domain.limits import MAX_INT64, MIN_INT64
from ..domain.query import (
    LABEL,
    NUMBER_FIELDS,
    SORT_FIELDS,
    TEXT_FIELDS,
    AnyOf,
    Condition,
    Order,
    Query,
)
from ..domain.record import Key, Record
from ..domain.tally import GROUP_FIELDS

T = TypeVar("T")

FEW: Final = settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=(
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
        HealthCheck.too_slow,
    ),
)
"""Settings for a test that asks one store again and again: it clears it for each example."""

LETTERS: Final = "abA%_\\\"'\0.[]$/ \n\u00e9\u0301\u4e2d\U0001f9f6"
"""Letters that back ends confuse: cases, wildcards, quotes, NUL, paths, combining marks."""

SPACES: Final = ("lab", "Lab")
KINDS: Final = ("note", "no%")
IDS: Final = ("a", "A", "a\0", "a%", "\u00e9", "e\u0301")
PARENTS: Final = (None, "p", "P", "p_")
LABEL_NAMES: Final = ("n", "N", "a.b", 'q"', "a'[0]")
"""Few of each, so that records meet."""

BEGIN: Final = 1_750_000_000_000_000
"""The time at which a `FrozenClock` starts, in microseconds."""


TEXTS: Final = st.text(LETTERS, max_size=3)
"""Short texts of confusing letters."""

LABEL_VALUES: Final[st.SearchStrategy[Label]] = st.one_of(
    st.sampled_from([True, False, 0, 1, 1.0, -1, 0.5, 2**53, 2**53 + 1, float(2**53), "", "1"]),
    TEXTS,
    st.integers(-3, 3),
    st.integers(MIN_INT64, MAX_INT64),
    st.floats(-1e12, 1e12),
)
"""Everything that a label may hold, small values and limits most often."""

_NAMED: Final[list[tuple[str, ...]]] = [
    names for count in range(5) for names in combinations(LABEL_NAMES, count)
]
_LABELLED: Final[dict[tuple[str, ...], st.SearchStrategy[dict[str, Label]]]] = {
    names: st.fixed_dictionaries(dict.fromkeys(names, LABEL_VALUES)) for names in _NAMED
}


def _labelled(names: tuple[str, ...]) -> st.SearchStrategy[dict[str, Label]]:
    return _LABELLED[names]


# To draw all names at once takes less time than drawing one after the other.
LABELS: Final = st.sampled_from(_NAMED).flatmap(_labelled)
"""Labels under a few names."""

KEYS: Final = st.builds(Key, st.sampled_from(SPACES), st.sampled_from(KINDS), st.sampled_from(IDS))
"""One of two dozen keys."""

TIMES: Final = st.one_of(
    st.integers(-3, 3),
    st.integers(BEGIN - 3, BEGIN + 3),
    st.sampled_from([MIN_INT64, MAX_INT64, -86_400_000_001, 86_400_000_000]),
)
"""Microseconds round 1970, round the start of a frozen clock, and at the limits."""


def rarely(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    """Return a value one time in four, and `None` otherwise."""
    return st.one_of(st.none(), st.none(), st.none(), strategy)


_PARENTS: Final = st.sampled_from(PARENTS)
_MAYBE_TIMES: Final = st.none() | TIMES
_VERSIONS: Final = st.integers(0, 3)
_STAMPS: Final = st.integers(1, 5)

PUTS: Final = st.builds(
    Put,
    key=KEYS,
    body=st.binary(max_size=6),
    seal=st.sampled_from(["", "msgpack|crc32"]),
    labels=LABELS,
    session_id=_PARENTS,
    thread_id=_PARENTS,
    expires_at=rarely(st.integers(BEGIN - 2, BEGIN + 60)),
    created_at=_MAYBE_TIMES,
    updated_at=_MAYBE_TIMES,
)
"""Puts of random records, without expectations."""

_FREE: Final[st.SearchStrategy[Change]] = st.one_of(
    PUTS,
    st.builds(Delete, key=KEYS),
    st.builds(Ensure, key=KEYS, stamp=_STAMPS),
)

CHANGES: Final[st.SearchStrategy[Change]] = st.one_of(
    PUTS,
    st.builds(replace, PUTS, expect=_VERSIONS),
    st.builds(Put, key=KEYS, version=_STAMPS),
    st.builds(Delete, key=KEYS, expect=st.none() | _VERSIONS),
    st.builds(Delete, key=KEYS, at_most=_VERSIONS),
    st.builds(Ensure, key=KEYS, stamp=_STAMPS, body=st.binary(max_size=3)),
    st.builds(Check, key=KEYS, expect=_VERSIONS),
)
"""Any change, with expectations that are sometimes met."""


def _renamed(change: Put, key: Key, expect: int, made: int | None) -> Put:
    return replace(change, key=key, expect=expect, made=made if expect else None)


def _expecting(kind: type[Delete | Check], key: Key, expect: int, made: int | None) -> Change:
    return kind(key=key, expect=expect, made=made if expect else None)


def changes_of(record: Record) -> st.SearchStrategy[Change]:
    """Return changes of a record that is, or was, there: most near misses, some hits."""
    key, version, at = record.key, record.version, record.created_at
    near = st.integers(max(version - 1, 0), version + 1)
    # The last bit, for a time may be the greatest or the least there is.
    made = st.sampled_from([None, at, at, at ^ 1])
    return st.one_of(
        st.builds(_renamed, PUTS, st.just(key), near, made),
        st.builds(_expecting, st.sampled_from([Delete, Check]), st.just(key), near, made),
        st.builds(Delete, key=st.just(key), at_most=near),
        st.builds(Ensure, key=st.just(key), stamp=st.integers(max(version - 1, 1), version + 2)),
    )


BATCHES: Final = st.builds(
    Batch,
    st.one_of(
        st.lists(_FREE, min_size=1, max_size=6, unique_by=lambda change: change.key).map(tuple),
        st.lists(CHANGES, min_size=1, max_size=4, unique_by=lambda change: change.key).map(tuple),
    ),
    id=st.uuids(version=4).map(lambda made: made.hex),
    actor=st.sampled_from(["", "Zo\u00eb", "a\0b"]),
)
"""Batches of a few changes under a fresh id; every other one expects nothing."""

_FIELDS: Final = st.sampled_from(
    [*sorted(TEXT_FIELDS | NUMBER_FIELDS), *(LABEL + name for name in LABEL_NAMES)]
)
_VALUES: Final = st.one_of(LABEL_VALUES, st.sampled_from([*IDS, *SPACES, *KINDS, "p"]), TIMES)

CONDITIONS: Final = st.one_of(
    st.builds(Condition, _FIELDS, st.sampled_from(["eq", "ne"]), st.none() | _VALUES),
    st.builds(Condition, _FIELDS, st.sampled_from(["lt", "le", "gt", "ge"]), _VALUES),
    st.builds(Condition, _FIELDS, st.just("in"), st.lists(_VALUES, max_size=3).map(tuple)),
    st.builds(Condition, _FIELDS, st.just("prefix"), TEXTS | st.sampled_from(["p", "lab", "no%"])),
    st.builds(Condition, _FIELDS, st.just("exists"), st.booleans()),
)
"""Conditions on any field, with any operator and a value of any type."""

ORDERS: Final = st.builds(
    Order,
    st.sampled_from([*sorted(SORT_FIELDS), *(LABEL + name for name in LABEL_NAMES)]),
    descending=st.booleans(),
)
"""Any order."""

CURSORS: Final = st.builds(
    Cursor,
    st.one_of(st.none(), LABEL_VALUES, TIMES, st.sampled_from(IDS)),
    st.sampled_from(["", *IDS, "a\0\0"]),
    st.sampled_from(["", *KINDS]),
    st.sampled_from(["", *SPACES]),
)
"""Positions among, between and beyond random records."""

_CHOICES: Final = st.builds(AnyOf, st.lists(CONDITIONS, min_size=1, max_size=3).map(tuple))


QUERIES: Final = st.builds(
    Query,
    space=st.sampled_from([None, *SPACES]),
    kinds=rarely(st.lists(st.sampled_from(KINDS), max_size=3).map(tuple)).map(lambda k: k or ()),
    session_id=rarely(_PARENTS),
    thread_id=rarely(_PARENTS),
    where=st.sampled_from([0, 0, 1, 1, 2]).flatmap(
        lambda count: st.tuples(*[CONDITIONS | _CHOICES] * count)
    ),
    order=ORDERS,
    after=rarely(CURSORS),
    until=rarely(CURSORS),
    limit=rarely(st.integers(0, 5)),
    bodies=st.booleans(),
    expired=st.booleans(),
)
"""Any query over the random records."""

TALLIES: Final = st.tuples(
    st.lists(st.sampled_from(LABEL_NAMES), max_size=2).map(tuple),
    st.lists(
        st.sampled_from([*sorted(GROUP_FIELDS), *(LABEL + name for name in LABEL_NAMES)]),
        max_size=2,
    ).map(tuple),
)
"""The sums and the groups of a random tally."""
