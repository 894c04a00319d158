"""Damaged nodes, slots and roots are told from sound ones by `Corrupt`, and by nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from ormsgpack import Ext, packb

from ropewalk.domain.errors import Corrupt, Invalid
from ropewalk.trees.form import DIGEST_BYTES, Ref, Slot, children, pack_slot, read_map, read_slot
from ropewalk.trees.read import TreeReader
from ropewalk.trees.root import WHOLE, Root, pack_root, read_root

from .growing import small_trees, words
from .shelf import PACK, Gone, Shelf, answered


def damaged(data: bytes, rng: random.Random) -> Iterator[bytes]:
    """Go through damages at every byte: a bit, other values, the rest gone, the byte gone."""
    for at in range(len(data)):
        for value in (data[at] ^ 1 << rng.randrange(8), rng.randrange(256), 0xC0, 0x91, 0x81):
            yield data[:at] + bytes([value]) + data[at + 1 :]
        yield data[:at]
        yield data[:at] + data[at + 1 :]


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    """Nodes of every kind, from trees of tiny nodes."""
    return Shelf()


@pytest.fixture(scope="module")
def slots(shelf: Shelf) -> list[Slot]:
    """Slots of every kind, over those nodes."""
    rows = [{"a": words(n, 60), "b": tuple(range(n * 9))} for n in range(16)]
    with small_trees():
        values = (rows, {words(n, 20): n for n in range(40)}, words(1, 500), (list(range(99)), 1))
        found = [shelf.write(value)[0] for value in values]
    return [*found, Ref(b"x" * DIGEST_BYTES, deep=True), b"abc"]


def fails_well(act: Callable[[bytes], object], data: bytes) -> bool:
    """Do something with damaged data; tell whether it was refused, as it should be."""
    try:
        act(data)
    except Corrupt:
        return True
    return False


def read_or_newer(data: bytes) -> None:
    """Read a root, unless it says that a later program wrote it."""
    with suppress(Invalid):
        read_root(data)


@pytest.mark.timeout(60)
def test_nodes(shelf: Shelf, slots: list[Slot]) -> None:
    """Whatever happened to a node, its references can be asked for."""
    assert slots
    rng = random.Random(1)
    kinds: dict[bytes, list[bytes]] = {}
    for body in shelf.bodies.values():
        kinds.setdefault(body[:1], []).append(body)
    assert {b"V", b"W", b"L", b"I", b"C"} == kinds.keys()
    for bodies in kinds.values():
        for body in rng.sample(bodies, min(5, len(bodies))):
            refused = [fails_well(children, data) for data in damaged(body, rng)]
            assert any(refused)
    assert fails_well(children, b"")


@pytest.mark.timeout(60)
def test_slots(slots: list[Slot]) -> None:
    """The same for what stands in roots and nodes."""
    rng = random.Random(2)
    for slot in slots:
        packed = pack_slot(slot)
        assert slot == read_slot(packed)
        refused = [fails_well(read_slot, data) for data in damaged(packed, rng)]
        assert any(refused)


@pytest.mark.timeout(60)
def test_roots(slots: list[Slot]) -> None:
    """The same for roots, but that a greater version is the business of a later program."""
    rng = random.Random(3)
    named = dict(zip("abcdef", slots, strict=True))
    for root in (
        Root("msgpack", 3, is_dict=True, slots=named),
        Root("", 0, is_dict=False, slots={WHOLE: slots[0]}),
        Root("", 0, is_dict=True, slots={}),
        Root("", 0, is_dict=True, slots={str(n): b"\x01" for n in range(256)}),
    ):
        packed = pack_root(root)
        assert root == read_root(packed)
        refused = [fails_well(read_or_newer, data) for data in damaged(packed, rng)]
        assert any(refused)


@pytest.mark.timeout(60)
def test_reading_damaged_trees(shelf: Shelf, slots: list[Slot]) -> None:
    """A value or its form comes out, or an error of ours: no other one, and never a hang."""
    rng = random.Random(4)
    reader = TreeReader(PACK)
    for slot in slots[:4]:
        bodies = dict(shelf.bodies)
        names = sorted(shelf.reachable([slot]))
        for digest in rng.sample(names, min(12, len(names))):
            sound = bodies[digest]
            changes = list(damaged(sound, rng))
            for data in rng.sample(changes, min(40, len(changes))):
                bodies[digest] = data
                for work in (reader.value(slot), reader.form(slot)):
                    # A name that leads nowhere is for whoever fetches nodes to tell; and a form
                    # that only a later version knows is no damage to who reads values.
                    with suppress(Corrupt, Gone, Invalid):
                        answered(work, bodies)
            bodies[digest] = sound


ROWS: list[tuple[str, list[object]]] = [
    ("so high that a walk would not end", [0, 0, 2**40, [], []]),
    ("height without branches", [0, 0, 1, [], []]),
    ("branches without height", [0, 3, 0, [Ext(1, b"x" * DIGEST_BYTES), 3], []]),
    ("a negative height", [0, 3, -1, [Ext(1, b"x" * DIGEST_BYTES), 3], []]),
    ("a negative number", [0, -3, 1, [Ext(1, b"x" * DIGEST_BYTES), -3], []]),
    ("another number than that of its items", [0, 2, 0, [], [b"\1"]]),
    ("half a pair", [1, 1, 0, [], [b"\1"]]),
    ("a text with a tail", [2, 1, 0, [], [b"\1"]]),
    ("a kind that there is none of", [9, 0, 0, [], []]),
    ("no number", [0, None, 0, [], []]),
    ("no tail", [0, 0, 0, [], None]),
    ("a branch without its number", [0, 0, 1, [Ext(1, b"x" * DIGEST_BYTES)], []]),
    ("a name that is too short", [0, 3, 1, [Ext(1, b"x" * 15), 3], []]),
    ("too few parts", [0, 0]),
    ("too many parts", [0, 0, 0, [], [], 0]),
]


@pytest.mark.parametrize(("what", "parts"), ROWS, ids=[what for what, _ in ROWS])
def test_rows_that_do_not_fit_together(what: str, parts: list[object]) -> None:
    """Each is refused where it is read, so that nobody walks through it."""
    assert what
    with pytest.raises(Corrupt):
        read_slot(packb(Ext(3, packb(parts))))


WRAPS: list[list[object]] = [
    [1, b""],
    [None, b"", b"\1"],
    [1, "text", b"\1"],
    [1, b"", None],
    [500, b"", b"\1"],
]


@pytest.mark.parametrize("parts", WRAPS, ids=repr)
def test_typed_values_that_do_not_fit_together(parts: list[object]) -> None:
    """The same for what stands for a typed value."""
    with pytest.raises(Corrupt):
        read_slot(packb(Ext(4, packb(parts))))


def test_slots_in_one_another_without_an_end() -> None:
    """Deeper than the stack is no slot that was written here."""
    data = packb(b"\1")
    for _ in range(5_000):
        data = packb(Ext(4, b"\x93\x01\xc4\x00" + data))
    with pytest.raises(Corrupt):
        read_slot(data)


def test_a_root_loses_no_key() -> None:
    """A key that is no text any more is an error, and not left out."""
    with pytest.raises(Corrupt):
        read_map(b"\x82\xa1a\xc4\x01\x01\xc4\x01b\xc4\x01\x02")
