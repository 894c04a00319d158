"""What a writer remembers of the trees it wrote last, so that it writes only what has changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from .edge import Edge
from .form import Branch, Row, Slot, Wrap

UNSEEN: Final = object()
"""Stands for a value that was not kept: no value is this one."""


@dataclass(slots=True)
class Leaf:
    """A closed leaf of a list: its branch, its slots, and what its items looked like.

    `seen` is the stored form of a list of these items, `None` where it is not known or too long to
    keep, and `bare` whether it is a bare one, once that has been asked; then `forms` are those of
    the items alone. `subs` are the memos of items that are trees of their own, by their place in
    the leaf.
    """

    branch: Branch
    slots: tuple[Slot, ...]
    seen: bytes | None = None
    subs: dict[int, Memo] = field(default_factory=dict[int, "Memo"])
    bare: bool | None = None
    forms: memoryview | None = None


@dataclass(slots=True)
class Run:
    """Leaves that are compared together: the forms of their items, and where those begin.

    That is in the stored form of a list of all their items, which are `total`.
    """

    forms: list[memoryview]
    begins: list[int]
    total: int


@dataclass(slots=True)
class ListMemo:
    """A long list as it was written: closed leaves, and the open tail behind them.

    `leaves` is `None` where only the right edge was read: enough to append. `tail_forms` are the
    stored forms of the tail's items, where all are known. `items` are the objects themselves, where
    the caller vouches that the same object means the same value. `runs` are by their first leaf.
    """

    row: Row
    edge: Edge
    filled: int
    tail: list[Slot]
    leaves: list[Leaf] | None
    tail_forms: list[bytes] | None = None
    tail_subs: dict[int, Memo] = field(default_factory=dict[int, "Memo"])
    items: list[object] | None = None
    runs: dict[int, Run] = field(default_factory=dict[int, Run])


@dataclass(slots=True)
class Entry:
    """One value of a dictionary: its slot, its own memo, and how the pair weighs and is cut."""

    key_slot: Slot
    slot: Slot
    chance: int
    memo: Memo | None = None
    value: object = UNSEEN


@dataclass(slots=True)
class DictMemo:
    """A long dictionary as it was written, by key.

    `nodes` are the names of its leaves and inner nodes. `seen` is the stored form of the whole,
    where it is short enough to keep.
    """

    row: Row
    entries: dict[str, Entry]
    nodes: set[bytes]
    seen: bytes | None = None


@dataclass(slots=True)
class WrapMemo:
    """A typed value that was taken apart, and the memo of what lies in it."""

    wrap: Wrap
    inner: Memo | None


@dataclass(slots=True)
class ChunksMemo:
    """A long text or long bytes as they were written, and the names of all chunks and inner nodes.

    `value` is the object itself, which nobody can change.
    """

    row: Row
    nodes: set[bytes]
    value: object = UNSEEN


Memo: TypeAlias = ListMemo | DictMemo | WrapMemo | ChunksMemo


@dataclass(slots=True)
class StateMemo:
    """A whole state as it was written: one slot and memo for each of its keys.

    A state that is no dictionary stands under the empty key, and `is_dict` says so. `weight` is
    how many bytes of stored forms are remembered.
    """

    slots: dict[str, Slot]
    memos: dict[str, Memo]
    is_dict: bool
    schema: int = 0
    weight: int = 0
