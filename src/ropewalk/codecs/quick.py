"""Pack plain values, and leaves among them, in one call of ormsgpack; or say that it cannot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ormsgpack import Ext, packb

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

_BUFFERS: Final[frozenset[type]] = frozenset({bytearray, memoryview})
_HOLDING: Final[frozenset[type]] = frozenset({dict, list})


def packed(value: object) -> bytes | None:
    """Return the bytes of `value`, or `None` where only a walk can write it (or refuse it)."""
    leaves = _Leaves()
    try:
        data = packb(value, leaves, OPTIONS)
    except TypeError:
        if leaves.interrupt is not None:
            raise leaves.interrupt from None
        return None
    # ormsgpack takes a bytearray for bytes, silently. Before all bytes stands one of these markers:
    # where there is none, nobody needs to look.
    marked = _BIN_8 in data or _BIN_16 in data or _BIN_32 in data
    return None if marked and _holds_buffer(value) else data


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


def _holds_buffer(value: object) -> bool:
    """Tell whether a bytearray or memoryview lies in the lists and dictionaries of `value`."""
    level: list[object] = [value]
    while _BUFFERS.isdisjoint(kinds := set(map(type, level))):
        if kinds.isdisjoint(_HOLDING):
            return False
        level = _one_level_down(level)
    return True


def _one_level_down(level: Iterable[Value]) -> list[object]:
    inside: list[object] = []
    for item in level:
        kind = item.__class__
        if kind is dict:
            inside += item.values()
        elif kind is list:
            inside += item
    return inside
