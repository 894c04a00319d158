"""Long lists: closed leaves that never change again, and an open tail."""

from __future__ import annotations

from collections.abc import Iterable
from operator import is_
from typing import Final

from .cut import LEAF_TARGET, Cutter, toss
from .edge import Edge
from .form import LIST, Branch, Ref, Row, Slot, leaf_body, refs_in
from .heads import list_head
from .memo import Leaf, ListMemo, Memo, Run
from .pieces import Pauses, Pieces, first_forms, given_up, remembered

_LONGEST_SEEN: Final = 256 * 1024
"""A leaf whose items are longer is compared by their names."""

_BREATH: Final = 64 * 1024
"""Bytes of stored forms that are compared without a pause."""

_TOGETHER: Final = 56 * 1024
"""Bytes of stored forms that are written at once to be compared: more leave the caches."""

_MOST_TOGETHER: Final = 64
"""Leaves that are compared at once, however short they are."""

_AT_ONCE: Final = 1_024
"""Items that are compared by identity without a pause."""

_NOTHING: Final = Row(LIST, 0, 0, (), ())


def write_list(
    splitter: Pieces, value: list[object], memo: Memo | None, limit: int
) -> Pauses[tuple[Slot, Memo | None]]:
    """Write a list, going on from `memo` where that is a list's."""
    forms, is_short = yield from first_forms(splitter, value, limit)
    if is_short:
        return splitter.plain(splitter.values.dumps(value)), None
    if isinstance(memo, ListMemo) and memo.leaves is not None:
        writer = _Rewriter(splitter, value, memo)
        return (yield from writer.run())
    row = _ListWriter(splitter)
    row.add_forms(forms)
    yield from row.add_all(value[len(forms) :])
    grown = row.finish()
    grown.items = value[:] if splitter.by_identity else None
    return grown.row, grown


def extend_list(splitter: Pieces, memo: ListMemo, items: list[object]) -> Pauses[Row]:
    """Write `items` behind a list that was written before; changes the memo."""
    row = _ListWriter(splitter, memo)
    splitter.known |= memo.edge.open
    yield from row.add_all(items)
    row.finish()
    if memo.items is not None:
        memo.items += items
    return memo.row


class _ListWriter:
    """Put item behind item; go on from a memo where there is one, which changes with it."""

    def __init__(self, splitter: Pieces, memo: ListMemo | None = None) -> None:
        self._splitter = splitter
        self._closed = memo is None
        if memo is None:
            memo = ListMemo(_NOTHING, Edge((), splitter.node), 0, [], [], tail_forms=[])
        self._memo = memo
        self._cutter = Cutter(LEAF_TARGET, memo.filled)
        self._count = memo.row.total

    @property
    def is_aligned(self) -> bool:
        """Whether a leaf has just ended."""
        return not self._memo.tail

    def add_forms(self, forms: Iterable[bytes]) -> None:
        """Put items that are kept in one piece behind the last."""
        for form in forms:
            self._put(self._splitter.plain(form), form, None)

    def add_all(self, items: Iterable[object]) -> Pauses[None]:
        """Put these items behind the last."""
        splitter = self._splitter
        for item in items:
            form = splitter.whole(item)
            # Nearly every item is kept in one piece.
            if form:
                self._put(splitter.plain(form), form, None)
            else:
                slot, memo = yield from splitter.apart(item, None)
                self._put(slot, b"", memo)
            yield

    def add(self, item: object, memo: Memo | None) -> Pauses[None]:
        """Put one item behind the last, going on from `memo`."""
        slot, memo, form = yield from self._splitter.item(item, memo)
        self._put(slot, form, memo)

    def _put(self, slot: Slot, form: bytes, sub: Memo | None) -> None:
        """Put a slot behind the last; its form is empty where it was taken apart."""
        memo = self._memo
        if sub is not None:
            memo.tail_subs[len(memo.tail)] = sub
        memo.tail.append(slot)
        self._count += 1
        if not form:
            memo.tail_forms = None
        elif memo.tail_forms is not None:
            memo.tail_forms.append(form)
        if self._cutter.ends(*toss(slot, self._splitter.keys)):
            self._close()

    def _close(self) -> None:
        memo, node = self._memo, self._splitter.node
        slots, forms = tuple(memo.tail), memo.tail_forms
        digest = node(leaf_body(slots))
        branch = Branch(Ref(digest, deep=bool(refs_in(slots))), len(slots))
        seen: bytes | None = None
        if forms is not None and sum(map(len, forms)) <= _LONGEST_SEEN:
            seen = remembered(self._splitter, list_head(len(slots)) + b"".join(forms))
        leaf = Leaf(branch, slots, seen, memo.tail_subs)
        self._closed = True
        memo.edge.add(branch, node)
        if memo.leaves is not None:
            memo.leaves.append(leaf)
        memo.tail, memo.tail_subs, memo.tail_forms = [], {}, []

    def reuse(self, leaves: list[Leaf]) -> None:
        """Put leaves that were written before behind the last one."""
        memo = self._memo
        for leaf in leaves:
            memo.edge.add(leaf.branch, self._splitter.node)
            self._count += leaf.branch.total
        if memo.leaves is not None:
            memo.leaves += leaves
        self._closed = True

    def reuse_tail(self, before: ListMemo) -> None:
        """Put the tail that was written before behind the last leaf."""
        memo = self._memo
        memo.tail, memo.tail_subs = before.tail, before.tail_subs
        memo.tail_forms = before.tail_forms
        self._cutter.filled = before.filled
        self._count += len(before.tail)

    def finish(self) -> ListMemo:
        """Return the list as it has been written up to here."""
        memo = self._memo
        row = memo.row
        height, tops = row.height, row.tops
        if self._closed:
            height, tops = memo.edge.fold(self._splitter.node)
        memo.row = Row(LIST, self._count, height, tops, tuple(memo.tail))
        memo.filled = self._cutter.filled
        return memo


