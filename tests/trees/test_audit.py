"""Every node that a state needs is found, and damage is told by the part of the state it hits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import pytest
from hypothesis import given

from ropewalk.trees.audit import Auditor, Damage, mark
from ropewalk.trees.form import children
from ropewalk.trees.read import Reads
from ropewalk.trees.root import WHOLE, Root

from .growing import STATES, Value, small_trees, words
from .shelf import Shelf
from .test_split import MANY, TYPED

T = TypeVar("T")

STATE: dict[str, Value] = {
    "messages": [{"role": "user", "content": words(n, 300), "n": n} for n in range(600)],
    "by": {f"key {n}": [n] * 200 for n in range(90)},
    "text": words(1, 100_000),
    "typed": ([[n] * 9_000 for n in range(3)],),
}


def rooted(shelf: Shelf, state: Value) -> Root:
    """Write a state."""
    slots = {key: shelf.write(value)[0] for key, value in state.items()}
    return Root("", 0, is_dict=True, slots=slots)


def sent(work: Reads[T], bodies: Mapping[bytes, bytes]) -> tuple[T, int]:
    """Answer with what there is; return the result, and how many nodes were asked for."""
    asked = 0
    answer: Mapping[bytes, bytes] | None = None
    while True:
        try:
            refs = next(work) if answer is None else work.send(answer)
        except StopIteration as end:
            return end.value, asked
        asked += len(refs or ())
        answer = {ref.digest: bodies[ref.digest] for ref in refs or () if ref.digest in bodies}


def audit(auditor: Auditor, root: Root, shelf: Shelf) -> tuple[list[Damage], int]:
    """Check a state."""
    return sent(auditor.audit(root), shelf.bodies)


@given(state=STATES)
@MANY
def test_every_node_is_hashed_once_and_marked(state: Value) -> None:
    """Exactly the nodes that are reachable, for any state."""
    shelf = Shelf(TYPED)
    with small_trees():
        root = Root("", 0, is_dict=False, slots={WHOLE: shelf.write([state, state])[0]})
        live = shelf.reachable(root.slots.values())
        auditor = Auditor(shelf.keys, TYPED)
        assert ([], len(live)) == audit(auditor, root, shelf)
        assert len(live) == auditor.sound
        marked: set[bytes] = set()
        _, asked = sent(mark(root.slots.values(), marked), shelf.bodies)
        assert live == marked
        assert asked <= sum(bool(children(shelf.bodies[digest])) for digest in live)


@pytest.fixture(scope="module")
def sound() -> tuple[Shelf, Root]:
    """A state and its nodes."""
    shelf = Shelf(TYPED)
    return shelf, rooted(shelf, STATE)


def test_states_that_share_nodes_are_read_once(sound: tuple[Shelf, Root]) -> None:
    """The second time nothing is read, and of a state with one message more, what is new."""
    shelf, root = sound
    auditor = Auditor(shelf.keys, TYPED)
    assert audit(auditor, root, shelf)[1] == len(shelf.reachable(root.slots.values()))
    assert ([], 0) == audit(auditor, root, shelf)
    more = rooted(shelf, {**STATE, "messages": [*STATE["messages"], {"n": words(9, 900)}]})
    damage, asked = audit(auditor, more, shelf)
    assert [] == damage
    assert 0 < asked <= 8
    marked: set[bytes] = set()
    sent(mark(root.slots.values(), marked), shelf.bodies)
    assert sent(mark(more.slots.values(), marked), shelf.bodies)[1] <= 8


@pytest.mark.parametrize("gone", [True, False])
def test_damage_is_told_by_its_place(sound: tuple[Shelf, Root], gone: bool) -> None:
    """Each node in turn, missing or changed: found, alone, with a path; and so in later states."""
    shelf, root = sound
    later = Root("", 0, is_dict=True, slots={"first": root.slots["messages"], **root.slots})
    parts = [sorted(shelf.reachable([slot])) for slot in root.slots.values()]
    paths: set[str] = set()
    for digest in (digest for part in parts for digest in part[::9]):
        body = shelf.bodies.pop(digest)
        if not gone:
            shelf.bodies[digest] = body[:-1] + bytes([body[-1] ^ 1])
        auditor = Auditor(shelf.keys, TYPED)
        first, again = (audit(auditor, each, shelf)[0] for each in (root, later))
        [damage] = first
        assert digest == damage.digest
        assert ("missing" if gone else "content") in damage.reason
        assert [digest] == [each.digest for each in again]
        paths.add(damage.path)
        shelf.bodies[digest] = body
    kinds = {path.partition("[")[0].partition(".")[0] for path in paths}
    assert {"messages", "by", "text", "typed"} == kinds
    assert any(path.startswith("by.key ") for path in paths)


def test_one_damaged_item_is_named() -> None:
    """Down to the item and the key."""
    shelf = Shelf(TYPED)
    rows = [{"a": words(n, 300), "b": {"c": words(n + 50, 20_000)}} for n in range(40)]
    root = rooted(shelf, {"rows": rows})
    target = next(d for d, body in shelf.bodies.items() if body[1:] == TYPED.dumps(rows[7]["a"]))
    shelf.bodies[target] = b"V"
    [damage], _ = audit(Auditor(shelf.keys, TYPED), root, shelf)
    assert "rows[7].a" == damage.path
    assert "its content is not what its name says" == damage.reason


def test_what_lies_beneath_damage_is_no_reason_to_stop(sound: tuple[Shelf, Root]) -> None:
    """Two places are told at once."""
    shelf, root = sound
    live = sorted(shelf.reachable([root.slots["by"]]))[:1]
    live += sorted(shelf.reachable([root.slots["text"]]))[:1]
    kept = {digest: shelf.bodies.pop(digest) for digest in live}
    damage, _ = audit(Auditor(shelf.keys, TYPED), root, shelf)
    assert set(live) == {each.digest for each in damage}
    shelf.bodies.update(kept)
