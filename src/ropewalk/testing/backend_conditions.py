"""What every back end owes a query: the answer of `Query.matches`, whatever it translates to."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..domain.change import Put
from ..domain.clock import FrozenClock
from ..domain.labels import Label
from ..domain.ports import Backend
from ..domain.query import AnyOf, Condition, Op, Order, Query
from ..domain.record import Record
from .samples import SPACE, clear, everything, ids, key, put, write
from .strategies import FEW, PUTS, QUERIES

VALUES: Final[dict[str, Label]] = {
    "false": False,
    "true": True,
    "zero": 0,
    "one": 1,
    "one-float": 1.0,
    "half": 0.5,
    "minus": -7,
    "big": 2**63 - 1,
    "small": -(2**63),
    "exact": 2**53 + 1,
    "rounded": float(2**53),
    "text-one": "1",
    "text-true": "true",
    "empty": "",
    "nul": "\0",
    "upper": "ABC",
    "lower": "abc",
    "percent": "a%c",
    "under": "a_c",
    "slash": "a\\c",
    "quote": "a'\"c",
    "inner-nul": "a\0c",
    "accent": "\u00e9",
    "combined": "e\u0301",
    "wool": "\U0001f9f6",
    "last": "\U0010ffff",
}
"""One record a value, named so that an answer can be read; `none` has no label at all."""

TEXTS: Final = {name for name, value in VALUES.items() if isinstance(value, str)}
NUMBERS: Final = {name for name, value in VALUES.items() if type(value) in (int, float)}

CASES: Final[tuple[tuple[Op, Label | tuple[Label, ...] | None, set[str]], ...]] = (
    ("eq", 1, {"one", "one-float"}),
    ("eq", 1.0, {"one", "one-float"}),
    ("eq", True, {"true"}),
    ("eq", "1", {"text-one"}),
    ("eq", "true", {"text-true"}),
    ("eq", "", {"empty"}),
    ("eq", "\0", {"nul"}),
    ("eq", None, {"none"}),
    ("eq", 2**53, {"rounded"}),
    ("eq", 2**53 + 1, {"exact"}),
    ("eq", "\u00e9", {"accent"}),
    ("eq", "abc", {"lower"}),
    ("ne", 1, {*VALUES, "none"} - {"one", "one-float"}),
    ("ne", None, {*VALUES}),
    ("ne", True, {*VALUES, "none"} - {"true"}),
    ("lt", 1, {"zero", "half", "minus", "small"}),
    ("le", 0.5, {"zero", "half", "minus", "small"}),
    ("gt", 2**53, {"big", "exact"}),
    ("ge", float(2**53), {"big", "exact", "rounded"}),
    ("lt", -(2**63), set()),
    ("le", 2**63 - 1, NUMBERS),
    ("gt", -1e300, NUMBERS),
    ("lt", True, set()),
    ("ge", False, set()),
    ("lt", "1", {"empty", "nul"}),
    ("gt", "\u00e9", {"wool", "last"}),
    ("ge", "", TEXTS),
    ("le", "ABC", {"empty", "nul", "text-one", "upper"}),
    ("gt", "a", TEXTS - {"empty", "nul", "text-one", "upper"}),
    ("in", (), set()),
    ("in", (1, "1"), {"one", "one-float", "text-one"}),
    ("in", (True, 0, ""), {"true", "zero", "empty"}),
    ("in", ("abc", "abc", "nowhere"), {"lower"}),
    ("prefix", "", TEXTS),
    ("prefix", "a", {"lower", "percent", "under", "slash", "quote", "inner-nul"}),
    ("prefix", "A", {"upper"}),
    ("prefix", "a%", {"percent"}),
    ("prefix", "a_", {"under"}),
    ("prefix", "a\\", {"slash"}),
    ("prefix", "a'\"", {"quote"}),
    ("prefix", "a\0", {"inner-nul"}),
    ("prefix", "\0", {"nul"}),
    ("prefix", "e", {"combined"}),
    ("prefix", "\U0010ffff", {"last"}),
    ("prefix", "1", {"text-one"}),
    ("exists", True, {*VALUES}),
    ("exists", False, {"none"}),
)

HEADER_CASES: Final[tuple[tuple[Condition, set[str]], ...]] = (
    (Condition("id", "eq", "a"), {"a"}),
    (Condition("id", "prefix", "a"), {"a", "ab", "a%"}),
    (Condition("id", "prefix", "a%"), {"a%"}),
    (Condition("id", "in", ("a", "B", 1)), {"a", "B"}),
    (Condition("id", "gt", "a%"), {"ab"}),
    (Condition("id", "eq", value=True), set()),
    (Condition("kind", "ne", "note"), {"B"}),
    (Condition("space", "eq", SPACE), {"a", "ab", "a%", "B"}),
    (Condition("session_id", "eq", None), {"B"}),
    (Condition("session_id", "ne", "s"), {"a%", "B"}),
    (Condition("session_id", "exists", value=True), {"a", "ab", "a%"}),
    (Condition("session_id", "lt", "s"), {"a%"}),
    (Condition("thread_id", "prefix", "t"), {"ab"}),
    (Condition("thread_id", "ge", 0), set()),
    (Condition("version", "eq", 2), {"ab"}),
    (Condition("version", "eq", 2.0), {"ab"}),
    (Condition("version", "lt", 1.5), {"a", "a%", "B"}),
    (Condition("version", "eq", value=True), set()),
    (Condition("version", "eq", "1"), set()),
    (Condition("created_at", "lt", 0), {"a"}),
    (Condition("created_at", "in", (-3, 7.0)), {"a", "ab"}),
    (Condition("updated_at", "ge", 100), {"a", "ab", "a%"}),
    (Condition("expires_at", "eq", None), {"a", "ab", "a%"}),
    (Condition("expires_at", "exists", value=True), {"B"}),
    (Condition("expires_at", "gt", 0), {"B"}),
)


ORDERED: Final[tuple[Op, ...]] = ("eq", "ne", "lt", "le", "gt", "ge")
"""Operators that take one value."""


class ConditionContract:
    """Conditions on labels and header fields, one by one and drawn at random."""

    @pytest.mark.seed("2.3", "6.3")
    async def test_every_operator_on_labels(self, backend: Backend) -> None:
        """Each operator finds exactly the labels it means, types and strange letters included."""
        changes = [put(name, labels={"v": value}) for name, value in VALUES.items()]
        await write(backend, *changes, put("none", labels={"other": 1}))
        for op, value, expected in CASES:
            query = Query(space=SPACE, where=(Condition("labels.v", op, value),))
            assert sorted(expected) == sorted(await ids(backend, query)), f"{op} {value!r}"

    @pytest.mark.seed("2.3", "6.3")
    async def test_every_header_field(self, backend: Backend) -> None:
        """Key, parents, version and times are searched like labels."""
        await write(backend, put("ab"))
        await write(
            backend,
            Put(key=key("a"), session_id="s", created_at=-3, updated_at=100),
            Put(key=key("ab"), session_id="s", thread_id="t1", created_at=7, updated_at=101),
            Put(key=key("a%"), session_id="S", created_at=8, updated_at=102),
            Put(key=key("B", kind="memo"), created_at=9, updated_at=99, expires_at=2**60),
        )
        for condition, expected in HEADER_CASES:
            query = Query(space=SPACE, where=(condition,))
            assert sorted(expected) == sorted(await ids(backend, query)), f"{condition}"

    @pytest.mark.seed("2.3", "6.3")
    async def test_values_that_no_header_can_have(self, backend: Backend) -> None:
        """Fractions, other types and numbers beyond all times are compared like any value."""
        await write(backend, put("a"), Put(key=key("b"), expires_at=2**60))
        records = await everything(backend, Query(space=SPACE))
        for field in ("version", "created_at", "updated_at", "expires_at"):
            for op in ORDERED:
                for value in (1.5, True, "1", 1e300, -1e300, 2**63 - 1, float(2**60)):
                    condition = Condition(field, op, value)
                    expected = [r.key.id for r in records if condition.matches(r)]
                    query = Query(space=SPACE, where=(condition,))
                    assert sorted(expected) == sorted(await ids(backend, query)), f"{condition}"

    @pytest.mark.seed("2.3")
    async def test_conditions_all_hold_and_choices_hold_once(self, backend: Backend) -> None:
        """Several conditions must all hold; of an `AnyOf` one is enough; they nest side by side."""
        await write(
            backend,
            *[put(f"n{n}", labels={"n": n, "even": n % 2 == 0}, session_id="s") for n in range(8)],
        )
        even = Condition("labels.even", "eq", value=True)
        ends = AnyOf((Condition("labels.n", "lt", 2), Condition("labels.n", "gt", 5)))
        middle = AnyOf((Condition("labels.n", "in", (3, 4)), Condition("id", "eq", "n6")))
        query = Query(space=SPACE, session_id="s")
        assert await ids(backend, query.only(even, ends)) == ["n0", "n6"]
        assert await ids(backend, query.only(ends, middle)) == ["n6"]
        assert await ids(backend, query.only(middle, even)) == ["n4", "n6"]
        many = query.only(*[Condition("labels.n", "ge", 6)] * 40)
        assert await ids(backend, many) == ["n6", "n7"]

    @pytest.mark.seed("2.3")
    async def test_long_lists_of_values_and_choices(self, backend: Backend) -> None:
        """Thousands of values, hundreds of choices and of kinds are answered like few."""
        await write(backend, *[put(f"n{n}", labels={"n": n}) for n in range(5)])
        query = Query(space=SPACE)
        values = Condition("labels.n", "in", tuple(range(3, 40_003)))
        assert await ids(backend, query.only(values)) == ["n3", "n4"]
        names = Condition("id", "in", tuple(f"n{n}" for n in range(4, 5_004)))
        assert await ids(backend, query.only(names)) == ["n4"]
        choice = AnyOf(tuple(Condition("labels.n", "eq", n) for n in range(2, 502)))
        assert await ids(backend, query.only(choice)) == ["n2", "n3", "n4"]
        kinds = ("note", *(f"kind-{n}" for n in range(1_500)))
        assert len(await ids(backend, replace(query, kinds=kinds))) == 5

    @pytest.mark.seed("2.3", "10.4")
    async def test_label_names_that_look_like_syntax(self, backend: Backend) -> None:
        """A label's name with quotes, dots, brackets, NUL or operators means exactly that label."""
        names = ["a.b", "a", "b", 'q"', "q'", "a[0]", "$", "$.a", "", "n\0", "n", "N", "*", "1"]
        names += ["labels.a", "\u00e9", "e\u0301", "x') or 1=1 --", "key\\", "x" * 256]
        names.remove("")
        await write(backend, *[put(f"{n:02}", labels={name: n}) for n, name in enumerate(names)])
        for n, name in enumerate(names):
            field = f"labels.{name}"
            for condition in (Condition(field, "eq", n), Condition(field, "exists", value=True)):
                assert [f"{n:02}"] == await ids(backend, Query(space=SPACE, where=(condition,)))
            query = Query(space=SPACE, order=Order(field, descending=True), limit=1)
            assert [f"{n:02}"] == await ids(backend, query), repr(name)

    @pytest.mark.seed("1.3", "2.3")
    @FEW
    @given(
        records=st.lists(PUTS, max_size=14, unique_by=lambda change: change.key),
        asked=st.lists(QUERIES, min_size=1, max_size=6),
    )
    async def test_a_scan_is_what_the_query_means(
        self, backend: Backend, clock: FrozenClock, records: list[Put], asked: list[Query]
    ) -> None:
        """Random records and queries: a scan equals sorting and filtering by `Query.matches`."""
        await clear(backend)
        if records:
            await write(backend, *records)
        everyone = Query(space=None, expired=True)
        there = await everything(backend, everyone)
        assert {change.key for change in records} == {record.key for record in there}
        for query in asked:
            answer = await everything(backend, query)
            assert meaning(there, query, clock.now()) == answer


def meaning(records: list[Record], query: Query, now: int) -> list[Record]:
    """Return the answer of `query` over `records` by its definition."""
    answer = sorted(
        (record for record in records if query.matches(record, now) and query.within(record)),
        key=lambda record: query.cursor(record).key,
        reverse=query.order.descending,
    )[: query.limit]
    return answer if query.bodies else [replace(record, body=None) for record in answer]
