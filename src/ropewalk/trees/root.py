"""The root of a state: one slot for each key, under an envelope with a version."""

from __future__ import annotations

from typing import Final, NamedTuple, cast

from ormsgpack import packb, unpackb

from ..domain.errors import Corrupt, Invalid
from .form import Slot, pack_map, pack_slot, read_map, read_slot

VERSION: Final = 1
"""The envelope that this version writes; a greater one is refused."""

MOST_KEYS: Final = 256
"""A state with more keys stands in the root as one long dictionary."""

WHOLE: Final = ""
"""The key under which a state stands that is not taken apart by its keys."""


_MAPS: Final = frozenset(bytes([head]) for head in (*range(0x80, 0x90), 0xDE, 0xDF))
"""What every map of MessagePack begins with."""


class Root(NamedTuple):
    """What a checkpoint keeps of its state.

    `values` names who wrote the values, `schema` is the user's own version of the state. With
    `is_dict`, `slots` are the values of the state by key; otherwise the state is the one slot
    under `WHOLE`.
    """

    values: str
    schema: int
    is_dict: bool
    slots: dict[str, Slot]


def pack_root(root: Root) -> bytes:
    """Write a root."""
    slots = pack_map(root.slots) if root.is_dict else pack_slot(root.slots[WHOLE])
    return packb([VERSION, root.values, root.schema]) + slots


def read_root(data: bytes) -> Root:
    """Read a root.

    Raises `Corrupt` for anything else, and `Invalid` for one of a later version.
    """
    try:
        head, rest = _head(data)
    except ValueError as error:
        message = "the root of the state is no root that was written here"
        raise Corrupt(message, code="bad_root") from error
    version, values, schema = head
    if version > VERSION:
        message = (
            f"the state has an envelope of version {version}, and this version of Ropewalk reads "
            f"up to {VERSION}; read it with the version that wrote it, or a later one"
        )
        raise Invalid(message, code="newer_version", version=version)
    if rest[:1] in _MAPS:
        return Root(values, schema, is_dict=True, slots=read_map(rest))
    return Root(values, schema, is_dict=False, slots={WHOLE: read_slot(rest)})


def _head(data: bytes) -> tuple[tuple[int, str, int], bytes]:
    """Take the head off: an array of three, of which the second is a short text."""
    head = cast("object", unpackb(data))
    if isinstance(head, list):
        row = cast("list[object]", head)
        if len(row) == 3 and isinstance(row[0], int) and isinstance(row[1], str):  # noqa: PLR2004
            packed = packb(row)
            if isinstance(row[2], int) and data.startswith(packed):
                return (row[0], row[1], row[2]), data[len(packed) :]
    message = "no head"
    raise ValueError(message)
