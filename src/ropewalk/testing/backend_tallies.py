"""What a back end with the power `tally` owes: exact counts and sums, by group, in the engine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ..domain.change import Put
from ..domain.clock import FrozenClock
from ..domain.errors import Invalid
from ..domain.labels import Label
from ..domain.limits import MAX_INT64, MIN_INT64
from ..domain.ports import Backend
from ..domain.query import NEWEST_FIRST, Condition, Order, Query
from ..domain.record import Key
from ..domain.tally import DAY, GROUP_FIELDS, MICROSECONDS_PER_DAY, Tally, tally_records
from .samples import SPACE, assert_tallies, clear, everything, key, put, write
from .strategies import FEW, PUTS, QUERIES, TALLIES

GROUPS: tuple[tuple[str, ...], ...] = (
    (),
    *((name,) for name in sorted(GROUP_FIELDS)),
    ("labels.model",),
    ("labels.nobody",),
    ("kind", "labels.model"),
    ("session_id", "thread_id", DAY),
    ("kind", "kind"),
)


class TallyContract:
    """`tally`: the answer of `tally_records` over the same scan."""

    @pytest.mark.seed("2.3", "6.3")
    async def test_it_agrees_with_its_meaning(self, backend: Backend) -> None:
        """Every grouping gives the groups, in order, with the counts and sums of the definition."""
        await _write_the_usage(backend)
        sums = ("tokens", "nanos", "share", "model")
        for query in (
            Query(space=SPACE),
            Query(space=None),
            Query(space=SPACE, kinds=("cost",)),
            Query(space=SPACE, session_id="s1", where=(Condition("labels.tokens", "gt", 3),)),
            Query(space="nowhere"),
        ):
            there = await everything(backend, query)
            for group_by in GROUPS:
                expected = tally_records(there, sums, group_by)
                assert_tallies(expected, await backend.tally(query, sums, group_by))

    @pytest.mark.seed("2.3", "6.3")
    @FEW
    @given(
        records=st.lists(PUTS, max_size=14, unique_by=lambda change: change.key),
        asked=st.lists(st.tuples(QUERIES, TALLIES), min_size=1, max_size=6),
    )
    async def test_random_tallies_agree(
        self,
        backend: Backend,
        clock: FrozenClock,
        records: list[Put],
        asked: list[tuple[Query, tuple[Sequence[str], Sequence[str]]]],
    ) -> None:
        """Random records and questions: the answer is `tally_records` over what matches."""
        await clear(backend)
        if records:
            await write(backend, *records)
        there = await everything(backend, Query(space=None, expired=True))
        for query, (sums, group_by) in asked:
            matching = [
                record
                for record in there
                if query.matches(record, clock.now()) and query.within(record)
            ]
            expected = tally_records(matching, sums, group_by)
            assert_tallies(expected, await backend.tally(query, sums, group_by), scale=1e20)

    @pytest.mark.seed("6.3")
    async def test_one_group_even_of_nothing(self, backend: Backend) -> None:
        """Without grouping there is one group, of nothing too; with grouping there is none."""
        query = Query(space=SPACE)
        assert [Tally((), 0, (0,))] == await backend.tally(query, ("n",))
        assert await backend.tally(query, ("n",), ("kind",)) == []
        assert await backend.tally(replace(query, session_id="s"), (), ("session_id",)) == []

    @pytest.mark.seed("6.3")
    async def test_days_before_1970(self, backend: Backend) -> None:
        """A day is floored: the microsecond before 1970 belongs to day -1."""
        day = MICROSECONDS_PER_DAY
        times = [-day - 1, -day, -1, 0, day - 1, day]
        await write(backend, *[put(f"n{n}", created_at=at) for n, at in enumerate(times)])
        answer = await backend.tally(Query(space=SPACE), (), (DAY,))
        assert [((-2,), 1), ((-1,), 2), ((0,), 2), ((1,), 1)] == [
            (t.group, t.count) for t in answer
        ]

    @pytest.mark.seed("6.3")
    async def test_sums_of_integers_are_exact(self, backend: Backend) -> None:
        """Integer sums beyond 64 bits, up and down, lose nothing and stay integers."""
        await write(
            backend,
            *[
                put(f"n{n}", labels={"up": MAX_INT64, "down": MIN_INT64, "odd": 2**53 + n})
                for n in range(5)
            ],
        )
        (answer,) = await backend.tally(Query(space=SPACE), ("up", "down", "odd"))
        assert (5 * MAX_INT64, 5 * MIN_INT64, 5 * 2**53 + 10) == answer.sums
        assert [int, int, int] == [type(total) for total in answer.sums]

    @pytest.mark.seed("6.3")
    async def test_one_float_makes_a_float(self, backend: Backend) -> None:
        """A float among integers makes the sum a float; texts, bools and absence add nothing."""
        await write(
            backend,
            put("a", labels={"mixed": 1, "text": "1", "flag": True}),
            put("b", labels={"mixed": 0.25, "text": "2", "flag": True}),
            put("c", labels={"whole": 2.0}),
        )
        (answer,) = await backend.tally(Query(space=SPACE), ("mixed", "text", "flag", "whole"))
        assert [(float, 1.25), (int, 0), (int, 0), (float, 2.0)] == [
            (type(total), total) for total in answer.sums
        ]

    @pytest.mark.seed("6.3")
    async def test_a_sum_beyond_floats_is_infinite(self, backend: Backend) -> None:
        """Floats whose sum no float can hold are an answer, not an accident."""
        huge = 1.7e308
        await write(backend, *[put(n, labels={"up": huge, "down": -huge}) for n in "abc"])
        (answer,) = await backend.tally(Query(space=SPACE), ("up", "down"))
        assert (math.inf, -math.inf) == answer.sums

    @pytest.mark.seed("6.3")
    async def test_groups_of_mixed_labels(self, backend: Backend) -> None:
        """Groups sort absent, bools, numbers, texts; 1 and 1.0 are one group, `True` another."""
        values: list[Label] = ["b", 1.0, True, 1, "B", False, 0.5, "", "1"]
        await write(
            backend,
            *[put(f"n{n}", labels={"g": value}) for n, value in enumerate(values)],
            put("none"),
        )
        answer = await backend.tally(Query(space=SPACE), (), ("labels.g",))
        expected = [None, False, True, 0.5, 1, "", "1", "B", "b"]
        assert [(type(v), v) for v in expected] == [(type(t.group[0]), t.group[0]) for t in answer]
        assert [2 if v is not True and v == 1 else 1 for v in expected] == [t.count for t in answer]

    @pytest.mark.seed("6.3")
    async def test_cursors_bound_it_and_limits_do_not(self, backend: Backend) -> None:
        """A tally counts between the query's cursors, whatever the direction or the limit."""
        await write(backend, *[put(f"n{n}", labels={"v": 10**n}, created_at=n) for n in range(8)])
        query = Query(space=SPACE, limit=1)
        records = await everything(backend, replace(query, limit=None))
        for order in (Order(), NEWEST_FIRST, Order("id"), Order("labels.v", descending=True)):
            low, high = (6, 2) if order.descending else (2, 6)
            placed = replace(query, order=order)
            bounded = replace(
                placed, after=placed.cursor(records[low]), until=placed.cursor(records[high])
            )
            assert [Tally((), 3, (111_000,))] == await backend.tally(bounded, ("v",))

    @pytest.mark.seed("6.3")
    async def test_the_expired_do_not_count(self, backend: Backend, clock: FrozenClock) -> None:
        """Expired records count only where the query asks for them."""
        await write(backend, Put(key=key("a"), expires_at=clock.now() + 1_000), put("b"))
        clock.advance(1_000)
        query = Query(space=SPACE)
        assert [Tally((), 1, ())] == await backend.tally(query)
        assert [Tally((), 2, ())] == await backend.tally(replace(query, expired=True))

    async def test_an_unknown_group_is_refused(self, backend: Backend) -> None:
        """A group that is no field, and a sum without a name, are `Invalid`, naming it."""
        query = Query(space=SPACE)
        with pytest.raises(Invalid, match="colour"):
            await backend.tally(query, (), ("colour",))
        with pytest.raises(Invalid):
            await backend.tally(query, ("",))

    @pytest.mark.seed("6.3")
    async def test_label_names_that_look_like_syntax(self, backend: Backend) -> None:
        """Sums and groups by names with quotes, dots, brackets or NUL mean exactly that label."""
        names = ['a"b', "a'b", "a.b", "a[0]", "$", "a\0b", "%", "é", 'x"]', "labels.x"]
        await write(backend, put("a", labels={name: n + 1 for n, name in enumerate(names)}))
        (answer,) = await backend.tally(
            Query(space=SPACE), names, [f"labels.{name}" for name in names]
        )
        numbers = tuple(range(1, len(names) + 1))
        assert (numbers, numbers) == (answer.group, answer.sums)


async def _write_the_usage(backend: Backend) -> None:
    """Write costs and token usages of several sessions, threads, models, days and spaces."""
    models = ("small", "large", None)
    changes = [
        Put(
            key=Key("elsewhere" if n % 13 == 0 else SPACE, "cost" if n % 2 else "usage", f"n{n}"),
            labels={
                "tokens": n,
                "nanos": 10**15 + n,
                "share": 0.1 * n,
                **({"model": model} if (model := models[n % 3]) else {}),
            },
            session_id=("s1", "s2", None)[n % 3],
            thread_id=("t1", None)[n % 2],
            created_at=(n - 20) * MICROSECONDS_PER_DAY // 4,
        )
        for n in range(60)
    ]
    await write(backend, *changes)
