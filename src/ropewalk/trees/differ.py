"""Find what differs between two states, reading only subtrees that differ."""

from __future__ import annotations

from collections import deque
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple, cast

from ..domain.diff import Difference, DifferenceKind, Steps
from .form import DICT, LIST, Branch, Row, Slot, read_inner, read_leaf
from .path import opened
from .read import AT_ONCE, bodies_of, paired_slots
from .root import WHOLE
from .steps import path_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from ..domain.ports import Values
    from .read import Reads, TreeReader
    from .root import Root


class _Region(NamedTuple):
    """Parts of two rows between equal parts, and at which item the older one begins."""

    old: Sequence[Branch]
    new: Sequence[Branch]
    at: int


class _Stretch(NamedTuple):
    """The slots of a region; `is_end` where nothing comes behind them."""

    old: Sequence[Slot]
    new: Sequence[Slot]
    at: int
    is_end: bool


def differ(reader: TreeReader, old: Root, new: Root) -> Reads[list[Difference]]:
    """Return what differs between two states of one family, in the order of the older one.

    Reads the nodes that only one of them has, and those above them. Lists are aligned by what
    their items are; an item in place of another is compared with it if as many came as went.
    """
    found: list[Difference] = []
    work = _Differ(reader, found)
    if old.is_dict and new.is_dict:
        yield from work.entries((), old.slots, new.slots)
    elif not old.is_dict and not new.is_dict:
        yield from work.slots((), old.slots[WHOLE], new.slots[WHOLE])
    else:
        before = yield from _whole(reader, old)
        after = yield from _whole(reader, new)
        yield from work.values((), before, after)
    return found


def compared(reader: TreeReader, old: object, new: object) -> list[Difference]:
    """Return what differs between two values that are at hand, such as of different families."""
    found: list[Difference] = []
    # What is at hand has no nodes: each step is a pause and no question.
    deque(_Differ(reader, found).values((), old, new), maxlen=0)
    return found


def _whole(reader: TreeReader, root: Root) -> Reads[object]:
    if not root.is_dict:
        return (yield from reader.value(root.slots[WHOLE]))
    made: dict[str, object] = {}
    for name, slot in root.slots.items():
        made[name] = yield from reader.value(slot)
    return made


class _Differ:
    """Compare part by part, and note what differs."""

    def __init__(self, reader: TreeReader, found: list[Difference]) -> None:
        self._reader = reader
        self._values: Values = reader.values
        self._found = found

    def slots(self, steps: Steps, old: Slot, new: Slot) -> Reads[None]:
        """Compare what stands behind two slots."""
        if old == new:
            return
        left, right = (yield from opened(old)), (yield from opened(new))
        if not (isinstance(left, Row) and isinstance(right, Row)):
            yield from self._read(steps, left, right)
        elif left.kind == right.kind and left.kind in (LIST, DICT):
            yield from self._rows(steps, left, right)
        else:
            yield from self._read(steps, left, right)

    def _read(self, steps: Steps, old: Slot, new: Slot) -> Reads[None]:
        """Compare what stands behind two slots by reading all of it."""
        before = yield from self._reader.value(old)
        after = yield from self._reader.value(new)
        yield from self.values(steps, before, after)

    def values(self, steps: Steps, old: object, new: object) -> Reads[None]:
        """Compare two values that are at hand: by their parts, if they are of one kind."""
        left, right = self._row_of(old), self._row_of(new)
        if left is not None and right is not None and left.kind == right.kind:
            yield from self._rows(steps, left, right)
        elif self._values.dumps(old) != self._values.dumps(new):
            self._note(DifferenceKind.CHANGED, steps, old, new)
        yield None

    def _row_of(self, value: object) -> Row | None:
        """Return a list or a dictionary with text keys as a row of small values."""
        dumps = self._values.dumps
        if type(value) is list:
            forms = tuple(dumps(item) for item in cast("list[object]", value))
            return Row(LIST, len(forms), 0, (), forms)
        if type(value) is dict:
            pairs = cast("dict[object, object]", value)
            if all(type(key) is str for key in pairs):
                forms = tuple(dumps(part) for pair in pairs.items() for part in pair)
                return Row(DICT, len(pairs), 0, (), forms)
        return None

    def _rows(self, steps: Steps, old: Row, new: Row) -> Reads[None]:
        """Compare two lists or two dictionaries."""
        stretches = yield from _stretches(old, new)
        if old.kind == LIST:
            for stretch in stretches:
                yield from self._items(steps, stretch)
            return
        before: dict[str, Slot] = {}
        after: dict[str, Slot] = {}
        for stretch in stretches:
            yield from self._entries_of(stretch.old, before)
            yield from self._entries_of(stretch.new, after)
        yield from self.entries(steps, before, after)

    def _entries_of(self, slots: Sequence[Slot], into: dict[str, Slot]) -> Reads[None]:
        keys, values = paired_slots(slots)
        names = yield from self._reader.value(Row(LIST, len(keys), 0, (), tuple(keys)))
        into.update(zip(cast("list[str]", names), values, strict=True))

    def entries(
        self, steps: Steps, old: Mapping[str, Slot], new: Mapping[str, Slot]
    ) -> Reads[None]:
        """Compare two dictionaries, key by key."""
        noted = len(self._found)
        for key, slot in old.items():
            at = (*steps, key)
            if key in new:
                yield from self.slots(at, slot, new[key])
            else:
                self._note(DifferenceKind.REMOVED, at, (yield from self._reader.value(slot)), None)
        for key, slot in new.items():
            if key not in old:
                at = (*steps, key)
                self._note(DifferenceKind.ADDED, at, None, (yield from self._reader.value(slot)))
        if noted == len(self._found) and list(old) != list(new):
            self._note(DifferenceKind.REORDERED, steps, list(old), list(new))

    def _items(self, steps: Steps, stretch: _Stretch) -> Reads[None]:
        """Compare stretches of two lists."""
        old, new, at, is_end = stretch
        for i1, i2, j1, j2 in _changes(old, new):
            behind = is_end and i2 == len(old)
            # An item in place of another is another version of it, if it is known which.
            paired = min(i2 - i1, j2 - j1) if behind or i2 - i1 == j2 - j1 else 0
            for place in range(paired):
                yield from self.slots((*steps, at + i1 + place), old[i1 + place], new[j1 + place])
            here = (*steps, at + i1 + paired)
            if i1 + paired < i2:
                gone = yield from self._made(old[i1 + paired : i2])
                self._note(DifferenceKind.CUT, here, gone, None)
            if j1 + paired < j2:
                come = yield from self._made(new[j1 + paired : j2])
                kind = DifferenceKind.APPENDED if behind else DifferenceKind.INSERTED
                self._note(kind, (*steps, at + i2), None, come)

    def _made(self, slots: Sequence[Slot]) -> Reads[object]:
        return (yield from self._reader.value(Row(LIST, len(slots), 0, (), tuple(slots))))

    def _note(self, kind: DifferenceKind, steps: Steps, old: object, new: object) -> None:
        path = path_of(steps)
        self._found.append(Difference(steps=steps, path=path, kind=kind, old=old, new=new))


