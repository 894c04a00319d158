"""What writing a list or a dictionary takes: the contract between a whole and its pieces."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from ..domain.ports import Values
from .form import Slot
from .keys import TreeKeys
from .memo import Memo

T = TypeVar("T")

Pauses: TypeAlias = Generator[None, None, T]
"""Work that may be left alone for a while at each `yield`."""


class Pieces(Protocol):
    """Write the pieces of a value: what a `Splitter` is to those who take lists apart.

    `known` are the names of nodes that are stored already and part of what is gone on from.
    With `by_identity` the caller vouches that the same object is unchanged. `spare` is how many
    bytes of stored forms may still be remembered for the next comparison.
    """

    values: Values
    keys: TreeKeys
    known: set[bytes]
    by_identity: bool
    spare: int

    def node(self, body: bytes) -> bytes:
        """Keep a node's body unless it is stored; return its name."""
        ...

    def forget(self, slots: Sequence[Slot]) -> None:
        """Note that these slots were written before: their nodes need not be written again."""
        ...

    def item(
        self,
        value: Any,  # noqa: ANN401 (a user's value)
        memo: Memo | None = None,
    ) -> Pauses[tuple[Slot, Memo | None, bytes]]:
        """Write a value that lies deeper: its slot, its memo, and its form (empty if apart)."""
        ...

    def whole(self, value: object) -> bytes:
        """Return the stored form of a value that lies deeper, nothing where it is taken apart."""
        ...

    def apart(
        self,
        value: Any,  # noqa: ANN401 (a user's value)
        memo: Memo | None,
    ) -> Pauses[tuple[Slot, Memo | None]]:
        """Write a value that lies deeper and is not to be kept `whole`."""
        ...

    def plain(self, form: bytes) -> Slot:
        """Return the slot of a stored form: the form itself, or the node that holds it."""
        ...

    def plain_as_before(self, form: bytes, slot: Slot) -> bool:
        """Tell whether this stored form stands behind that slot."""
        ...


def first_forms(
    splitter: Pieces, items: Iterable[object], limit: int
) -> Pauses[tuple[list[bytes], bool]]:
    """Return the stored forms of the first items, and whether they are all, and short.

    Ends where they come to more than `limit` bytes, and before an item that is taken apart.
    """
    forms: list[bytes] = []
    for item in items:
        form = splitter.whole(item)
        if not form:
            return forms, False
        forms.append(form)
        limit -= len(form)
        if limit < 0:
            return forms, False
        yield
    return forms, True


def remembered(pieces: Pieces, form: bytes) -> bytes | None:
    """Return a form to be remembered, nothing where there is no room for it."""
    if len(form) > pieces.spare:
        return None
    pieces.spare -= len(form)
    return form


def given_up(pieces: Pieces, form: bytes | None) -> None:
    """Take back the room of a form that is remembered no longer."""
    pieces.spare += len(form or b"")
