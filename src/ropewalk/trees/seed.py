"""Remember trees that somebody else wrote: memos out of stored nodes, without their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

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
from .heads import list_head
from .memo import ChunksMemo, DictMemo, Entry, Leaf, ListMemo, Memo, WrapMemo
from .read import AT_ONCE, bodies_of, paired_slots, together

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..domain.ports import Values
    from .keys import TreeKeys
    from .read import Reads


_PAUSE: Final = 64
"""So many leaves or pairs are gone through at a time."""


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
    leaves: list[Leaf] = []
    for branch, slots in zip(branches, (yield from _leaf_slots(branches)), strict=True):
        subs = yield from _apart(slots, values, keys)
        leaves.append(Leaf(branch, tuple(slots), subs=subs))
        if len(leaves) % _PAUSE == 0:
            yield None
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
    nodes.update(branch.ref.digest for branch in branches)
    slots: list[Slot] = []
    for leaf in (yield from _leaf_slots(branches)):
        slots += leaf
    slots += row.tail
    entries: dict[str, Entry] = {}
    for first in range(0, len(slots), 2 * _PAUSE):
        key_slots, item_slots = paired_slots(slots[first : first + 2 * _PAUSE])
        named = yield from bodies_of([slot for slot in key_slots if isinstance(slot, Ref)])
        forms = [_key_form(slot, named) for slot in key_slots]
        memos = yield from _apart(item_slots, values, keys)
        names = values.loads(list_head(len(forms)) + b"".join(forms))
        if not isinstance(names, list) or len(cast("list[str]", names)) != len(forms):
            raise _no_keys()
        for place, name in enumerate(cast("list[str]", names)):
            chance = keys.chance(forms[place])
            entries[name] = Entry(key_slots[place], item_slots[place], chance, memos.get(place))
        yield None
    return DictMemo(row, entries, nodes)


def _key_form(slot: Slot, named: Mapping[bytes, bytes]) -> bytes:
    if isinstance(slot, Ref):
        return read_value(named[slot.digest])
    if isinstance(slot, bytes):
        return slot
    raise _no_keys()


def _no_keys() -> Corrupt:
    message = "the keys of a dictionary are not those that were written"
    return Corrupt(message, code="bad_node")


def _leaf_slots(branches: Sequence[Branch]) -> Reads[list[list[Slot]]]:
    """Return the slots of each leaf."""
    found: list[list[Slot]] = []
    for first in range(0, len(branches), AT_ONCE):
        window = branches[first : first + AT_ONCE]
        bodies = yield [branch.ref for branch in window]
        for branch in window:
            found.append(read_leaf(bodies[branch.ref.digest]))
            if len(found) % _PAUSE == 0:
                yield None
    return found


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
