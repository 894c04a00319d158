"""`Query.matches` is the meaning of every query: types, order, cursors and absence."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.change import Put
from ropewalk.domain.cursor import Cursor, rank
from ropewalk.domain.effect import decide
from ropewalk.domain.errors import Invalid
from ropewalk.domain.labels import Label
from ropewalk.domain.query import (
    NEWEST_FIRST,
    AnyOf,
    Condition,
    Op,
    Order,
    Query,
    cursor_of,
    value_of,
)
from ropewalk.domain.record import Key, Record
from ropewalk.testing.strategies import CONDITIONS, CURSORS, LABEL_VALUES, ORDERS, PUTS

RECORD = Record(
    key=Key("lab", "note", "a"),
    version=2,
    created_at=10,
    updated_at=20,
    session_id="s",
    labels={"n": 1, "x": 1.5, "yes": True, "text": "abc", "empty": ""},
    body=b"body",
)


def _record(put: Put) -> Record:
    """Return the record that a put makes."""
    record = decide(put, None, 0).record
    assert record is not None
    return record


RECORDS = PUTS.map(_record)
FIELDS = CONDITIONS.map(lambda condition: condition.field)


@pytest.mark.seed("2.3")
@pytest.mark.parametrize(
    ("field", "op", "value", "expected"),
    [
        ("labels.n", "eq", 1, True),
        ("labels.n", "eq", 1.0, True),
        ("labels.n", "eq", True, False),
        ("labels.n", "eq", "1", False),
        ("labels.n", "ne", True, True),
        ("labels.n", "ne", 1.0, False),
        ("labels.yes", "eq", True, True),
        ("labels.yes", "eq", 1, False),
        ("labels.yes", "lt", 2, False),
        ("labels.yes", "le", True, False),
        ("labels.x", "gt", 1, True),
        ("labels.x", "gt", "1", False),
        ("labels.x", "lt", 2**63 - 1, True),
        ("labels.text", "ge", "abc", True),
        ("labels.text", "gt", "ABC", True),
        ("labels.text", "lt", 5, False),
        ("labels.text", "prefix", "ab", True),
        ("labels.text", "prefix", "", True),
        ("labels.text", "prefix", "Ab", False),
        ("labels.n", "prefix", "", False),
        ("labels.none", "prefix", "", False),
        ("labels.none", "eq", None, True),
        ("labels.none", "ne", None, False),
        ("labels.none", "ne", 1, True),
        ("labels.none", "lt", 1, False),
        ("labels.none", "ge", "", False),
        ("labels.empty", "eq", None, False),
        ("labels.empty", "eq", "", True),
        ("labels.empty", "exists", True, True),
        ("labels.none", "exists", False, True),
        ("labels.none", "exists", True, False),
        ("labels.n", "in", (), False),
        ("labels.n", "in", ("1", True), False),
        ("labels.n", "in", ("1", 1.0), True),
        ("labels.none", "in", ("", 0), False),
        ("thread_id", "eq", None, True),
        ("session_id", "in", ("r", "s"), True),
        ("session_id", "lt", "t", True),
        ("id", "prefix", "a", True),
        ("kind", "ne", "note", False),
        ("space", "gt", "la", True),
        ("version", "ge", 2, True),
        ("version", "eq", 2.0, True),
        ("version", "eq", "2", False),
        ("created_at", "lt", 10.5, True),
        ("updated_at", "le", 19, False),
        ("expires_at", "eq", None, True),
        ("expires_at", "gt", 0, False),
    ],
)
def test_a_condition_compares_like_with_like(
    field: str, op: Op, value: Label | tuple[Label, ...] | None, *, expected: bool
) -> None:
    """Types never mix, ints and floats are numbers, absence equals `None` and has no order."""
    assert expected == Condition(field, op, value).matches(RECORD)


@given(RECORDS, FIELDS, st.none() | LABEL_VALUES)
def test_ne_is_the_opposite_of_eq(record: Record, field: str, value: Label | None) -> None:
    """For every record and value exactly one of the two holds."""
    equal = Condition(field, "eq", value).matches(record)
    assert equal != Condition(field, "ne", value).matches(record)


@given(RECORDS, FIELDS, LABEL_VALUES)
def test_orders_agree_with_each_other(record: Record, field: str, value: Label) -> None:
    """`le` is `lt` or `eq` for what has an order; `lt` and `ge` never hold together."""

    def holds(op: Op) -> bool:
        return Condition(field, op, value).matches(record)

    ordered = not isinstance(value, bool)
    assert holds("le") == (holds("lt") or (holds("eq") and ordered))
    assert holds("ge") == (holds("gt") or (holds("eq") and ordered))
    assert not (holds("lt") and holds("ge"))


@given(RECORDS, FIELDS, st.lists(LABEL_VALUES, max_size=4))
def test_in_is_any_of_eq(record: Record, field: str, values: list[Label]) -> None:
    """Membership is equality with one of the values."""
    expected = any(Condition(field, "eq", value).matches(record) for value in values)
    assert expected == Condition(field, "in", tuple(values)).matches(record)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: Condition("colour", "eq", 1), "unknown_field"),
        (lambda: Condition("labels.", "eq", 1), "empty"),
        (lambda: Condition("labels." + "x" * 257, "eq", 1), "too_long"),
        (lambda: Condition("body", "eq", "x"), "unknown_field"),
        (lambda: Condition("id", cast("Op", "like"), "x"), "unknown_operator"),
        (lambda: Condition("id", "in", "abc"), "bad_type"),
        (lambda: Condition("id", "in", (cast("str", None),)), "bad_type"),
        (lambda: Condition("id", "exists", 1), "bad_type"),
        (lambda: Condition("id", "exists", None), "bad_type"),
        (lambda: Condition("id", "prefix", 1), "bad_type"),
        (lambda: Condition("id", "prefix", None), "bad_type"),
        (lambda: Condition("id", "lt", None), "bad_type"),
        (lambda: Condition("id", "eq", (1,)), "bad_type"),
        (lambda: Condition("id", "eq", float("nan")), "not_finite"),
        (lambda: Condition("id", "eq", 2**63), "too_big"),
        (lambda: Condition("id", "eq", "\ud800"), "bad_text"),
        (lambda: AnyOf(()), "empty"),
        (lambda: Order("kind"), "unknown_field"),
        (lambda: Order("labels."), "empty"),
        (lambda: Query(space=""), "empty"),
        (lambda: Query(space="s", kinds=("k", "")), "empty"),
        (lambda: Query(space="s", session_id="\udfff"), "bad_text"),
        (lambda: Query(space="s", thread_id="x" * 1_025), "too_long"),
        (lambda: Query(space="s", limit=-1), "bad_limit"),
        (lambda: Query(space="s", limit=True), "bad_type"),
        (lambda: Query(space="s", limit=2**63), "too_big"),
    ],
)
def test_what_has_no_meaning_is_refused(make: Callable[[], object], code: str) -> None:
    """Unknown fields, operators and values are `Invalid` when the query is made."""
    with pytest.raises(Invalid) as caught:
        make()
    assert code == caught.value.code


@pytest.mark.seed("5.3")
def test_a_query_looks_at_space_kinds_and_parents() -> None:
    """Each part that is said must hold; what is not said does not count."""
    assert Query(space="lab").matches(RECORD, 0)
    assert Query(space=None, kinds=("note", "memo"), session_id="s").matches(RECORD, 0)
    for query in (
        Query(space="Lab"),
        Query(space="lab", kinds=("memo",)),
        Query(space="lab", session_id="t"),
        Query(space="lab", thread_id="t"),
        Query(space="lab").only(Condition("version", "eq", 1)),
        Query(space="lab").only(AnyOf((Condition("id", "eq", "b"), Condition("id", "eq", "c")))),
    ):
        assert not query.matches(RECORD, 0)
    both = Query(space="lab").only(Condition("version", "eq", 2)).only(Condition("id", "eq", "a"))
    assert both.matches(RECORD, 0)
    assert 2 == len(both.where)


def test_expired_records_match_where_they_are_asked_for() -> None:
    """A record that expired is seen by `expired` alone."""
    brief = Record(key=RECORD.key, version=1, created_at=0, updated_at=0, expires_at=10)
    query = Query(space="lab")
    assert [True, False] == [query.matches(brief, now) for now in (9, 10)]
    assert Query(space="lab", expired=True).matches(brief, 10)


def test_values_are_read_from_header_and_labels() -> None:
    """A field's name finds a part of the key, a header field or a label."""
    names = ("id", "kind", "space", "session_id", "thread_id", "version", "labels.n", "labels.no")
    assert ["a", "note", "lab", "s", None, 2, 1, None] == [value_of(RECORD, n) for n in names]
    assert Cursor("abc", "a", "note", "lab") == cursor_of(RECORD, Order("labels.text"))


