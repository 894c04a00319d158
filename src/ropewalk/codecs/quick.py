"""Pack plain values, and leaves among them, in one call of ormsgpack; or say that it cannot."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, compress, repeat
from operator import is_, methodcaller
from typing import Final

from ormsgpack import Ext, packb

from . import arrays
from .format import OPTIONS, Value
from .refusal import Refused
from .scalars import WRITERS

# One of these stands before all bytes, and before every bytearray that was taken for bytes.
_BYTES_MARKERS: Final = (0xC4, 0xC5, 0xC6)

# Every array and map begins with one of these.
_OPENING: Final = bytes([*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF])

_BUFFERS: Final[frozenset[type]] = frozenset({bytearray, memoryview})
_HOLDING: Final[frozenset[type]] = frozenset({dict, list})
_values: Final = methodcaller("values")


def packed(value: object) -> bytes | None:
    """Return the bytes of `value`, or `None` where only a walk can write it (or refuse it)."""
    leaves = _Leaves()
    try:
        data = packb(value, leaves, OPTIONS)
    except TypeError:
        if leaves.interrupt is not None:
            raise leaves.interrupt from None
        return None
    # ormsgpack takes a bytearray for bytes. Only then can one of these markers be there.
    if any(marker in data for marker in _BYTES_MARKERS) and _holds_buffer(value):
        return None
    return data


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
    """Tell whether a bytearray or memoryview lies in the lists and dictionaries of `value`.

    Goes down level by level, so that almost all of it happens in C.
    """
    level: list[object] = [value]
    while not _BUFFERS.intersection(kinds := set(map(type, level))):
        if kinds.isdisjoint(_HOLDING):
            return False
        dicts: Iterable[Value] = compress(level, map(is_, map(type, level), repeat(dict)))
        lists: Iterable[Value] = compress(level, map(is_, map(type, level), repeat(list)))
        inside: Iterable[Iterable[object]] = chain(map(_values, dicts), lists)
        level = list(chain.from_iterable(inside))
    return True
