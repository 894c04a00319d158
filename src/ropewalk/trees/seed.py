"""Remember trees that somebody else wrote: memos out of stored nodes, without their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..domain.errors import Corrupt
from .cut import toss
from .edge import Edge
from .form import (
    DICT,
    LIST,
    SLOT,
    Branch,
    Ref,
    Row,
    Slot,
    Wrap,
    read_inner,
    read_leaf,
    read_slot,
    read_value,
)
from .memo import ChunksMemo, DictMemo, Entry, Leaf, ListMemo, Memo, WrapMemo
from .read import bodies_of, together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..domain.ports import Values
    from .keys import TreeKeys
    from .read import Reads


def remember(slot: Slot, values: Values, keys: TreeKeys) -> Reads[Memo | None]:
    """Return the memo of whatever is long, `None` where there is nothing to remember.

    Reads the nodes of names alone: no item and no value, but keys that are long.
    """
    if isinstance(slot, Ref):
        if not slot.deep:
            return None
        body = (yield [slot])[slot.digest]
        slot = read_slot(body[1:]) if body[:1] == SLOT else b""
    if isinstance(slot, Wrap):
        return WrapMemo(slot, (yield from remember(slot.inner, values, keys)))
    if isinstance(slot, Row) and slot.kind == LIST:
        return (yield from _list(slot, values, keys))
    if isinstance(slot, Row) and slot.kind == DICT:
        return (yield from _dict(slot, values, keys))
    if isinstance(slot, Row):
        branches, nodes = yield from _leaves(slot)
        return ChunksMemo(slot, nodes | {branch.ref.digest for branch in branches})
    return None


def edge_of(row: Row, keys: TreeKeys) -> Reads[ListMemo]:
    """Return what an append to a long list has to know: its right-most nodes."""
    levels: list[Sequence[Branch]] = []
    branches: Sequence[Branch] = row.tops
    for _ in range(row.height):
        levels.append(branches)
        if len(levels) == row.height:
            break
        last = branches[-1].ref
        bodies = yield [last]
        branches = read_inner(bodies[last.digest])
    edge = Edge.reopen(levels[::-1])
    edge.open = {branch.ref.digest for level in levels[:-1] for branch in level[-1:]}
    return ListMemo(row=row, edge=edge, filled=_filled(row, keys), tail=list(row.tail), leaves=None)


def _apart(slots: Sequence[Slot], values: Values, keys: TreeKeys) -> Reads[dict[int, Memo]]:
    """Return the memos of those slots that are trees of their own, by their place."""
    works = {
        place: remember(slot, values, keys)
        for place, slot in enumerate(slots)
        if isinstance(slot, Row | Wrap) or (isinstance(slot, Ref) and slot.deep)
    }
    found = (yield from together(works)) if works else {}
    return {place: memo for place, memo in found.items() if memo is not None}


def _list(row: Row, values: Values, keys: TreeKeys) -> Reads[ListMemo]:
    branches, _ = yield from _leaves(row)
    bodies = yield from bodies_of([branch.ref for branch in branches])
    leaves = [Leaf(branch, tuple(read_leaf(bodies[branch.ref.digest]))) for branch in branches]
    for leaf in leaves:
        leaf.subs = yield from _apart(leaf.slots, values, keys)
    tail_subs = yield from _apart(row.tail, values, keys)
    edge = Edge(branches, keys.digest)
    edge.fold(keys.digest)
    return ListMemo(
        row=row,
        edge=edge,
        filled=_filled(row, keys),
        tail=list(row.tail),
        leaves=leaves,
        tail_subs=tail_subs,
    )


def _dict(row: Row, values: Values, keys: TreeKeys) -> Reads[DictMemo]:
    branches, nodes = yield from _leaves(row)
    bodies = yield from bodies_of([branch.ref for branch in branches])
    slots: list[Slot] = []
    for branch in branches:
        slots += read_leaf(bodies[branch.ref.digest])
        nodes.add(branch.ref.digest)
    slots += row.tail
    long = [slot for slot in slots[::2] if isinstance(slot, Ref)]
    named = yield from bodies_of(long)
    memos = yield from _apart(slots[1::2], values, keys)
    entries: dict[str, Entry] = {}
    for place, (key_slot, slot) in enumerate(zip(slots[::2], slots[1::2], strict=True)):
        if isinstance(key_slot, Ref):
            form = read_value(named[key_slot.digest])
        elif isinstance(key_slot, bytes):
            form = key_slot
        else:
            message = "a key of a dictionary is no text"
            raise Corrupt(message, code="bad_node")
        entries[str(values.loads(form))] = Entry(
            key_slot, slot, keys.chance(form), memos.get(place)
        )
    return DictMemo(row, entries, nodes)


def _leaves(row: Row) -> Reads[tuple[Sequence[Branch], set[bytes]]]:
    """Return the branches of a row's leaves, and the names of the nodes above them."""
    branches: Sequence[Branch] = row.tops
    nodes: set[bytes] = set()
    for _ in range(row.height - 1):
        bodies = yield [branch.ref for branch in branches]
        nodes.update(branch.ref.digest for branch in branches)
        branches = [below for branch in branches for below in read_inner(bodies[branch.ref.digest])]
    return branches, nodes


def _filled(row: Row, keys: TreeKeys) -> int:
    return sum(toss(slot, keys)[0] for slot in row.tail)