@pytest.mark.seed("2.3")
@given(st.lists(RECORDS, max_size=5), ORDERS)
def test_pages_join_without_a_seam(records: list[Record], order: Order) -> None:
    """Cut anywhere, what lies before a cursor and what lies behind it is the whole."""
    ordered = sorted(
        {record.key: record for record in records}.values(),
        key=lambda record: cursor_of(record, order).key,
        reverse=order.descending,
    )
    for index, record in enumerate(ordered):
        here = cursor_of(record, order)
        behind = Query(space=None, order=order, after=here)
        before = Query(space=None, order=order, until=here)
        assert ordered[index + 1 :] == [r for r in ordered if behind.within(r)]
        assert ordered[:index] == [r for r in ordered if before.within(r)]


@given(RECORDS, ORDERS, CURSORS, CURSORS)
def test_both_cursors_bound(record: Record, order: Order, after: Cursor, until: Cursor) -> None:
    """Between two positions lies what is behind the one and before the other."""
    both = Query(space=None, order=order, after=after, until=until)
    one = Query(space=None, order=order, after=after)
    other = Query(space=None, order=order, until=until)
    assert both.within(record) == (one.within(record) and other.within(record))


def test_a_position_need_not_be_a_record() -> None:
    """An empty id lies before all with that value, an id with NUL right behind its record."""
    query = Query(space="lab", after=Cursor(10))
    assert query.within(RECORD)
    assert not Query(space="lab", after=Cursor(10, "a\0")).within(RECORD)
    assert Query(space="lab", until=Cursor(10, "a\0")).within(RECORD)
    assert not Query(space="lab", order=NEWEST_FIRST, after=Cursor(10)).within(RECORD)
    assert Query(space="lab", order=NEWEST_FIRST, until=Cursor(10)).within(RECORD)


