"""Pack plain values, and leaves among them, in one call of ormsgpack; or say that it cannot."""

from __future__ import annotations

from itertools import chain
from typing import Final

from ormsgpack import OPT_NON_STR_KEYS, Ext, packb, unpackb

from . import arrays
from .format import OPTIONS, Value
from .refusal import Refused
from .scalars import WRITERS

# Bytes begin with one of these, by the width of their length.
_BIN_8: Final = 0xC4
_BIN_16: Final = 0xC5
_BIN_32: Final = 0xC6

# Every array and map begins with one of these.
_OPENING: Final = bytes([*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF])

_FEW: Final = 24
"""So many values are quicker looked at one by one."""

_BUFFERS: Final[frozenset[type]] = frozenset({bytearray, memoryview})
_BYTES: Final[frozenset[type]] = frozenset({bytes})


def packed(value: object) -> bytes | None:
    """Return the bytes of `value`, or `None` where only a walk can write it (or refuse it)."""
    data = quickly(value)
    # ormsgpack takes a bytearray for bytes, silently. Before all bytes stands one of these markers:
    # where there is none, nobody needs to look.
    return None if data is None or (_is_marked(data) and _holds(_BUFFERS, value)) else data


def quickly(value: object) -> bytes | None:
    """Return what `packed` does, but take a bytearray for bytes."""
    leaves = _Leaves()
    try:
        return packb(value, leaves, OPTIONS)
    except TypeError:
        if leaves.interrupt is not None:
            raise leaves.interrupt from None
        return None


def holds_no_bytes(data: bytes) -> bool:
    """Tell whether what `packed` wrote is certain to hold no bytes, but in a typed value."""
    if not _is_marked(data):
        return True
    try:
        value: object = unpackb(data, ext_hook=Ext, option=OPT_NON_STR_KEYS)
    except ValueError:
        return False
    return not _holds(_BYTES, value)


def _is_marked(data: bytes) -> bool:
    return _BIN_8 in data or _BIN_16 in data or _BIN_32 in data


def shallow(data: bytes, levels: int) -> bool:
    """Tell whether `data` is certain to nest no deeper than so many levels, by counting bytes."""
    return len(data) - len(data.translate(None, _OPENING)) <= levels


def write_leaf(value: object) -> Ext:
    """Return the form of a typed value that holds no others; raise `Refused` for anything else."""
    kind = type(value)
    if kind in WRITERS:
        return WRITERS[kind](value)
    if arrays.is_numpy(kind):
        return arrays.write(value)
    raise Refused("is no leaf", code="not_a_leaf", kind=kind)


class _Leaves:
    """Write typed leaves while ormsgpack does the rest; anything else makes it give up.

    It loses what is raised here, which is right for errors (the walk that follows finds them
    again, with their path) and wrong for interrupts, which are remembered.
    """

    __slots__ = ("interrupt",)

    def __init__(self) -> None:
        self.interrupt: BaseException | None = None

    def __call__(self, value: Value) -> Ext:
        try:
            return write_leaf(value)
        except BaseException as error:
            if not isinstance(error, Exception):
                self.interrupt = error
            raise


def _holds(sought: frozenset[type], value: object) -> bool:
    """Tell whether such an object lies in the lists and dictionaries of `value`."""
    parts: list[Value] = [value]
    # It grows while it is gone through; of many parts, those of one level are looked at together.
    for part in parts:
        kind = part.__class__
        if kind in sought:
            return True
        if kind is dict:
            parts += part.values()
        elif kind is list:
            parts += part
        if len(parts) > _FEW:
            return _hold(sought, parts)
    return False


def _hold(sought: frozenset[type], level: list[Value]) -> bool:
    """Tell whether such an object is among these or lies in them."""
    while sought.isdisjoint(kinds := set(map(type, level))):
        inside: list[Value] = []
        if dict in kinds:
            inside += chain.from_iterable([d.values() for d in level if d.__class__ is dict])
        if list in kinds:
            inside += chain.from_iterable([part for part in level if part.__class__ is list])
        if not inside:
            return False
        level = inside
    return True
