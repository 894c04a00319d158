"""Hypothesis strategies for keys, labels, changes and queries, full of near misses."""

from __future__ import annotations

from typing import Final, get_args

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
    Op,
    Order,
    Query,
)
from ..domain.record import Key
from ..domain.tally import GROUP_FIELDS

LETTERS: Final = "abA%_\\\"'\0.[]$/ \n\u00e9\u0301\u4e2d\U0001f9f6"
"""Letters that back ends confuse: cases, wildcards, quotes, NUL, paths, combining marks."""

SPACES: Final = ("lab", "Lab", "lab/..")
KINDS: Final = ("note", "Note", "no%")
IDS: Final = ("a", "A", "a\0", "a%", "\u00e9", "e\u0301", "\U0001f9f6", "b")
PARENTS: Final = (None, "p", "P", "p_")
LABEL_NAMES: Final = ("n", "N", "a.b", 'q"', "a'[0]")
"""Few of each, so that records meet."""

BEGIN: Final = 1_750_000_000_000_000
"""The time at which a `FrozenClock` starts, in microseconds."""


def texts(*, min_size: int = 0, max_size: int = 3) -> st.SearchStrategy[str]:
    """Return short texts of confusing letters."""
    return st.text(LETTERS, min_size=min_size, max_size=max_size)


def label_values() -> st.SearchStrategy[Label]:
    """Return everything that a label may hold, small values and limits most often."""
    return st.one_of(
        st.sampled_from([True, False, 0, 1, 1.0, -1, 0.5, 2**53, 2**53 + 1, float(2**53), "", "1"]),
        texts(),
        st.integers(-3, 3),
        st.integers(MIN_INT64, MAX_INT64),
        st.floats(allow_nan=False, allow_infinity=False),
    )


def labels() -> st.SearchStrategy[dict[str, Label]]:
    """Return labels under a few names."""
    return st.dictionaries(st.sampled_from(LABEL_NAMES), label_values(), max_size=4)


def keys() -> st.SearchStrategy[Key]:
    """Return one of a few dozen keys."""
    return st.builds(Key, st.sampled_from(SPACES), st.sampled_from(KINDS), st.sampled_from(IDS))


def times() -> st.SearchStrategy[int]:
    """Return microseconds round 1970, round the start of a frozen clock, and at the limits."""
    return st.one_of(
        st.integers(-3, 3),
        st.integers(BEGIN - 3, BEGIN + 3),
        st.sampled_from([MIN_INT64, MAX_INT64, -86_400_000_001, 86_400_000_000]),
    )


@st.composite
def puts(draw: st.DrawFn, *, expects: st.SearchStrategy[int | None] | None = None) -> Put:
    """Return a put of a random record."""
    return Put(
        key=draw(keys()),
        body=draw(st.binary(max_size=6)),
        seal=draw(st.sampled_from(["", "msgpack|crc32"])),
        labels=draw(labels()),
        session_id=draw(st.sampled_from(PARENTS)),
        thread_id=draw(st.sampled_from(PARENTS)),
        expires_at=draw(st.none() | st.integers(BEGIN - 2, BEGIN + 40)),
        created_at=draw(st.none() | times()),
        updated_at=draw(st.none() | times()),
        expect=draw(st.none() if expects is None else expects),
    )


def changes() -> st.SearchStrategy[Change]:
    """Return any change, with expectations that are sometimes met."""
    small = st.integers(0, 3)
    expects = st.none() | small
    return st.one_of(
        puts(expects=expects),
        st.builds(Put, key=keys(), version=st.integers(1, 5)),
        st.builds(Delete, key=keys(), expect=expects),
        st.builds(Delete, key=keys(), at_most=small),
        st.builds(Ensure, key=keys(), stamp=st.integers(1, 5), body=st.binary(max_size=3)),
        st.builds(Check, key=keys(), expect=small),
    )


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Return a batch of up to six changes of different keys, under a fresh id."""
    parts = draw(st.lists(changes(), min_size=1, max_size=6, unique_by=lambda part: part.key))
    actor = draw(st.sampled_from(["", "Zo\u00eb", "a\0b"]))
    return Batch(tuple(parts), id=draw(st.uuids(version=4)).hex, actor=actor)


@st.composite
def conditions(draw: st.DrawFn) -> Condition:
    """Return a condition with any field, any operator, and a value that may have any type."""
    header = sorted(TEXT_FIELDS | NUMBER_FIELDS)
    field = draw(st.sampled_from([*header, *(LABEL + name for name in LABEL_NAMES)]))
    op: Op = draw(st.sampled_from(get_args(Op)))
    values = st.one_of(label_values(), st.sampled_from([*IDS, *SPACES, *KINDS, "p"]), times())
    value: Label | tuple[Label, ...] | None
    if op == "exists":
        value = draw(st.booleans())
    elif op == "prefix":
        value = draw(texts(max_size=2) | st.sampled_from(["p", "lab", "no%"]))
    elif op == "in":
        value = tuple(draw(st.lists(values, max_size=3)))
    elif op in ("eq", "ne"):
        value = draw(st.none() | values)
    else:
        value = draw(values)
    return Condition(field, op, value)


def orders() -> st.SearchStrategy[Order]:
    """Return any order."""
    fields = [*sorted(SORT_FIELDS), *(LABEL + name for name in LABEL_NAMES)]
    return st.builds(Order, st.sampled_from(fields), descending=st.booleans())


def cursors() -> st.SearchStrategy[Cursor]:
    """Return a position among, between or beyond random records."""
    values = st.one_of(st.none(), label_values(), times(), st.sampled_from(IDS))
    ids = st.sampled_from(["", *IDS, "a\0\0"])
    return st.builds(
        Cursor,
        values,
        ids,
        st.sampled_from(["", *KINDS]),
        st.sampled_from(["", *SPACES]),
    )


@st.composite
def queries(draw: st.DrawFn) -> Query:
    """Return any query over the random records."""
    choice = st.lists(conditions(), min_size=1, max_size=3).map(lambda some: AnyOf(tuple(some)))
    return Query(
        space=draw(st.sampled_from([None, *SPACES])),
        kinds=tuple(draw(st.lists(st.sampled_from(KINDS), max_size=3))),
        session_id=draw(st.sampled_from(PARENTS)),
        thread_id=draw(st.sampled_from(PARENTS)),
        where=tuple(draw(st.lists(conditions() | choice, max_size=2))),
        order=draw(orders()),
        after=draw(st.none() | cursors()),
        until=draw(st.none() | cursors()),
        limit=draw(st.none() | st.integers(0, 5)),
        bodies=draw(st.booleans()),
        expired=draw(st.booleans()),
    )


@st.composite
def tallies(draw: st.DrawFn) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the sums and the groups of a random tally."""
    sums = draw(st.lists(st.sampled_from(LABEL_NAMES), max_size=2))
    groups = [*sorted(GROUP_FIELDS), *(LABEL + name for name in LABEL_NAMES)]
    return tuple(sums), tuple(draw(st.lists(st.sampled_from(groups), max_size=2)))
