"""The right edge of a tree gives what all leaves together give, from wherever it is gone on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import blake2b

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropewalk.trees import edge as room
from ropewalk.trees.edge import FEW, MANY, Edge
from ropewalk.trees.form import DIGEST_BYTES, Branch, Ref, read_inner


class Inner:
    """Inner nodes by name."""

    def __init__(self) -> None:
        """Begin with none."""
        self.bodies: dict[bytes, bytes] = {}

    def emit(self, body: bytes) -> bytes:
        """Keep a node."""
        digest = blake2b(body, digest_size=DIGEST_BYTES).digest()
        self.bodies[digest] = body
        return digest

    def levels(self, height: int, tops: tuple[Branch, ...]) -> list[Sequence[Branch]]:
        """Return the right-most node of each level, lowest first."""
        found: list[Sequence[Branch]] = [tops] if height else []
        while len(found) < height:
            found.append(read_inner(self.bodies[found[-1][-1].ref.digest]))
        return found[::-1]

    def leaves(self, height: int, tops: tuple[Branch, ...]) -> list[Branch]:
        """Return what lies beneath."""
        branches = list(tops)
        for _ in range(height - 1):
            branches = [
                below for branch in branches for below in read_inner(self.bodies[branch.ref.digest])
            ]
        return branches


def leaf(number: int) -> Branch:
    """Return a leaf like no other."""
    digest = blake2b(number.to_bytes(8), digest_size=DIGEST_BYTES).digest()
    return Branch(Ref(digest, deep=bool(number % 2)), number % 7 + 1)


def whole(count: int, *, most: int = FEW) -> tuple[Inner, int, tuple[Branch, ...]]:
    """Return the tree over so many leaves, made in one go."""
    inner = Inner()
    edge = Edge([leaf(number) for number in range(count)], inner.emit)
    return inner, *edge.fold(inner.emit, most=most)


@given(
    target=st.sampled_from([64, 84, 126, 210, 768]),
    parts=st.lists(st.integers(0, 40), min_size=1, max_size=12),
)
@settings(max_examples=600 if os.environ.get("ROPEWALK_LONG") else 60, deadline=None, database=None)
def test_going_on_from_stored_nodes_is_going_on(target: int, parts: list[int]) -> None:
    """However often the right-most nodes are read again, the tree is that of all leaves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "INNER_TARGET", target)
        count = 0
        inner = Inner()
        height: int = 0
        tops: tuple[Branch, ...] = ()
        for part in parts:
            edge = Edge.reopen(inner.levels(height, tops))
            for number in range(count, count + part):
                edge.add(leaf(number), inner.emit)
            count += part
            height, tops = edge.fold(inner.emit)
            _, *expected = whole(count)
            assert expected == [height, tops]
            assert [leaf(number) for number in range(count)] == inner.leaves(height, tops)


def test_trees_of_four_levels_go_on_leaf_by_leaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """One leaf at a time, each time from what is stored, through every height up to four and on."""
    monkeypatch.setattr(room, "INNER_TARGET", 168)
    inner = Inner()
    height: int = 0
    tops: tuple[Branch, ...] = ()
    heights: set[int] = set()
    for number in range(1_200):
        edge = Edge.reopen(inner.levels(height, tops))
        edge.add(leaf(number), inner.emit)
        height, tops = edge.fold(inner.emit)
        heights.add(height)
        if number % 40 == 0:
            _, *expected = whole(number + 1)
            assert expected == [height, tops]
    assert {1, 2, 3, 4} <= heights


@pytest.mark.parametrize("most", [FEW, MANY])
@pytest.mark.parametrize("count", [0, 1, FEW, FEW + 1, MANY, MANY + 1, 500, 5_000])
def test_a_row_holds_few_branches_itself(count: int, most: int) -> None:
    """More than that have a node above them, and none is no height."""
    inner, height, tops = whole(count, most=most)
    assert len(tops) <= most
    assert (count <= most) == (height <= 1)
    assert bool(height) == bool(tops)
    assert [leaf(number) for number in range(count)] == inner.leaves(height, tops)
    assert sum(leaf(number).total for number in range(count)) == sum(top.total for top in tops)


def test_every_node_that_an_edge_names_is_part_of_its_tree() -> None:
    """Whoever goes on may take them for stored: they are needed by what is gone on from."""
    inner = Inner()
    edge = Edge([], inner.emit)
    for number in range(2_000):
        edge.add(leaf(number), inner.emit)
        if number % 97 == 0:
            _, tops = edge.fold(inner.emit)
            found: set[bytes] = set()
            waiting = [top.ref.digest for top in tops]
            while waiting:
                digest = waiting.pop()
                found.add(digest)
                if digest in inner.bodies:
                    waiting += [b.ref.digest for b in read_inner(inner.bodies[digest])]
            assert edge.closed | edge.open <= found
