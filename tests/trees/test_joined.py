"""What is remembered of leaves gives the same values, and spares all that lies below them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from ropewalk.trees.batch import Forms
from ropewalk.trees.copies import ODD, Made
from ropewalk.trees.read import TreeReader

from .shelf import PACK, Shelf

pytestmark = [pytest.mark.seed("3.4"), pytest.mark.seed("6.4")]


class Leaves:
    """Remember every leaf, and count those that were known."""

    def __init__(self) -> None:
        self.kept: dict[bytes, Forms] = {}
        self.copies: dict[bytes, Made] = {}
        self.known = 0

    def joined(self, leaves: Iterable[bytes]) -> dict[bytes, Forms]:
        """Return what is known of some leaves."""
        found = {leaf: self.kept[leaf] for leaf in leaves if leaf in self.kept}
        self.known += len(found)
        return found

    def join(self, leaves: Mapping[bytes, Forms]) -> None:
        """Remember the forms of some leaves."""
        self.kept |= leaves

    def made(self, leaves: Iterable[bytes]) -> dict[bytes, Made]:
        """Return what was made of some leaves."""
        return {leaf: self.copies[leaf] for leaf in leaves if leaf in self.copies}

    def keep(self, leaves: Mapping[bytes, Made]) -> None:
        """Remember what was made of some leaves, each of them once."""
        assert self.copies.keys().isdisjoint(leaves)
        self.copies |= leaves


def _message(number: int) -> dict[str, object]:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return {"role": "user", "n": number, "at": at, "content": f"{number} " * 60}


def _read_twice(value: object) -> tuple[Shelf, Leaves, int]:
    """Read a value two times with one memory; return it, and what the second time asked for."""
    shelf, leaves = Shelf(), Leaves()
    slot, _ = shelf.write(value)
    reader = TreeReader(PACK, joined=leaves)
    assert value == shelf.read(reader.value(slot))
    shelf.asked = 0
    assert value == shelf.read(reader.value(slot))
    return shelf, leaves, shelf.asked


def test_a_list_that_is_read_again_asks_for_no_item() -> None:
    """Of a thousand messages only the inner nodes and the items of the tail are read again."""
    _, leaves, asked = _read_twice([_message(n) for n in range(1_000)])
    assert leaves.known == len(leaves.kept) > 5
    assert sum(count for count, _ in leaves.kept.values()) + asked >= 1_000
    assert asked < 200


def test_a_dictionary_that_is_read_again_asks_for_no_pair() -> None:
    """The leaves of a long dictionary hold keys and values in turn, and are remembered so."""
    _, leaves, asked = _read_twice({f"key-{n}": _message(n) for n in range(500)})
    assert leaves.known == len(leaves.kept) > 5
    assert asked < 200


def test_what_grows_or_changes_shares_the_leaves_that_it_shares() -> None:
    """Another state reads its own items, and those that it has in common from memory."""
    shelf, leaves = Shelf(), Leaves()
    messages = [_message(n) for n in range(600)]
    slot, memo = shelf.write(messages)
    reader = TreeReader(PACK, joined=leaves)
    shelf.read(reader.value(slot))
    changed = [
        *messages[:300],
        {"role": "tool", "content": "x" * 200},
        *messages[301:],
        _message(7),
    ]
    after, _ = shelf.write(changed, memo, before=slot)
    known = len(leaves.kept)
    assert changed == shelf.read(reader.value(after))
    assert known - 5 < leaves.known < known
    assert messages == shelf.read(reader.value(slot))


def test_leaves_with_trees_among_their_items_are_read_anew() -> None:
    """An item that is a tree of its own is not joined, and neither is its leaf."""
    value = [*[_message(n) for n in range(200)], {"long": [_message(n) for n in range(300)]}]
    _, leaves, _ = _read_twice(value * 2)
    assert leaves.kept


def test_a_leaf_that_was_read_twice_is_copied() -> None:
    """Its items are made once more at the second time, and after that they are copies of those."""
    messages = [_message(n) for n in range(300)]
    shelf, leaves, _ = _read_twice(messages)
    assert leaves.copies.keys() == leaves.kept.keys()
    assert ODD not in leaves.copies.values()
    # What was remembered is enough: without the forms nothing of these leaves is read again.
    leaves.kept.clear()
    shelf.asked = 0
    slot, _ = shelf.write(messages)
    reader = TreeReader(PACK, joined=leaves)
    assert messages == shelf.read(reader.value(slot))
    assert shelf.asked < 100
    assert not leaves.kept


def test_who_changes_what_was_read_changes_nothing_for_others() -> None:
    """Every reader has lists and dictionaries of its own, at any depth."""
    messages = [{"role": "tool", "calls": [{"args": {"n": n, "of": [n]}}]} for n in range(900)]
    shelf, leaves, _ = _read_twice(messages)
    slot, _ = shelf.write(messages)
    reader = TreeReader(PACK, joined=leaves)
    for _ in range(3):
        found: Any = shelf.read(reader.value(slot))
        assert messages == found
        for message in found:
            message["calls"][0]["args"]["of"].append(0)
            message["calls"][0]["args"]["more"] = 1
            message["calls"].clear()
            message["role"] = "user"
    assert leaves.copies


def test_leaves_of_other_things_are_made_anew_each_time() -> None:
    """A leaf with a set in it is remembered as one that cannot be copied, and read as before."""
    values = [{"n": n, "tags": {str(n)}, "text": "x" * 300} for n in range(200)]
    shelf, leaves, _ = _read_twice(values)
    assert set(leaves.copies.values()) == {ODD}
    slot, _ = shelf.write(values)
    assert values == shelf.read(TreeReader(PACK, joined=leaves).value(slot))
