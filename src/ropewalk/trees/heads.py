"""The heads of MessagePack's arrays, maps, texts, bytes and extensions, by its specification."""

from __future__ import annotations

from typing import Final

_FIX: Final = 0x10
_FIX_TEXT: Final = 0x20
_FIXED: Final = {1: b"\xd4", 2: b"\xd5", 4: b"\xd6", 8: b"\xd7", 16: b"\xd8"}


def list_head(count: int) -> bytes:
    """Return the head of a MessagePack array of so many items."""
    if count < _FIX:
        return bytes([0x90 | count])
    return b"\xdc" + count.to_bytes(2) if count < 2**16 else b"\xdd" + count.to_bytes(4)


def dict_head(count: int) -> bytes:
    """Return the head of a MessagePack map of so many pairs."""
    if count < _FIX:
        return bytes([0x80 | count])
    return b"\xde" + count.to_bytes(2) if count < 2**16 else b"\xdf" + count.to_bytes(4)


def text_head(size: int) -> bytes:
    """Return the head of a MessagePack text of so many UTF-8 bytes."""
    if size < _FIX_TEXT:
        return bytes([0xA0 | size])
    if size < 2**8:
        return b"\xd9" + size.to_bytes(1)
    return b"\xda" + size.to_bytes(2) if size < 2**16 else b"\xdb" + size.to_bytes(4)


def bytes_head(size: int) -> bytes:
    """Return the head of so many bytes in MessagePack."""
    if size < 2**8:
        return b"\xc4" + size.to_bytes(1)
    return b"\xc5" + size.to_bytes(2) if size < 2**16 else b"\xc6" + size.to_bytes(4)


def extension_head(code: int, size: int) -> bytes:
    """Return the head of a MessagePack extension of so many bytes."""
    kind = code.to_bytes(1, signed=True)
    fixed = _FIXED.get(size)
    if fixed is not None:
        return fixed + kind
    if size < 2**8:
        return b"\xc7" + size.to_bytes(1) + kind
    return (b"\xc8" + size.to_bytes(2) if size < 2**16 else b"\xc9" + size.to_bytes(4)) + kind
