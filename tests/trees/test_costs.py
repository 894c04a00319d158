"""What a change costs: counted in nodes and bytes that are kept, and in nodes that are read."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import pytest

from ropewalk.trees.form import Row
from ropewalk.trees.memo import ListMemo

from .growing import words
from .shelf import Shelf


def message(number: int, size: int = 300) -> dict[str, object]:
    """Return a message like no other."""
    return {"role": "user", "id": f"m-{number}", "content": words(number, size)}


def costs_of_appends(shelf: Shelf, items: list[object], count: int = 60) -> tuple[float, float]:
    """Append one item at a time; return how many nodes and bytes each kept on average."""
    row, memo = shelf.write(items)
    nodes = size = 0
    for number in range(count):
        assert isinstance(memo, ListMemo)
        row = shelf.extend(memo, [message(10**6 + number)])
        nodes += len(shelf.new)
        size += shelf.new_bytes
    assert isinstance(row, Row)
    assert len(items) + count == row.total
    return nodes / count, size / count


@pytest.fixture(scope="module")
def appends() -> dict[int, tuple[float, float]]:
    """Nodes and bytes of an append, by the length of the list."""
    return {
        length: costs_of_appends(Shelf(), [message(number, 120) for number in range(length)])
        for length in (100, 1_000, 20_000)
    }


@pytest.mark.seed("6.4")
def test_an_append_costs_the_same_at_any_length(appends: dict[int, tuple[float, float]]) -> None:
    """At 20,000 items less than one node and half as many bytes more than at 100."""
    few_nodes, few_bytes = appends[100]
    for nodes, size in appends.values():
        assert nodes < few_nodes + 1.5
        assert size < few_bytes * 1.8
        assert size < 1_400


@pytest.mark.parametrize("length", [100, 2_000, 10_000])
def test_saving_an_appended_list_whole_keeps_what_appending_keeps(length: int) -> None:
    """The writer finds out by itself what has not changed."""
    shelf, other = Shelf(), Shelf()
    items: list[object] = [message(number, 60) for number in range(length)]
    slot, memo = shelf.write(items)
    row, edge = other.write(items)
    assert slot == row
    for number in range(5):
        item = message(10**6 + number)
        items = [*items, item]
        slot, memo = shelf.write(items, memo, before=slot)
        assert isinstance(edge, ListMemo)
        assert slot == other.extend(edge, [item])
        assert other.new == shelf.new


EDITS: list[tuple[str, Callable[[list[object], int], None]]] = [
    ("set", lambda items, at: items.__setitem__(at, message(10**7))),
    ("delete", lambda items, at: items.__delitem__(at)),
    ("insert", lambda items, at: items.insert(at, message(10**8))),
]


@pytest.mark.parametrize("length", [200, 2_000, 10_000])
def test_an_edit_keeps_a_path_of_nodes(length: int) -> None:
    """The item, its leaf or two, and a node or two on each level above: O(log n)."""
    shelf = Shelf()
    items: list[object] = [message(number, 60) for number in range(length)]
    slot, memo = shelf.write(items)
    for place, (what, edit) in product([0.0, 0.5, 0.97], EDITS):
        items = list(items)
        edit(items, int(place * length))
        slot, memo = shelf.write(items, memo, before=slot)
        assert items == shelf.value(slot), (what, place)
        assert 0 < len(shelf.new) <= 4 + 3 * math.log10(length), (what, place)


@pytest.mark.parametrize("length", [100, 1_000, 10_000])
def test_a_value_of_a_long_dictionary_keeps_a_path_of_nodes(length: int) -> None:
    """The same for dictionaries."""
    shelf = Shelf()
    pairs: dict[str, object] = {f"key {n}": message(n, 60) for n in range(length)}
    slot, memo = shelf.write(pairs)
    for change in ({f"key {length // 2}": 1}, {"new": message(-1)}):
        pairs = pairs | change
        slot, memo = shelf.write(pairs, memo, before=slot)
        assert 0 < len(shelf.new) <= 4 + 3 * math.log10(length)
    assert pairs == shelf.value(slot)


TEXT = words(1, 1_000_000)
HELD: list[object] = [
    TEXT,
    TEXT.encode(),
    [TEXT],
    {"a": TEXT, "b": 1},
    [{"content": TEXT, "number": n} for n in range(3)],
    {"a": {"b": (TEXT, [TEXT[:50_000]])}},
]


@pytest.mark.parametrize("value", HELD, ids=["text", "bytes", "list", "dict", "deep", "deeper"])
@pytest.mark.parametrize("by_identity", [True, False])
def test_what_did_not_change_keeps_nothing(value: object, by_identity: bool) -> None:
    """However long its texts are; this holds for equal values as for the same ones."""
    shelf = Shelf()
    slot, memo = shelf.write(value, by_identity=by_identity)
    equal = shelf.value(slot)
    for unchanged in (value, equal):
        again, memo = shelf.write(unchanged, memo, before=slot, by_identity=by_identity)
        assert slot == again
        assert [] == shelf.new


@pytest.mark.parametrize("value", HELD, ids=["text", "bytes", "list", "dict", "deep", "deeper"])
def test_what_somebody_else_wrote_is_not_written_again(value: object) -> None:
    """A memo that was read from the nodes knows as much."""
    shelf = Shelf()
    slot, _ = shelf.write(value)
    again, _ = shelf.write(value, shelf.seeded(slot), before=slot)
    assert slot == again
    assert [] == shelf.new


@pytest.mark.seed("6.4")
@pytest.mark.parametrize("wrapped", [True, False])
def test_an_insertion_into_a_long_text_keeps_few_chunks(wrapped: bool) -> None:
    """A megabyte of text is not written again because of a word."""
    shelf = Shelf()
    slot, memo = shelf.write([{"content": TEXT}] if wrapped else TEXT)
    text = TEXT[:400_000] + "one more word" + TEXT[400_000:]
    again, _ = shelf.write([{"content": text}] if wrapped else text, memo, before=slot)
    assert ([{"content": text}] if wrapped else text) == shelf.value(again)
    assert shelf.new_bytes < 60_000
    assert len(shelf.new) <= 8


def test_an_append_reads_the_right_edge_alone() -> None:
    """Whoever appends to what somebody else wrote reads one node on each level."""
    shelf = Shelf()
    row, _ = shelf.write(list(range(70_000)))
    assert isinstance(row, Row)
    shelf.asked = 0
    shelf.edge(row)
    assert row.height - 1 == shelf.asked
    assert row.height >= 3
