"""Unpack exactly one value of MessagePack, to the very last byte."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from ormsgpack import unpackb

from .format import Value

_PAIR: Final = b"\x92"
_END: Final = os.urandom(16)
_END_PACKED: Final = b"\xc4\x10" + _END


def unpack_whole(
    data: bytes, typed: Callable[[int, bytes], object], option: int | None = None
) -> Value:
    """Return the value; `typed` makes what lies in extensions, `option` is one of ormsgpack.

    Raises `ValueError` for bytes that are not one value, and for every error of `typed`.
    """
    # The decoder stops behind the first value. A second one, which nobody can guess, shows
    # whether the first reaches to the end.
    value, end = unpackb(b"".join((_PAIR, data, _END_PACKED)), ext_hook=typed, option=option)
    if type(end) is not bytes or end != _END:
        message = "there is something behind the value"
        raise ValueError(message)
    return value


def unpack_plain(*pieces: bytes) -> Value:
    """Return the value, in less time, where nothing in it is typed; it may lie in pieces.

    Raises `ValueError` otherwise, and as `unpack_whole` does.
    """
    value, end = unpackb(b"".join((_PAIR, *pieces, _END_PACKED)))
    if type(end) is not bytes or end != _END:
        message = "there is something behind the value"
        raise ValueError(message)
    return value
