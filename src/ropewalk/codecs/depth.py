"""How deep a row of MessagePack bytes nests, told without building anything."""

from __future__ import annotations

from typing import Final

# Bytes behind the marker of a value of fixed size: nil and bools, numbers, small extensions.
_FIXED: Final = {
    **dict.fromkeys((0xC0, 0xC2, 0xC3), 0),
    **dict.fromkeys((0xCC, 0xD0), 1),
    **dict.fromkeys((0xCD, 0xD1, 0xD4), 2),
    **dict.fromkeys((0xCA, 0xCE, 0xD2), 4),
    **dict.fromkeys((0xCB, 0xCF, 0xD3), 8),
    **dict(zip((0xD5, 0xD6, 0xD7, 0xD8), (3, 5, 9, 17), strict=True)),
}
# Bytes, texts and extensions: the width of their length, and the bytes beside what it counts.
_COUNTED: Final = {
    **dict(zip((0xC4, 0xC5, 0xC6), ((1, 0), (2, 0), (4, 0)), strict=True)),
    **dict(zip((0xD9, 0xDA, 0xDB), ((1, 0), (2, 0), (4, 0)), strict=True)),
    **dict(zip((0xC7, 0xC8, 0xC9), ((1, 1), (2, 1), (4, 1)), strict=True)),
}
# Arrays and maps: the width of their count, and the values for each that it counts.
_HOLDING: Final = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def nesting(data: bytes, *, limit: int) -> int:
    """Return the most arrays and maps inside one another; stop counting beyond `limit`.

    Needs memory for one number a level, and time for one step a value: long texts are jumped
    over, and so are extensions, which have a nesting of their own. Raises `ValueError` for bytes
    that end too early or are none of the format
    (https://github.com/msgpack/msgpack/blob/master/spec.md).
    """
    deepest, at = 0, 0
    open_ = [1]
    while open_:
        if not open_[-1]:
            open_.pop()
            continue
        open_[-1] -= 1
        if at >= len(data):
            message = "the bytes end within a value"
            raise ValueError(message)
        skip, inside = _value(data, at)
        at += skip
        if inside is not None:
            open_.append(inside)
            deepest = max(deepest, len(open_) - 1)
            if deepest > limit:
                return deepest
    return deepest


def _value(data: bytes, at: int) -> tuple[int, int | None]:
    """Return the bytes of the value's head (or of all of it), and how many values it holds."""
    marker = data[at]
    skip, inside = 1, None
    if 0x80 <= marker <= 0x8F:  # noqa: PLR2004 (small map)
        inside = (marker & 0x0F) * 2
    elif 0x90 <= marker <= 0x9F:  # noqa: PLR2004 (small array)
        inside = marker & 0x0F
    elif 0xA0 <= marker <= 0xBF:  # noqa: PLR2004 (small text)
        skip += marker & 0x1F
    elif marker in _FIXED:
        skip += _FIXED[marker]
    elif marker in _COUNTED:
        width, more = _COUNTED[marker]
        skip += width + more + int.from_bytes(data[at + 1 : at + 1 + width])
    elif marker in _HOLDING:
        width, each = _HOLDING[marker]
        skip += width
        inside = each * int.from_bytes(data[at + 1 : at + 1 + width])
    elif 0x7F < marker < 0xE0:  # noqa: PLR2004 (beyond the small integers)
        message = f"0x{marker:02x} begins no value"
        raise ValueError(message)
    return skip, inside
