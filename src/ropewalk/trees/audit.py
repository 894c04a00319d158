"""Go through everything that a state needs: with the place of each node, or only their names."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from ..domain.errors import Corrupt
from .form import (
    DICT,
    LIST,
    SLOT,
    Branch,
    Ref,
    Row,
    Slot,
    children,
    read_inner,
    read_leaf,
    read_slot,
    read_value,
    refs_in,
)
from .read import AT_ONCE, paired_slots
from .root import WHOLE
from .steps import Step, path_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..domain.ports import Values
    from .keys import TreeKeys
    from .read import Reads
    from .root import Root


_WINDOW: Final = 128
"""Nodes that are asked for together: hashing them takes less than a millisecond."""


class Damage(NamedTuple):
    """A node that is missing or not what it was, and where in the state it belongs.

    `path` is of the smallest part that can be told: a range of a list where many items lie
    beneath the node, and the empty path for the whole state.
    """

    digest: bytes
    path: str
    reason: str


class _Place(NamedTuple):
    """Where a node stands: at `steps`, or as part of the row there, from item `start` on."""

    ref: Ref
    steps: tuple[Step, ...]
    above: bytes | None
    row: Row | None = None
    height: int = 0
    start: int = 0
    total: int = 0


_PAUSE: Final = 64
"""So many nodes are looked at in one go."""

_NO_REF: Final = Ref(b"", deep=False)


class _Places:
    """The nodes of one state that have to be looked at, each once, and what refers to them."""

    def __init__(self, sound: set[bytes]) -> None:
        self._sound = sound
        self.order: list[_Place] = []
        self.above: dict[bytes, list[bytes]] = {}

    def add(self, found: Iterable[_Place]) -> None:
        """Note nodes that are not known to be sound."""
        for place in found:
            digest = place.ref.digest
            if digest in self._sound:
                continue
            if digest not in self.above:
                self.above[digest] = []
                self.order.append(place)
            if place.above is not None:
                self.above[digest].append(place.above)

    def taint(self, tainted: set[bytes]) -> None:
        """Add every node to `tainted` that has one of these beneath it."""
        waiting = list(tainted)
        while waiting:
            for digest in self.above[waiting.pop()]:
                if digest not in tainted:
                    tainted.add(digest)
                    waiting.append(digest)


class Auditor:
    """Hash every node of states again, each once.

    Whoever answers its questions leaves out the nodes that are missing or cannot be opened.
    """

    def __init__(self, keys: TreeKeys, values: Values) -> None:
        """Check nodes of the family of `keys`; `values` read the keys of dictionaries."""
        self._keys = keys
        self._values = values
        self._sound: set[bytes] = set()

    @property
    def sound(self) -> int:
        """How many nodes were found to be sound, with everything beneath them."""
        return len(self._sound)

    def is_sound(self, digest: bytes) -> bool:
        """Tell whether a node was found to be sound, with everything beneath it."""
        return digest in self._sound

    def audit(self, root: Root) -> Reads[list[Damage]]:
        """Return the damage in one state, in the order of its levels."""
        places = _Places(self._sound)
        for name, slot in root.slots.items():
            steps = (name,) if root.is_dict or name != WHOLE else ()
            places.add(self._of_slots([slot], [steps], None))
        damage: list[Damage] = []
        tainted: set[bytes] = set()
        at = 0
        while at < len(places.order):
            window = places.order[at : at + _WINDOW]
            bodies = yield [place.ref for place in window]
            for number, place in enumerate(window, 1):
                if number % _PAUSE == 0:
                    yield None
                reason, below = self._look(place, bodies.get(place.ref.digest))
                if reason:
                    damage.append(Damage(place.ref.digest, _path(place), reason))
                    tainted.add(place.ref.digest)
                places.add(below)
            at += len(window)
        places.taint(tainted)
        self._sound.update(places.above.keys() - tainted)
        return damage

    def _look(self, place: _Place, body: bytes | None) -> tuple[str, list[_Place]]:
        """Return what is wrong with a node, if anything is, and what stands beneath it."""
        if body is None:
            return "it is missing or cannot be opened", []
        if self._keys.digest(body) != place.ref.digest:
            return "its content is not what its name says", []
        try:
            return "", list(self._beneath(place, body))
        except Corrupt as error:
            return error.message, []

    def _beneath(self, place: _Place, body: bytes) -> Iterable[_Place]:
        row, number = place.row, place.ref.digest
        if row is None:
            slots = [read_slot(body[1:])] if body[:1] == SLOT else []
            return self._of_slots(slots, [place.steps] * len(slots), number)
        if place.height > 1:
            below = place._replace(above=number, height=place.height - 1)
            return _of_branches(read_inner(body), below)
        if row.kind in (LIST, DICT):
            return self._of_items(row, read_leaf(body), place.steps, place.start, number)
        read_value(body)
        return []

    def _of_slots(
        self, slots: Sequence[Slot], steps: Sequence[tuple[Step, ...]], above: bytes | None
    ) -> Iterable[_Place]:
        waiting = deque(zip(slots, steps, strict=True))
        while waiting:
            slot, at = waiting.popleft()
            if isinstance(slot, Ref):
                yield _Place(slot, at, above)
            elif isinstance(slot, Row):
                row = _Place(_NO_REF, at, above, slot, slot.height)
                yield from _of_branches(slot.tops, row)
                start = sum(branch.total for branch in slot.tops)
                yield from self._of_items(slot, slot.tail, at, start, above)
            elif not isinstance(slot, bytes):
                waiting.append((slot.inner, at))

    def _of_items(
        self,
        row: Row,
        slots: Sequence[Slot],
        steps: tuple[Step, ...],
        start: int,
        above: bytes | None,
    ) -> Iterable[_Place]:
        """Go through what the items of a list, or the pairs of a dictionary, refer to."""
        if row.kind != DICT:
            at = [(*steps, start + number) for number in range(len(slots))]
            yield from self._of_slots(slots, at, above)
            return
        keys, values = paired_slots(slots)
        for key, value in zip(keys, values, strict=True):
            # A key that is long has a node of its own: what it is called stands only there.
            known = isinstance(key, bytes)
            name = (str(self._values.loads(key)),) if isinstance(key, bytes) else ()
            if not known:
                yield from self._of_slots([key], [steps], above)
            yield from self._of_slots([value], [(*steps, *name)], above)


def _of_branches(branches: Iterable[Branch], first: _Place) -> Iterable[_Place]:
    """Go through branches that stand side by side, of which the first begins where `first` does."""
    start = first.start
    for branch in branches:
        yield first._replace(ref=branch.ref, start=start, total=branch.total)
        start += branch.total


def _path(place: _Place) -> str:
    if place.row is None or place.row.kind != LIST:
        return path_of(place.steps)
    return path_of([*place.steps, slice(place.start, place.start + place.total)])


def mark(slots: Iterable[Slot], marked: set[bytes]) -> Reads[None]:
    """Add the names of all nodes that slots need to `marked`; what is there already is done.

    Reads the nodes that have references of their own, each once, and keeps nothing but names.
    """
    waiting: list[Ref] = []
    for slot in slots:
        waiting += _unmarked(refs_in([slot]), marked)
        if len(waiting) >= AT_ONCE:
            waiting = yield from _some(waiting, marked)
    while waiting:
        waiting = yield from _some(waiting, marked)


def _some(waiting: list[Ref], marked: set[bytes]) -> Reads[list[Ref]]:
    part, rest = waiting[-AT_ONCE:], waiting[:-AT_ONCE]
    bodies = yield part
    for ref in part:
        rest += _unmarked(children(bodies[ref.digest]), marked)
    return rest


def _unmarked(refs: Iterable[Ref], marked: set[bytes]) -> Iterable[Ref]:
    """Mark references, and go through those of them that lead on."""
    for ref in refs:
        if ref.digest not in marked:
            marked.add(ref.digest)
            if ref.deep:
                yield ref