def test_values_of_all_types_have_one_order() -> None:
    """Absent, False, True, numbers by value, texts by code point."""
    values = [None, False, True, -(2**63), -0.5, 0, 1, 1.5, 2**63 - 1, "", "\0", "A", "a", "\uffff"]
    values.append("\U0001f9f6")
    shuffled = [*values[1::2], *values[::2]]
    assert values == sorted(shuffled, key=rank)
    with pytest.raises(Invalid, match="bytes"):
        rank(b"x")


@pytest.mark.parametrize(
    ("where", "named"),
    [
        ((), None),
        ((Condition("id", "eq", "a"),), ("a",)),
        ((Condition("id", "in", ("a", 1, "b", "a", "", "x" * 2_000)),), ("a", "b")),
        ((Condition("kind", "eq", "note"), Condition("id", "eq", value=True)), ()),
        ((Condition("id", "prefix", "a"),), None),
        ((Condition("id", "ne", "a"),), None),
        ((AnyOf((Condition("id", "eq", "a"),)),), None),
    ],
)
@pytest.mark.seed("6.3")
def test_named_ids_are_those_a_match_must_have(
    where: tuple[Condition | AnyOf, ...], named: tuple[str, ...] | None
) -> None:
    """A condition that must hold and names ids leaves no others; what is no id is left out."""
    assert named == Query(space="lab", where=where).named_ids()