def _stretches(old: Row, new: Row) -> Reads[list[_Stretch]]:
    """Return the stretches of slots that may differ, in order; the last reaches to the end.

    Level by level, from both ends and by equal nodes between them. Because a node ends where its
    content says so, two rows have their nodes in common wherever they have their items in common.
    """
    level = min(filter(None, (old.height, new.height)), default=0)
    left = yield from _down(old.tops, old.height - level)
    right = yield from _down(new.tops, new.height - level)
    regions = list(_between(_Region(left, right, 0), is_last=True))
    for _ in range(level - 1):
        below: list[_Region] = []
        for number, region in enumerate(regions, 1):
            left = yield from _down(region.old, 1)
            right = yield from _down(region.new, 1)
            part = _Region(left, right, region.at)
            below += _between(part, is_last=number == len(regions))
        regions = below
    # The last region reaches to the end of both leaves: the tails go on behind it.
    found: list[_Stretch] = []
    for number, region in enumerate(regions, 1):
        before = yield from _leaf_slots(region.old)
        after = yield from _leaf_slots(region.new)
        is_end = number == len(regions)
        if is_end:
            before, after = [*before, *old.tail], [*after, *new.tail]
        found.append(_Stretch(before, after, region.at, is_end))
    return found


def _between(whole: _Region, *, is_last: bool) -> Iterator[_Region]:
    """Go through what lies between equal nodes; behind the last there is always one, if empty."""
    i = j = 0
    at = whole.at
    for i1, i2, j1, j2 in _changes(whole.old, whole.new):
        at += _total(whole.old[i:i1])
        yield _Region(whole.old[i1:i2], whole.new[j1:j2], at)
        at += _total(whole.old[i1:i2])
        i, j = i2, j2
    if is_last and (i < len(whole.old) or j < len(whole.new) or i == j == 0):
        yield _Region((), (), at + _total(whole.old[i:]))


def _total(branches: Sequence[Branch]) -> int:
    return sum(branch.total for branch in branches)


def _changes(
    old: Sequence[Hashable], new: Sequence[Hashable]
) -> Iterator[tuple[int, int, int, int]]:
    """Go through the places where two sequences differ, as (i1, i2, j1, j2)."""
    start, most = 0, min(len(old), len(new))
    while start < most and old[start] == new[start]:
        start += 1
    end = 0
    while end < most - start and old[-end - 1] == new[-end - 1]:
        end += 1
    left, right = old[start : len(old) - end], new[start : len(new) - end]
    if not left or not right:
        if left or right:
            yield start, start + len(left), start, start + len(right)
        return
    # What is very frequent is no landmark in long sequences; so the time stays in proportion.
    for code, i1, i2, j1, j2 in SequenceMatcher(None, left, right).get_opcodes():
        if code != "equal":
            yield start + i1, start + i2, start + j1, start + j2


def _down(branches: Sequence[Branch], levels: int) -> Reads[Sequence[Branch]]:
    """Return what lies so many levels of inner nodes beneath."""
    for _ in range(levels if branches else 0):
        below: list[Branch] = []
        for first in range(0, len(branches), AT_ONCE):
            window = branches[first : first + AT_ONCE]
            bodies = yield from bodies_of([branch.ref for branch in window])
            below += [b for branch in window for b in read_inner(bodies[branch.ref.digest])]
        branches = below
    return branches


def _leaf_slots(branches: Sequence[Branch]) -> Reads[Sequence[Slot]]:
    found: list[Slot] = []
    for first in range(0, len(branches), AT_ONCE):
        window = branches[first : first + AT_ONCE]
        bodies = yield from bodies_of([branch.ref for branch in window])
        found += [slot for branch in window for slot in read_leaf(bodies[branch.ref.digest])]
    return found