class _Rewriter:
    """Write a list anew that was written before, keeping every leaf that is as it was."""

    def __init__(self, splitter: Pieces, value: list[object], memo: ListMemo) -> None:
        self._splitter = splitter
        self._value = value
        self._memo = memo
        self._leaves: list[Leaf] = memo.leaves or []
        self._items = memo.items if splitter.by_identity else None
        self._shift = 0

    def run(self) -> Pauses[tuple[Slot, Memo | None]]:
        """Return the row and its memo."""
        memo, value = self._memo, self._value
        first, at = yield from self._same_from_front()
        if first == len(self._leaves) and self._same_tail(at):
            row = yield from extend_list(self._splitter, memo, value[at + len(memo.tail) :])
        else:
            row = yield from self._middle(first, at)
        memo.items = value[:] if self._splitter.by_identity else None
        return row, memo

    def _same_from_front(self) -> Pauses[tuple[int, int]]:
        """Return how many leaves from the front are as they were, and how many items that is."""
        vouched = yield from self._vouched_from_front()
        total = self._memo.row.total - len(self._memo.tail)
        if vouched >= total:
            return len(self._leaves), total
        at = looked = place = alone = 0
        leaves = self._leaves
        while place < len(leaves):
            leaf = leaves[place]
            if leaf.forms is not None and place >= alone and self._items is None:
                place, at, alone = self._same_together(place, at)
                yield
                continue
            end = at + leaf.branch.total
            if end > vouched:
                if not (yield from self._same(leaf, at)):
                    return place, at
                looked += len(leaf.seen or b"")
                if looked > _BREATH:
                    looked = 0
                    yield
            place, at = place + 1, end
        return place, at

    def _same_together(self, place: int, at: int) -> tuple[int, int, int]:
        """Compare some leaves from one on, written in one go; they begin with the item at `at`.

        Return how far they look as they did, as leaves and as items from the front, and before
        which leaf each has to be looked at alone, since there was a difference.
        """
        run = self._memo.runs.get(place) or self._run(place)
        end, alone = at + run.total, place + len(run.forms)
        written = self._splitter.values.bare(self._value[at:end])
        if all(map(written.startswith, run.forms, run.begins)):
            return alone, end, alone
        for leaf, forms, begin in zip(
            self._leaves[place:alone], run.forms, run.begins, strict=True
        ):
            if not written.startswith(forms, begin):
                break
            place, at = place + 1, at + leaf.branch.total
        return place, at, alone

    def _run(self, place: int) -> Run:
        """Say which leaves from one on are compared together."""
        forms: list[memoryview] = []
        begins: list[int] = []
        size = total = 0
        is_full = False
        for leaf in self._leaves[place : place + _MOST_TOGETHER]:
            if leaf.forms is None:
                break
            is_full = bool(forms) and size + len(leaf.forms) > _TOGETHER
            if is_full:
                break
            forms.append(leaf.forms)
            begins.append(size)
            size += len(leaf.forms)
            total += leaf.branch.total
        head = len(list_head(total))
        run = Run(forms, [head + begin for begin in begins], total)
        if is_full or len(forms) == _MOST_TOGETHER:
            # However the list grows, these leaves stay together.
            self._memo.runs[place] = run
        return run

    def _vouched_from_front(self) -> Pauses[int]:
        """Return how many items from the front the caller vouches for, so many at a time."""
        at, value, items = 0, self._value, self._items or ()
        while at < min(len(items), len(value)):
            if not all(map(is_, value[at : at + _AT_ONCE], items[at : at + _AT_ONCE])):
                return at
            at += _AT_ONCE
            yield
        return min(at, len(items), len(value))

    def _same(self, leaf: Leaf, at: int) -> Pauses[bool]:
        """Tell whether the items from `at` on are those of a leaf."""
        part = self._value[at : at + leaf.branch.total]
        if len(part) < leaf.branch.total:
            return False
        if self._vouched(part, at):
            return True
        if leaf.seen is not None:
            return self._looks_the_same(leaf, leaf.seen, part)
        if leaf.subs or not all(isinstance(slot, bytes | Ref) for slot in leaf.slots):
            return (yield from self._same_trees(leaf, part))
        forms: list[bytes] = []
        for item, slot in zip(part, leaf.slots, strict=True):
            form = self._splitter.values.dumps(item)
            if not self._splitter.plain_as_before(form, slot):
                return False
            forms.append(form)
            yield
        if sum(map(len, forms)) <= _LONGEST_SEEN:
            leaf.seen = remembered(self._splitter, list_head(len(part)) + b"".join(forms))
        return True

    def _looks_the_same(self, leaf: Leaf, seen: bytes, part: list[object]) -> bool:
        """Tell whether items look as those of a leaf did."""
        values = self._splitter.values
        if leaf.bare is None:
            leaf.bare = values.is_bare(seen)
            if leaf.bare and values.bare(part) == seen:
                # From now on it is compared together with its neighbours.
                leaf.forms = memoryview(seen)[len(list_head(len(part))) :]
                return True
        return values.same(part, seen, bare=leaf.bare)

    def _same_trees(self, leaf: Leaf, part: list[object]) -> Pauses[bool]:
        """Tell whether items are those of a leaf of which some are trees of their own."""
        self._splitter.forget(leaf.slots)
        for place, (item, slot) in enumerate(zip(part, leaf.slots, strict=True)):
            now, memo, _ = yield from self._splitter.item(item, leaf.subs.get(place))
            if memo is not None:
                leaf.subs[place] = memo
            if now != slot:
                return False
            yield
        return True

    def _vouched(self, part: list[object], at: int) -> bool:
        """Tell whether the caller vouches that these items are what stood `shift` places away."""
        if self._items is None:
            return False
        at -= self._shift
        return all(map(is_, part, self._items[at : at + len(part)]))

    def _same_tail(self, at: int) -> bool:
        memo = self._memo
        part = self._value[at : at + len(memo.tail)]
        if len(part) < len(memo.tail):
            return False
        if self._vouched(part, at):
            return True
        if memo.tail_forms is None:
            return False
        seen = list_head(len(part)) + b"".join(memo.tail_forms)
        return self._splitter.values.dumps(part) == seen

    def _middle(self, first: int, at: int) -> Pauses[Row]:
        """Write from the first leaf that differs up to where nothing differs any more."""
        memo, splitter, leaves = self._memo, self._splitter, self._leaves
        last, end = len(leaves), len(self._value)
        self._shift = end - memo.row.total
        kept_tail = end - len(memo.tail) >= at and self._same_tail(end - len(memo.tail))
        if kept_tail:
            end -= len(memo.tail)
            while last > first and end - leaves[last - 1].branch.total >= at:
                before = leaves[last - 1]
                if not (yield from self._same(before, end - before.branch.total)):
                    break
                end -= before.branch.total
                last -= 1
        for leaf in leaves[first:last]:
            splitter.forget(leaf.slots)
            given_up(splitter, leaf.seen)
            splitter.known.add(leaf.branch.ref.digest)
        splitter.forget(memo.tail)
        splitter.known |= memo.edge.closed | memo.edge.open
        row = _ListWriter(splitter)
        row.reuse(leaves[:first])
        yield from self._add(row, at, end, subs=self._subs(first, last, with_tail=not kept_tail))
        # Leaves end where content says so: behind the first common end all is as it was.
        while last < len(leaves) and not row.is_aligned:
            leaf = leaves[last]
            splitter.forget(leaf.slots)
            given_up(splitter, leaf.seen)
            splitter.known.add(leaf.branch.ref.digest)
            yield from self._add(row, end, end + leaf.branch.total, subs=leaf.subs)
            end += leaf.branch.total
            last += 1
        row.reuse(leaves[last:])
        end += sum(leaf.branch.total for leaf in leaves[last:])
        if kept_tail and row.is_aligned:
            row.reuse_tail(memo)
        else:
            yield from self._add(row, end, len(self._value), subs=memo.tail_subs)
        grown = row.finish()
        for name in ListMemo.__slots__:
            setattr(memo, name, getattr(grown, name))
        return memo.row

    def _subs(self, first: int, last: int, *, with_tail: bool) -> dict[int, Memo]:
        """Return the memos of the items in these leaves and the tail, by their place from there.

        A memo changes with what is written from it, so no two items may have the same.
        """
        found: dict[int, Memo] = {}
        at = 0
        for leaf in self._leaves[first:last]:
            found |= {at + place: memo for place, memo in leaf.subs.items()}
            at += leaf.branch.total
        if with_tail:
            found |= {at + place: memo for place, memo in self._memo.tail_subs.items()}
        return found

    def _add(
        self, row: _ListWriter, start: int, end: int, *, subs: dict[int, Memo]
    ) -> Pauses[None]:
        for place, item in enumerate(self._value[start:end]):
            yield from row.add(item, subs.get(place))
            yield
