"""The stored form of trees: references, slots and the bodies of nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias, cast

from ormsgpack import Ext, packb, unpackb

from ..domain.errors import Corrupt

DIGEST_BYTES: Final = 12

# The first byte of a node says what lies behind it.
VALUE: Final = b"V"
"""The stored form of one value, without references."""
SLOT: Final = b"W"
"""One slot that was too long for its place."""
LEAF: Final = b"L"
"""Slots in a row: items of a list, or keys and values of a dictionary in turn."""
INNER: Final = b"I"
"""References with the number of what lies beneath each, in turn."""
CHUNK: Final = b"C"
"""A piece of a long text or of long bytes, as it is."""

# What a slot is, beside the stored form of a small value: MessagePack's extension codes.
_PLAIN: Final = 1
_DEEP: Final = 2
_ROW: Final = 3
_WRAP: Final = 4

_BYTES_HEADS: Final = frozenset((b"\xc4", b"\xc5", b"\xc6"))
"""What bytes begin with in MessagePack."""

# The kinds of rows.
LIST: Final = 0
DICT: Final = 1
TEXT: Final = 2
BYTES: Final = 3

_PER_ITEM: Final = {LIST: 1, DICT: 2, TEXT: 1, BYTES: 1}
"""How many slots make up one item."""

_MOST_HEIGHT: Final = 64
"""So high is no tree that can be stored: its nodes have more than two branches on average."""

_CODES: Final = range(-128, 128)


class Ref(NamedTuple):
    """The name of a node; `deep` where that node holds references of its own."""

    digest: bytes
    deep: bool


class Branch(NamedTuple):
    """A reference from an inner node, and how many items (or pairs, or bytes) lie beneath it."""

    ref: Ref
    total: int


class Row(NamedTuple):
    """A long list, dictionary, text or bytes.

    `height` is 0 where there is nothing but the tail, 1 where `tops` are leaves (or chunks), and
    one more for each level of inner nodes. `tail` are the slots behind the last leaf. `total` is
    the number of items or pairs, of bytes for texts and bytes.
    """

    kind: int
    total: int
    height: int
    tops: tuple[Branch, ...]
    tail: tuple[Slot, ...]


class Wrap(NamedTuple):
    """A typed value taken apart: extension code, the bytes in front, and the slot of the rest."""

    code: int
    prefix: bytes
    inner: Slot


Slot: TypeAlias = bytes | Ref | Row | Wrap
"""What stands for a value at its place: its stored form, or where that is found."""

# What unpacking may have made: asked of all parts of a node at once.
_SLOTS: Final = frozenset((bytes, Ref, Row, Wrap))
_TEXTS: Final = frozenset((str,))
_COUNTS: Final = frozenset((int,))
_REFS: Final = frozenset((Ref,))

# Make a named tuple of two without a call of Python: for each of the thousand names of a list.
_tuple: Final = cast("Callable[[type, tuple[object, object]], Any]", tuple.__new__)  # pyright: ignore[reportUnknownMemberType]


def pack_slot(slot: Slot) -> bytes:
    """Write a slot as it lies in nodes and roots."""
    return packb(_plain(slot))


def pack_slots(slots: Iterable[Slot]) -> bytes:
    """Write slots as one array, or as bytes where they are names alone."""
    return packb(_plain_all(tuple(slots)))


def _plain_all(slots: Sequence[Slot]) -> list[bytes | Ext] | bytes:
    names = [slot.digest for slot in slots if isinstance(slot, Ref) and not slot.deep]
    if slots and len(names) == len(slots):
        return b"".join(names)
    return [slot if type(slot) is bytes else _plain(slot) for slot in slots]


def _plain(slot: Slot) -> bytes | Ext:
    if isinstance(slot, bytes):
        return slot
    if isinstance(slot, Ref):
        return Ext(_DEEP if slot.deep else _PLAIN, slot.digest)
    if isinstance(slot, Row):
        kind, total, height, tops, tail = slot
        return Ext(_ROW, packb([kind, total, height, _branches(tops), _plain_all(tail)]))
    return Ext(_WRAP, packb([slot.code, slot.prefix, _plain(slot.inner)]))


def _branches(branches: Iterable[Branch]) -> list[Ext | int]:
    flat: list[Ext | int] = []
    for ref, count in branches:
        flat += (Ext(_DEEP if ref.deep else _PLAIN, ref.digest), count)
    return flat


def read_slot(data: bytes) -> Slot:
    """Read what `pack_slot` wrote; raise `Corrupt` for anything else."""
    return _checked(_unpacked(data))


def read_slots(data: bytes) -> list[Slot]:
    """Read what `pack_slots` wrote; raise `Corrupt` for anything else."""
    return _all(_unpacked(data))


def _all(slots: object) -> list[Slot]:
    if isinstance(slots, bytes) and slots and len(slots) % DIGEST_BYTES == 0:
        places = range(0, len(slots), DIGEST_BYTES)
        return [_tuple(Ref, (slots[at : at + DIGEST_BYTES], False)) for at in places]
    if isinstance(slots, list):
        found = cast("list[Slot]", slots)
        if not _SLOTS.issuperset(map(type, found)):
            raise _damaged()
        return found
    raise _damaged()


def read_map(data: bytes) -> dict[str, Slot]:
    """Read a dictionary of slots; raise `Corrupt` for anything else."""
    found = _unpacked(data)
    if not isinstance(found, dict):
        raise _damaged()
    slots = cast("dict[str, Slot]", found)
    if not (_TEXTS.issuperset(map(type, slots)) and _SLOTS.issuperset(map(type, slots.values()))):
        raise _damaged()
    return slots


def pack_map(slots: dict[str, Slot]) -> bytes:
    """Write a dictionary of slots."""
    return packb({k: slot if type(slot) is bytes else _plain(slot) for k, slot in slots.items()})


def inner_body(branches: Iterable[Branch]) -> bytes:
    """Write the body of an inner node."""
    return INNER + packb(_branches(branches))


def leaf_body(slots: Iterable[Slot]) -> bytes:
    """Write the body of a leaf."""
    return LEAF + pack_slots(slots)


def read_inner(body: bytes) -> tuple[Branch, ...]:
    """Read an inner node; raise `Corrupt` for anything else."""
    if body[:1] != INNER:
        raise _damaged()
    return _tops(_unpacked(body[1:]))


def read_leaf(body: bytes) -> list[Slot]:
    """Read a leaf; raise `Corrupt` for anything else."""
    if body[:1] != LEAF:
        raise _damaged()
    return read_slots(body[1:])


def read_value(body: bytes) -> bytes:
    """Return the stored form that a node holds, or the piece of one; raise `Corrupt` otherwise."""
    if body[:1] in (VALUE, CHUNK):
        return body[1:]
    raise _damaged()


def children(body: bytes) -> list[Ref]:
    """Return every reference in a node's body, in order; raise `Corrupt` for no node's body."""
    kind = body[:1]
    if kind in (VALUE, CHUNK):
        return []
    if kind == INNER:
        return [branch.ref for branch in read_inner(body)]
    if kind == LEAF:
        return refs_in(read_leaf(body))
    if kind == SLOT:
        return refs_in([read_slot(body[1:])])
    raise _damaged()


def is_of_names(body: bytes) -> bool:
    """Tell whether a node consists of names of other nodes, which no compressor makes smaller."""
    return body[:1] == INNER or (body[:1] == LEAF and body[1:2] in _BYTES_HEADS)


def refs_in(slots: Sequence[Slot]) -> list[Ref]:
    """Return every reference that stands in slots, in order."""
    found: list[Ref] = []
    for slot in slots:
        if isinstance(slot, Ref):
            found.append(slot)
        elif isinstance(slot, Row):
            found += [branch.ref for branch in slot.tops]
            found += refs_in(slot.tail)
        elif isinstance(slot, Wrap):
            found += refs_in([slot.inner])
    return found


def _unpacked(data: bytes) -> object:
    try:
        return unpackb(data, ext_hook=_extension)
    except (ValueError, TypeError, RecursionError) as error:
        raise _damaged() from error


def _extension(code: int, data: bytes) -> object:
    if code in (_PLAIN, _DEEP) and len(data) == DIGEST_BYTES:
        return _tuple(Ref, (data, code == _DEEP))
    parts = _unpacked(data) if code in (_ROW, _WRAP) else None
    if isinstance(parts, list):
        fields = cast("list[object]", parts)
        return _row(*fields) if code == _ROW else _wrap(*fields)
    message = f"{code} is no form of a slot"
    raise ValueError(message)


def _row(kind: object, total: object, height: object, tops: object, tail: object) -> Row:
    """Make a row that fits together; raise `Corrupt` where it does not."""
    branches = _tops(tops)
    if not (isinstance(kind, int) and isinstance(total, int) and isinstance(height, int)):
        raise _damaged()
    if kind not in _PER_ITEM:
        raise _damaged()
    slots = tuple(_all(tail))
    own, left_over = divmod(len(slots), _PER_ITEM[kind])
    if left_over or total != sum([branch[1] for branch in branches]) + own:
        raise _damaged()
    if slots and kind not in (LIST, DICT):
        raise _damaged()
    if height not in range(1, _MOST_HEIGHT) if branches else height != 0:
        raise _damaged()
    return Row(kind, total, height, branches, slots)


def _wrap(code: object, prefix: object, inner: object) -> Wrap:
    if isinstance(code, int) and code in _CODES and isinstance(prefix, bytes):
        return Wrap(code, prefix, _checked(inner))
    raise _damaged()


def _tops(flat: object) -> tuple[Branch, ...]:
    if not isinstance(flat, list):
        raise _damaged()
    refs = cast("list[Ref]", flat[::2])
    counts = cast("list[int]", flat[1::2])
    if not refs and not counts:
        return ()
    if not (_REFS.issuperset(map(type, refs)) and _COUNTS.issuperset(map(type, counts))):
        raise _damaged()
    if len(refs) != len(counts) or min(counts) < 0:
        raise _damaged()
    return tuple([_tuple(Branch, pair) for pair in zip(refs, counts, strict=True)])


def _checked(slot: object) -> Slot:
    if isinstance(slot, bytes | Ref | Row | Wrap):
        return slot
    raise _damaged()


def _damaged() -> Corrupt:
    message = "the bytes are no node of a tree that was written here"
    return Corrupt(message, code="bad_node")
