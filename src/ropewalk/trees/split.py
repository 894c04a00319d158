"""`Splitter`: take values apart into slots and nodes, and only what has changed since."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, Final, TypeVar, cast

from ..domain.ports import Values
from .chunk import boundary, chunks
from .dicts import write_dict
from .edge import Edge
from .form import (
    BYTES,
    CHUNK,
    SLOT,
    TEXT,
    VALUE,
    Branch,
    Ref,
    Row,
    Slot,
    Wrap,
    pack_slot,
    refs_in,
)
from .keys import TreeKeys
from .lists import write_list
from .memo import ChunksMemo, Memo, WrapMemo
from .pieces import Pauses
from .weigh import is_light

T = TypeVar("T")

INLINE: Final = 96
"""The longest stored form, and the longest slot, that stands at its place."""

SHORT_BYTES: Final = 512
"""A list or dictionary directly in a state is taken apart beyond this."""

LONG_BYTES: Final = 8 * 1024
"""Anything deeper is taken apart beyond this."""

MOST_DEPTH: Final = 48
"""Deeper than so many trees in one another, values are kept in one piece."""

MOST_REMEMBERED: Final = 16 * 1024 * 1024
"""Bytes of stored forms that are remembered of one state; the rest is compared by names."""

_PIECE: Final = 1024 * 1024

_SCALARS: Final = frozenset({int, float, bool, type(None)})


class Splitter:
    """Write one state: `keep` gets the name and the body of every node that is new.

    A node whose name is in `known` is stored already and part of what the writer goes on from.
    """

    def __init__(
        self,
        values: Values,
        keys: TreeKeys,
        keep: Callable[[bytes, bytes], None],
        *,
        by_identity: bool = False,
        spare: int = MOST_REMEMBERED,
    ) -> None:
        """Write with these values and keys; with `by_identity` the same object is unchanged."""
        self.values = values
        self.keys = keys
        self.known: set[bytes] = set()
        self.by_identity = by_identity
        self.spare = spare
        self._keep = keep
        self._depth = 0

    def node(self, body: bytes) -> bytes:
        """Keep a node's body unless it is stored; return its name."""
        digest = self.keys.digest(body)
        if digest not in self.known:
            self.known.add(digest)
            self._keep(digest, body)
        return digest

    def forget(self, slots: Sequence[Slot]) -> None:
        """Note that these slots were written before: their nodes need not be written again."""
        known = self.known
        for slot in slots:
            if isinstance(slot, Ref):
                known.add(slot.digest)
            elif isinstance(slot, Row):
                for branch in slot.tops:
                    known.add(branch.ref.digest)
                self.forget(slot.tail)
            elif isinstance(slot, Wrap):
                self.forget((slot.inner,))

    def channel(self, value: Any, memo: Memo | None) -> Pauses[tuple[Slot, Memo | None]]:  # noqa: ANN401
        """Write a value that lies directly in a state; `memo` is of the one before it, if any."""
        return (yield from self._slot(value, memo, SHORT_BYTES))

    def item(self, value: Any, memo: Memo | None = None) -> Pauses[tuple[Slot, Memo | None, bytes]]:  # noqa: ANN401
        """Write a value that lies deeper: its slot, its memo, and its form (empty if apart)."""
        form = self.whole(value) if memo is None else b""
        if form:
            return self.plain(form), None, form
        slot, memo = yield from self.apart(value, memo)
        return slot, memo, b""

    def whole(self, value: object) -> bytes:
        """Return the stored form of a value that lies deeper, nothing where it is taken apart."""
        is_deep = self._depth == MOST_DEPTH
        if not (is_deep or is_light(value)):
            return b""
        form = self.values.dumps(value)
        return form if len(form) <= LONG_BYTES or is_deep else b""

    def apart(self, value: Any, memo: Memo | None) -> Pauses[tuple[Slot, Memo | None]]:  # noqa: ANN401
        """Write a value that lies deeper and is not to be kept `whole`."""
        self._depth += 1
        slot, memo = yield from self._slot(value, memo, LONG_BYTES)
        self._depth -= 1
        if isinstance(slot, Row | Wrap):
            packed = pack_slot(slot)
            if len(packed) > INLINE:
                slot = Ref(self.node(SLOT + packed), deep=bool(refs_in([slot])))
        return slot, memo

    def plain(self, form: bytes) -> Slot:
        """Return the slot of a stored form: the form itself, or the node that holds it."""
        return form if len(form) <= INLINE else Ref(self.node(VALUE + form), deep=False)

    def plain_as_before(self, form: bytes, slot: Slot) -> bool:
        """Tell whether this stored form stands behind that slot."""
        if isinstance(slot, bytes):
            return form == slot
        return (
            isinstance(slot, Ref)
            and not slot.deep
            and self.keys.digest(VALUE + form) == slot.digest
        )

    def scalar(self, value: object) -> bytes | None:
        """Return the slot of a short value that is nothing but itself, nothing for any other."""
        form = self.values.dumps(value) if type(value) in _SCALARS else b""
        return form if 0 < len(form) <= INLINE else None

    def _slot(self, value: Any, memo: Memo | None, limit: int) -> Pauses[tuple[Slot, Memo | None]]:  # noqa: ANN401
        kind = cast("type[object]", value.__class__)
        if kind is list:
            return (yield from write_list(self, cast("list[object]", value), memo, limit))
        if kind is dict and all(map(is_text, value)):
            return (yield from write_dict(self, cast("dict[str, object]", value), memo, limit))
        if kind in (str, bytes) and len(value) > LONG_BYTES:
            long = yield from self._long(value, memo)
            if long is not None:
                return long.row, long
        return (yield from self._typed(value, memo))

    def _typed(self, value: object, memo: Memo | None) -> Pauses[tuple[Slot, Memo | None]]:
        form = self.values.dumps(value)
        if len(form) <= LONG_BYTES or (opened := self.values.open(value)) is None:
            return self.plain(form), None
        before = memo.inner if isinstance(memo, WrapMemo) else None
        slot, inner, _ = yield from self.item(opened.value, before)
        wrap = Wrap(opened.code, opened.prefix, slot)
        return wrap, WrapMemo(wrap, inner)

    def _long(self, value: str | bytes, memo: Memo | None) -> Pauses[ChunksMemo | None]:
        """Write a long text or long bytes in chunks; nothing for a text that is no Unicode."""
        if isinstance(memo, ChunksMemo):
            if memo.value is value:
                return memo
            self.known |= memo.nodes
        count = 0
        branches: list[Branch] = []
        try:
            for chunk in chunks(_pieces(value), self._boundary):
                ref = Ref(self.node(CHUNK + chunk), deep=False)
                branches.append(Branch(ref, len(chunk)))
                count += len(chunk)
                yield
        except UnicodeEncodeError:
            return None
        edge = Edge(branches, self.node)
        height, tops = edge.fold(self.node)
        row = Row(TEXT if isinstance(value, str) else BYTES, count, height, tops, ())
        nodes = {branch.ref.digest for branch in branches} | edge.closed | edge.open
        return ChunksMemo(row, nodes, value)

    @cached_property
    def _boundary(self) -> re.Pattern[bytes]:
        return boundary(self.keys.chance(b"chunks"))


def _pieces(value: str | bytes) -> Iterator[bytes]:
    for at in range(0, len(value), _PIECE):
        piece = value[at : at + _PIECE]
        yield piece.encode() if isinstance(piece, str) else piece


def is_text(key: object) -> bool:
    """Tell whether a key is a text that UTF-8 can hold."""
    return type(key) is str and (key.isascii() or _is_unicode(key))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
