"""What is remembered of leaves gives the same values, and spares all that lies below them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import pytest

from ropewalk.trees.batch import Forms
from ropewalk.trees.read import TreeReader

from .shelf import PACK, Shelf

pytestmark = [pytest.mark.seed("3.4"), pytest.mark.seed("6.4")]


class Leaves:
    """Remember every leaf, and count those that were known."""

    def __init__(self) -> None:
        self.kept: dict[bytes, Forms] = {}
        self.known = 0

    def joined(self, leaves: Iterable[bytes]) -> dict[bytes, Forms]:
        """Return what is known of some leaves."""
        found = {leaf: self.kept[leaf] for leaf in leaves if leaf in self.kept}
        self.known += len(found)
        return found

    def join(self, leaves: Mapping[bytes, Forms]) -> None:
        """Remember the forms of some leaves."""
        self.kept |= leaves


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
