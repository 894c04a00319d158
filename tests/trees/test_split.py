"""A value is split the same way whatever was known of it, and nothing that it needs is missing."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ropewalk.codecs.allowlist import TypeRegistry
from ropewalk.codecs.serialize import MsgPack
from ropewalk.domain.errors import Invalid
from ropewalk.testing.values import same
from ropewalk.trees.form import LIST, Row, pack_slot, read_slot
from ropewalk.trees.memo import ListMemo

from .growing import EDITS, STATES, Edit, Step, Value, edited, small_trees
from .shelf import Shelf

TYPES = TypeRegistry()
TYPES.register(Step)
TYPED = MsgPack(TYPES)

MANY = settings(
    max_examples=500 if os.environ.get("ROPEWALK_LONG") else 25,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def sized(*, small: bool) -> AbstractContextManager[None]:
    """Let nodes be as small as can be, or as they are."""
    return small_trees() if small else nullcontext()


def check_steps(value: Value, edits: list[Edit], ways: list[int], trust: list[bool]) -> None:
    """Write a value and what becomes of it, each time forgetting all but the one before.

    `ways` say how each step is gone on from: with the memo, with one read from the nodes, or with
    none; `trust` whether the same objects are taken for unchanged.
    """
    shelf = Shelf(TYPED)
    slot, memo = shelf.write(value, by_identity=trust[-1])
    for edit, way, by_identity in zip(edits, ways, trust, strict=True):
        value = edited(value, edit)
        before = slot
        # This is what the collector may take as soon as the state before is the newest.
        shelf.collect(before)
        if way == 1:
            memo = shelf.seeded(before)
        elif way == 2:
            memo = None
        slot, memo = shelf.write(value, memo, before=before, by_identity=by_identity)
        assert shelf.scratch(value) == slot
        shelf.reachable([slot])
        assert TYPED.dumps(value) == shelf.form(slot)
        assert same(value, shelf.value(slot))
        assert slot == read_slot(pack_slot(slot))


TIMES = 4
WAYS = st.lists(st.sampled_from([0, 0, 0, 1, 2]), min_size=TIMES, max_size=TIMES)
STEPS = st.lists(EDITS, min_size=TIMES, max_size=TIMES)
TRUST = st.lists(st.booleans(), min_size=TIMES, max_size=TIMES)


@pytest.mark.seed("3.4")
@pytest.mark.parametrize("small", [True, False])
@given(value=STATES, edits=STEPS, ways=WAYS, trust=TRUST)
@MANY
def test_going_on_gives_what_splitting_anew_gives(
    small: bool, value: Value, edits: list[Edit], ways: list[int], trust: list[bool]
) -> None:
    """The same slots, the same form, the same value, and no node missing after a collection."""
    with sized(small=small):
        check_steps(value, edits, ways, trust)


ITEMS = st.lists(STATES | st.integers(0, 999), max_size=4)


@pytest.mark.seed("3.4")
@given(value=ITEMS, more=st.lists(ITEMS, min_size=4, max_size=4), ways=WAYS)
@MANY
def test_appending_gives_what_splitting_anew_gives(
    value: list[Value], more: list[list[Value]], ways: list[int]
) -> None:
    """So a list may be grown by its right edge alone, from memory or from the nodes."""
    shelf = Shelf(TYPED)
    with small_trees():
        value = [*value, *range(40)]
        row, memo = shelf.write(value)
        for items, way in zip(more, ways, strict=True):
            assert isinstance(row, Row)
            shelf.collect(row)
            if way == 1:
                memo = shelf.seeded(row)
            elif way == 2:
                memo = shelf.edge(row)
            assert isinstance(memo, ListMemo)
            value = [*value, *items]
            row = shelf.extend(memo, items)
            assert shelf.scratch(value) == row
            shelf.reachable([row])
            assert same(value, shelf.value(row))
        if isinstance(memo, ListMemo) and memo.leaves is not None:
            value = [*value[:3], "new", *value[3:]]
            before = row
            row, _ = shelf.write(value, memo, before=before)
            assert shelf.scratch(value) == row


def test_every_value_may_become_none_after_objects_were_not_kept() -> None:
    """Whoever vouches for objects vouches for none where none were kept."""
    shelf = Shelf()
    numbers: dict[str, object] = {f"k{n}": n for n in range(300)}
    slot, memo = shelf.write(numbers)
    nothing: dict[str, object] = {key: None for key in numbers}  # noqa: C420 (its type)
    slot, _ = shelf.write(nothing, memo, before=slot, by_identity=True)
    assert nothing == shelf.value(slot)


def test_the_same_object_is_unchanged_where_the_caller_vouches_for_it() -> None:
    """Without that, a change in place is seen."""
    shelf = Shelf()
    rows = [[n] * 900 for n in range(9)]
    slot, memo = shelf.write(rows, by_identity=True)
    rows[4].append(-1)
    again, memo = shelf.write(rows, memo, before=slot, by_identity=True)
    assert slot == again
    again, memo = shelf.write(rows, memo, before=slot)
    assert rows == shelf.value(again)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"x", bytearray(b"x")), (1, True), (0.0, -0.0), ("1", 1), ([], {}), ("\u0107", "\u0106")],
)
def test_a_change_in_place_is_seen(old: Value, new: Value) -> None:
    """However alike the two are, at the third comparison as at the first."""
    shelf = Shelf()
    rows: list[dict[str, Value]] = [{"n": n, "text": "\u0107" * 300, "v": [old]} for n in range(60)]
    before, memo = shelf.write(rows)
    for _ in range(2):
        slot, memo = shelf.write(rows, memo, before=before)
        assert before == slot
    rows[7]["v"][0] = new
    slot, memo = shelf.write(rows, memo, before=before)
    assert before != slot
    assert same(rows, shelf.value(slot))


def _rows_of_letters() -> list[dict[str, Value]]:
    return [{"n": n, "text": "abc\u0107" * 300, "v": 1} for n in range(90)]


def _typed(row: dict[str, Value]) -> None:
    row["v"] = True


def _floating(row: dict[str, Value]) -> None:
    row["v"] = 1.0


def _reordered(row: dict[str, Value]) -> None:
    row["n"] = row.pop("n")


def _grown(row: dict[str, Value]) -> None:
    row["more"] = (1, 2)


@pytest.mark.parametrize("change", [_typed, _floating, _reordered, _grown])
def test_a_change_is_seen_wherever_it_is(change: Callable[[dict[str, Value]], None]) -> None:
    """Leaves that are compared together tell of each item, the first, the last and any between."""
    shelf = Shelf()
    rows = _rows_of_letters()
    before, memo = shelf.write(rows)
    for place in range(len(rows)):
        # Each leaf has to look the same once before it is compared with its neighbours.
        for _ in range(2):
            slot, memo = shelf.write(rows, memo, before=before)
            assert before == slot
        change(rows[place])
        changed, memo = shelf.write(rows, memo, before=before)
        assert shelf.scratch(rows) == changed, place
        rows[place] = _rows_of_letters()[place]
        slot, memo = shelf.write(rows, memo, before=changed)
        assert before == slot


def test_a_list_may_end_inside_leaves_that_are_compared_together() -> None:
    """However much of it is gone."""
    for length in range(0, 90, 4):
        shelf = Shelf()
        rows = _rows_of_letters()
        slot, memo = shelf.write(rows)
        for _ in range(2):
            slot, memo = shelf.write(rows, memo, before=slot)
        del rows[length:]
        slot, _ = shelf.write(rows, memo, before=slot)
        assert shelf.scratch(rows) == slot


class Counting(MsgPack):
    """Count what is compared leaf by leaf."""

    alone = 0

    def same(self, value: object, form: bytes, *, bare: bool) -> bool:
        """Count, and do what is done otherwise."""
        self.alone += 1
        return super().same(value, form, bare=bare)


@pytest.mark.seed("6.4")
def test_what_looks_as_it_did_is_compared_in_few_pieces() -> None:
    """No leaf is looked at alone."""
    values = Counting()
    shelf = Shelf(values)
    rows = _rows_of_letters()
    slot, memo = shelf.write(rows)
    for _ in range(3):
        slot, memo = shelf.write(rows, memo, before=slot)
    assert isinstance(memo, ListMemo)
    assert memo.leaves
    assert 0 == values.alone


def test_what_is_vouched_for_is_passed_over_as_far_as_it_goes() -> None:
    """Behind the first object that is another everything is looked at, however many there are."""
    shelf = Shelf()
    rows = [[n] * 40 for n in range(2_500)]
    slot, memo = shelf.write(rows, by_identity=True)
    for place in (2_400, 1_030, 0):
        before = slot
        rows[place] = [-1] * 40
        slot, memo = shelf.write(rows, memo, before=before, by_identity=True)
        assert before != slot
        assert rows == shelf.value(slot)
    del rows[1_100:]
    slot, memo = shelf.write(rows, memo, before=slot, by_identity=True)
    assert rows == shelf.value(slot)
    rows += [[n] for n in range(50)]
    slot, memo = shelf.write(rows, memo, before=slot, by_identity=True)
    assert shelf.scratch(rows) == slot


def test_what_nests_without_an_end_is_refused() -> None:
    """A list that holds itself is an error, and no hang."""
    rows: list[object] = [1]
    rows.append(rows)
    pairs: dict[str, object] = {"a": 1}
    pairs["b"] = [pairs] * 9
    for value in (rows, pairs):
        with pytest.raises(Invalid):
            Shelf().write(value)


def test_deep_values_come_back() -> None:
    """Deeper than trees go, what is left is kept in one piece."""
    value: object = "x" * 9000
    for at in range(120):
        value = [value, at] if at % 2 else {"in": value}
    shelf = Shelf()
    slot, memo = shelf.write(value)
    assert value == shelf.value(slot)
    again, _ = shelf.write(value, memo, before=slot)
    assert slot == again


@pytest.mark.seed("6.4")
def test_equal_states_of_two_families_have_no_node_in_common() -> None:
    """A name says nothing about what others have."""
    one, other = Shelf(family="one"), Shelf(family="other")
    value = [{"role": "user", "content": f"text {n}" * 30} for n in range(100)]
    slots = [shelf.write(value)[0] for shelf in (one, other)]
    assert value == one.value(slots[0])
    assert value == other.value(slots[1])
    assert not one.bodies.keys() & other.bodies.keys()


def test_a_row_says_how_many_items_it_has() -> None:
    """Totals are of items, of pairs, of UTF-8 bytes and of bytes."""
    values: list[tuple[object, int]] = [
        (list(range(1000)), 1000),
        ({f"k{n}": n for n in range(500)}, 500),
        ("ß" * 9000, 18000),
        (b"ab" * 9000, 18000),
    ]
    for kind, (value, total) in enumerate(values):
        slot, _ = Shelf().write(value)
        assert isinstance(slot, Row)
        assert (kind, total) == (slot.kind, slot.total)
    assert LIST == 0
