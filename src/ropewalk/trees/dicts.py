"""Long dictionaries with text keys: pairs in their order, cut by their keys alone."""

from __future__ import annotations

from operator import is_
from typing import TYPE_CHECKING, Final

from .cut import LEAF_TARGET, REF_BYTES, Cutter
from .edge import MANY, Edge
from .form import DICT, Branch, Ref, Row, Slot, leaf_body, pack_slot, refs_in
from .heads import dict_head
from .memo import UNSEEN, DictMemo, Entry, Memo
from .pieces import Pauses, Pieces, first_forms, given_up, remembered

if TYPE_CHECKING:
    from collections.abc import Iterable


_LONGEST_SEEN: Final = 256 * 1024
"""A dictionary that is longer is compared value by value."""


def write_dict(
    splitter: Pieces, value: dict[str, object], memo: Memo | None, limit: int
) -> Pauses[tuple[Slot, Memo | None]]:
    """Write a dictionary, going on from `memo` where that is a dictionary's."""
    before = memo if isinstance(memo, DictMemo) else None
    if before is not None and _is_same(splitter, value, before):
        return before.row, before
    _, is_short = yield from first_forms(splitter, (*value, *value.values()), limit)
    if is_short:
        return splitter.plain(splitter.values.dumps(value)), None
    entries: dict[str, Entry] = {}
    forms: list[bytes] | None = []
    size = 0
    for key, item in value.items():
        entry, form = yield from _entry(splitter, key, item, before)
        entries[key] = entry
        if forms is not None and form:
            forms += (splitter.values.dumps(key), form)
            size += len(forms[-2]) + len(form)
        if not form or size > _LONGEST_SEEN:
            forms = None
        yield
    if before is not None:
        given_up(splitter, before.seen)
    seen = None
    if forms is not None:
        seen = remembered(splitter, dict_head(len(value)) + b"".join(forms))
    if before is not None and _is_unchanged(entries, before):
        before.entries, before.seen = entries, seen
        return before.row, before
    row, nodes = yield from _cut(splitter, entries.values(), before)
    return row, DictMemo(row, entries, nodes, seen)


def _is_same(splitter: Pieces, value: dict[str, object], before: DictMemo) -> bool:
    if splitter.by_identity:
        entries = before.entries
        return (
            len(value) == len(entries)
            and all(a == b for a, b in zip(value, entries, strict=True))
            and all(map(is_, value.values(), (entry.value for entry in entries.values())))
        )
    if before.seen is None or len(value) != len(before.entries):
        return False
    return splitter.values.dumps(value) == before.seen


def _entry(
    splitter: Pieces, key: str, item: object, before: DictMemo | None
) -> Pauses[tuple[Entry, bytes]]:
    kept = item if splitter.by_identity else UNSEEN
    known = None if before is None else before.entries.get(key)
    if known is None:
        key_form = splitter.values.dumps(key)
        slot, memo, form = yield from splitter.item(item)
        entry = Entry(splitter.plain(key_form), slot, splitter.keys.chance(key_form), memo, kept)
        return entry, form
    splitter.forget([known.key_slot, known.slot])
    slot, memo, form = yield from splitter.item(item, known.memo)
    return Entry(known.key_slot, slot, known.chance, memo, kept), form


def _is_unchanged(entries: dict[str, Entry], before: DictMemo) -> bool:
    if len(entries) != len(before.entries):
        return False
    return all(
        key == old_key and entry.slot == old.slot
        for (key, entry), (old_key, old) in zip(
            entries.items(), before.entries.items(), strict=True
        )
    )


def _cut(
    splitter: Pieces, entries: Iterable[Entry], before: DictMemo | None
) -> Pauses[tuple[Row, set[bytes]]]:
    """Make leaves of the entries; where one ends depends on keys, so that values move nothing."""
    if before is not None:
        splitter.known |= before.nodes
    nodes: set[bytes] = set()
    edge = Edge((), splitter.node)
    cutter = Cutter(LEAF_TARGET)
    slots: list[Slot] = []
    for entry in entries:
        slots += (entry.key_slot, entry.slot)
        if cutter.ends(_weight(entry.key_slot) + REF_BYTES, entry.chance):
            digest = splitter.node(leaf_body(slots))
            nodes.add(digest)
            ref = Ref(digest, deep=bool(refs_in(slots)))
            edge.add(Branch(ref, len(slots) // 2), splitter.node)
            slots = []
            yield
    height, tops = edge.fold(splitter.node, most=MANY)
    count = sum(branch.total for branch in tops) + len(slots) // 2
    return Row(DICT, count, height, tops, tuple(slots)), nodes | edge.closed | edge.open


def _weight(slot: Slot) -> int:
    return REF_BYTES if isinstance(slot, Ref) else len(pack_slot(slot))
