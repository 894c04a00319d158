"""Put values together again out of slots and nodes."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from ..domain.errors import Corrupt
from ..domain.ports import Values
from .batch import Batch, Forms, form_at_hand, forms_at_hand, made_of_forms
from .copies import ODD, Made, made_of
from .form import (
    BYTES,
    DICT,
    LIST,
    SLOT,
    TEXT,
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
from .heads import bytes_head, dict_head, extension_head, list_head, text_head

T = TypeVar("T")
K = TypeVar("K")

Reads: TypeAlias = Generator[Sequence[Ref] | None, Mapping[bytes, bytes], T]
"""Work that asks for nodes: it yields references and is sent their bodies by name.

It yields `None` where it may be left alone for a while.
"""

AT_ONCE: Final = 1_024
"""So many nodes are asked for together, so that memory holds few bodies at a time."""

_CHUNKS_AT_ONCE: Final = 64


class Joined(Protocol):
    """What a reader remembers of leaves.

    That is the forms of all their items behind one another, and of leaves that were read again
    what was made of them. A name means the same leaf for ever: nothing is ever out of date.
    """

    def joined(self, leaves: Iterable[bytes]) -> dict[bytes, Forms]:
        """Return what is known of some leaves, by their names."""
        ...

    def join(self, leaves: Mapping[bytes, Forms]) -> None:
        """Remember the forms of some leaves."""
        ...

    def made(self, leaves: Iterable[bytes]) -> dict[bytes, Made]:
        """Return what was made of some leaves, by their names; `ODD` of those of other things."""
        ...

    def keep(self, leaves: Mapping[bytes, Made]) -> None:
        """Remember what was made of some leaves."""
        ...


@dataclass(slots=True)
class _Known:
    """What is known of some leaves, by their names, and what has been found out meanwhile."""

    made: dict[bytes, Made] = field(default_factory=dict[bytes, Made])
    forms: dict[bytes, Forms] = field(default_factory=dict[bytes, Forms])
    slots: dict[bytes, list[Slot]] = field(default_factory=dict[bytes, "list[Slot]"])
    fresh: dict[bytes, Forms] = field(default_factory=dict[bytes, Forms])
    learned: dict[bytes, Made] = field(default_factory=dict[bytes, Made])


class TreeReader:
    """Read what a `Splitter` with the same values wrote."""

    def __init__(self, values: Values, *, joined: Joined | None = None) -> None:
        """Make objects with `values`; what is `joined` need not be put together again."""
        self._values = values
        self._joined = joined

    @property
    def values(self) -> Values:
        """What makes the objects."""
        return self._values

    def value(self, slot: Slot) -> Reads[object]:
        """Return the value that stands behind a slot."""
        if isinstance(slot, Ref):
            body = (yield [slot])[slot.digest]
            if body[:1] == SLOT:
                return (yield from self.value(read_slot(body[1:])))
            return self._values.loads(read_value(body))
        if isinstance(slot, Row):
            return (yield from self._row(slot))
        if isinstance(slot, Wrap):
            return self._values.loads((yield from self.form(slot)))
        return self._values.loads(slot)

    def all_of(self, slots: Mapping[str, Slot]) -> Reads[dict[str, Any]]:
        """Return the values behind slots by key: what stands in the slots is made together."""
        short = {key: slot for key, slot in slots.items() if type(slot) is bytes}
        batch = Batch(self._values)
        batch.add(len(short), *short.values())
        batch.make()
        made: dict[str, Any] = dict(zip(short, batch.made, strict=True))
        works = {key: self.value(slot) for key, slot in slots.items() if key not in short}
        if len(works) == 1:
            [(key, work)] = works.items()
            made[key] = yield from work
        elif works:
            made |= yield from together(works)
        return {key: made[key] for key in slots}

    def _row(self, row: Row) -> Reads[object]:
        if row.kind in (LIST, DICT):
            items = yield from self._items(row)
            _check(row, len(items))
            return items if row.kind == LIST else _paired(items)
        data = b"".join((yield from self._chunks(row)))
        _check(row, len(data))
        if row.kind == TEXT:
            return _text(data)
        if row.kind == BYTES:
            return data
        raise unknown_row(row)

    def _items(self, row: Row) -> Reads[list[Any]]:
        """Return the items of a list, or keys and values in turn, made in batches."""
        batch = Batch(self._values)
        branches = yield from leaves(row)
        windows = _by_items(branches) or [()]
        for at, window in enumerate(windows):
            known = yield from self._known(window)
            tail = row.tail if at == len(windows) - 1 else ()
            wanted = [slot for leaf in known.slots.values() for slot in leaf]
            bodies = yield from plain_bodies([*wanted, *tail])
            for (leaf, _), _ in window:
                copies, forms = known.made.get(leaf, ODD), known.forms.get(leaf)
                if copies is not ODD:
                    batch.put(copies.again(), size=copies.weight)
                elif forms is None:
                    fresh = forms_at_hand(known.slots[leaf], bodies)
                    if fresh is None:
                        yield from self._into(batch, known.slots[leaf], bodies)
                        continue
                    batch.add(*fresh)
                    known.fresh[leaf] = fresh
                elif leaf in known.made or not self._repeats(known, leaf, forms):
                    batch.add(*forms)
                else:
                    batch.put(self._learn(known, leaf, forms), size=len(forms[1]))
                if batch.is_full:
                    batch.make()
                    yield None
            self._remember(known)
            at_hand = forms_at_hand(tail, bodies)
            if at_hand is None:
                yield from self._into(batch, tail, bodies)
            else:
                batch.add(*at_hand)
        batch.make()
        return batch.made

    def _known(self, window: Sequence[Branch]) -> Reads[_Known]:
        """Find what is known of the leaves of a window, and read the slots of the others."""
        known = _Known()
        leaves = [branch.ref.digest for branch in window]
        if self._joined is not None:
            known.made = self._joined.made(leaves)
            known.forms = self._joined.joined(
                leaf for leaf in leaves if known.made.get(leaf, ODD) is ODD
            )
        asked = [
            branch.ref
            for branch in window
            if branch.ref.digest not in known.forms
            and known.made.get(branch.ref.digest, ODD) is ODD
        ]
        bodies = yield from bodies_of(asked)
        for ref in asked:
            known.slots[ref.digest] = read_leaf(bodies[ref.digest])
            yield None
        return known

    def _repeats(self, known: _Known, leaf: bytes, forms: Forms) -> bool:
        """Tell whether a leaf that is read again may be copied in future; remember if not."""
        count, joined = forms
        if self._values.repeats(list_head(count) + joined):
            return True
        known.learned[leaf] = ODD
        return False

    def _learn(self, known: _Known, leaf: bytes, forms: Forms) -> list[Any]:
        """Return the items of a leaf that is read again, and what is to be remembered of them."""
        count, joined = forms
        items = made_of_forms(self._values, count, joined)
        copies = made_of(items, size=len(joined))
        known.learned[leaf] = copies or ODD
        return copies.again() if copies else items

    def _remember(self, known: _Known) -> None:
        if self._joined is None:
            return
        if known.fresh:
            self._joined.join(known.fresh)
        if known.learned:
            self._joined.keep(known.learned)

    def _into(
        self, batch: Batch, slots: Sequence[Slot], bodies: Mapping[bytes, bytes]
    ) -> Reads[None]:
        """Put the items of some slots into a batch."""
        for slot in slots:
            form = form_at_hand(slot, bodies)
            if form is None or batch.is_full:
                batch.make()
                yield None
            if form is None:
                batch.made.append((yield from self.value(slot)))
            else:
                batch.add(1, form)

    def form(self, slot: Slot) -> Reads[bytes]:
        """Return the stored form that stands behind a slot, byte for byte as it was written."""
        if isinstance(slot, Ref):
            body = (yield [slot])[slot.digest]
            if body[:1] == SLOT:
                return (yield from self.form(read_slot(body[1:])))
            return read_value(body)
        if isinstance(slot, Wrap):
            inner = slot.prefix + (yield from self.form(slot.inner))
            return extension_head(slot.code, len(inner)) + inner
        if not isinstance(slot, Row):
            return slot
        if slot.kind in (TEXT, BYTES):
            data = b"".join((yield from self._chunks(slot)))
            _check(slot, len(data))
            return (text_head if slot.kind == TEXT else bytes_head)(len(data)) + data
        slots = yield from all_slots(slot)
        _check(slot, len(slots))
        forms: list[bytes] = []
        for item in slots:
            form = yield from self.form(item)
            forms.append(form)
        head = dict_head if slot.kind == DICT else list_head
        return head(slot.total) + b"".join(forms)

    def _chunks(self, row: Row) -> Reads[list[bytes]]:
        found: list[bytes] = []
        branches = yield from leaves(row)
        for window in _groups(branches, _CHUNKS_AT_ONCE):
            bodies = yield [branch.ref for branch in window]
            found += [read_value(bodies[branch.ref.digest]) for branch in window]
            yield None
        return found


def leaves(row: Row) -> Reads[Sequence[Branch]]:
    """Return the branches of the leaves (or chunks) of a row, in order."""
    branches: Sequence[Branch] = row.tops
    for _ in range(row.height - 1):
        below: list[Branch] = []
        for window in _groups(branches, AT_ONCE):
            bodies = yield [branch.ref for branch in window]
            for branch in window:
                below += read_inner(bodies[branch.ref.digest])
                yield None
        branches = below
    return branches


def all_slots(row: Row) -> Reads[list[Slot]]:
    """Return every slot of a list or dictionary, in order."""
    branches = yield from leaves(row)
    found: list[Slot] = []
    for window in _by_items(branches):
        found += yield from _slots(window)
    return [*found, *row.tail]


def _slots(branches: Sequence[Branch]) -> Reads[list[Slot]]:
    if not branches:
        return []
    bodies = yield [branch.ref for branch in branches]
    return [slot for branch in branches for slot in read_leaf(bodies[branch.ref.digest])]


def paired_slots(slots: Sequence[Slot]) -> tuple[Sequence[Slot], Sequence[Slot]]:
    """Return the keys and the values of a dictionary; raise `Corrupt` where one is alone."""
    if len(slots) % 2:
        message = "a leaf of a dictionary holds half a pair"
        raise Corrupt(message, code="bad_node")
    return slots[::2], slots[1::2]


def bodies_of(refs: Sequence[Ref]) -> Reads[Mapping[bytes, bytes]]:
    """Return the bodies of nodes by name; ask for nothing where there are none."""
    return (yield refs) if refs else {}


def plain_bodies(slots: Sequence[Slot]) -> Reads[Mapping[bytes, bytes]]:
    """Return the bodies of the nodes without children that slots refer to."""
    wanted = [slot for slot in slots if isinstance(slot, Ref) and not slot.deep]
    return (yield wanted) if wanted else {}


def together(parts: Mapping[K, Reads[T]]) -> Reads[dict[K, T]]:
    """Do several works at once: what they ask for in the same step is asked for together."""
    done: dict[K, T] = {}
    asked: dict[K, Sequence[Ref] | None] = {}
    for key, work in parts.items():
        try:
            asked[key] = next(work)
        except StopIteration as end:
            done[key] = end.value
    while asked:
        # Who pauses goes on until it asks for something too: so few looks do for all of them.
        ready = [key for key, refs in asked.items() if refs is None]
        if ready:
            bodies = (yield None) or {}
        else:
            bodies = yield [ref for refs in asked.values() if refs for ref in refs]
            ready = list(asked)
        for key in ready:
            try:
                asked[key] = parts[key].send(bodies)
            except StopIteration as end:
                done[key] = end.value
                del asked[key]
    return {key: done[key] for key in parts}


def unknown_row(row: Row) -> Corrupt:
    """Make the error for a row of a kind that there is none of."""
    message = f"a row says that it is of kind {row.kind}, and there is none"
    return Corrupt(message, code="bad_node")


def _check(row: Row, found: int) -> None:
    """Raise `Corrupt` unless a row has as many slots, or bytes, as it says."""
    if found != (2 * row.total if row.kind == DICT else row.total):
        message = "a list, dictionary or text is longer or shorter than it says"
        raise Corrupt(message, code="bad_node")


def _paired(items: Sequence[Any]) -> dict[str, object]:
    """Make a dictionary of keys and values in turn."""
    keys = items[::2]
    if all(type(key) is str for key in keys):
        made = dict(zip(keys, items[1::2], strict=True))
        if len(made) == len(keys):
            return made
    message = "the keys of a dictionary are not those that were written"
    raise Corrupt(message, code="bad_node")


def _groups(branches: Sequence[Branch], most: int) -> list[Sequence[Branch]]:
    return [branches[at : at + most] for at in range(0, len(branches), most)]


def _by_items(branches: Sequence[Branch]) -> list[Sequence[Branch]]:
    """Group leaves so that not too many items lie beneath each group."""
    groups: list[Sequence[Branch]] = []
    start = items = 0
    for at, branch in enumerate(branches):
        items += branch.total
        if items >= AT_ONCE:
            groups.append(branches[start : at + 1])
            start, items = at + 1, 0
    if start < len(branches):
        groups.append(branches[start:])
    return groups


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        message = f"a long text is no UTF-8: {error.reason} at byte {error.start}"
        raise Corrupt(message, code="bad_text") from error
