"""Labels as JSON that SQLite can search without losing a type, a digit, an order or a NUL.

A name outside plain ASCII is percent-encoded (RFC 3986), so that no name can be read as part of a
JSON path. An int is a JSON number; every other value is a text whose first letter says its type:
`b0`, `b1`, `f0.1` (a float as Python writes it, which is exact), `tsome text`. What `json_extract`
returns therefore tells types apart by itself and compares exactly; only to *order* floats does
SQL call a function (functions.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring as _quoted
from typing import Final, cast
from urllib.parse import quote, unquote

from ...domain.cursor import Rank, rank
from ...domain.labels import Label
from ...domain.limits import MAX_INT64, MIN_INT64

BOOL: Final = "b"
FLOAT: Final = "f"
FLOAT_END: Final = "g"
TEXT: Final = "t"
"""First letters of texts that stand for a value; `FLOAT_END` is greater than any float."""

_LAST: Final = 0x10FFFF
_BEFORE_SURROGATES: Final = 0xD7FF
_AFTER_SURROGATES: Final = 0xE000


_read: Final = json.JSONDecoder().raw_decode


@lru_cache(maxsize=1024)
def path_of(name: str) -> str:
    """Return the JSON path of a label, for `json_extract(labels, ?)`."""
    return f'$."{_encode_name(name)}"'


@lru_cache(maxsize=1024)
def code_of(name: str) -> str:
    """Return the expression that a label's code is in SQL, null where it is absent.

    Its path is written out, because an index of it is found by no other text. That is safe: of an
    encoded name all is a letter, a digit, a blank or one of `_.-~:/@+%`, so no quote can end it.
    """
    return f"json_extract(labels, '{path_of(name)}')"


@lru_cache(maxsize=1024)
def _encode_name(name: str) -> str:
    return quote(name, safe=":/@+ ")


def encode(labels: Mapping[str, Label]) -> str | None:
    """Write labels as JSON, `None` where there are none."""
    if not labels:
        return None
    # A flat object of texts and whole numbers needs no encoder, which would be made anew each time.
    parts: list[str] = []
    for name, value in labels.items():
        if type(value) is str:
            has_escapes = "\0" in value or "\x01" in value
            said = _quoted(TEXT + (escape(value) if has_escapes else value))
        elif type(value) is int:
            said = str(value)
        else:
            coded = encode_value(value)
            said = _quoted(coded) if isinstance(coded, str) else str(coded)
        parts.append(f'"{_encode_name(name)}":{said}')
    return "{" + ",".join(parts) + "}"


def decode(text: str) -> dict[str, Label]:
    """Read what `encode` wrote; raise `ValueError` for anything else."""
    coded, end = cast("tuple[object, int]", _read(text))
    if not isinstance(coded, dict) or end != len(text):
        message = "labels are no JSON object"
        raise ValueError(message)
    return {
        unquote(name, errors="strict") if "%" in name else name: (
            value if type(value) is int else decode_value(value)
        )
        for name, value in cast("dict[str, object]", coded).items()
    }


def encode_value(value: Label) -> str | int:
    """Return what stands in JSON for a label's value."""
    if isinstance(value, bool):
        return BOOL + ("1" if value else "0")
    if isinstance(value, str):
        return TEXT + escape(value)
    if isinstance(value, float):
        return FLOAT + float.__repr__(value)
    return int(value)


def decode_value(coded: object) -> Label:
    """Return the value that `encode_value` coded; raise `ValueError` for anything else."""
    if isinstance(coded, str):
        letter, rest = coded[:1], coded[1:]
        if letter == TEXT:
            return _unescape(rest) if "\x01" in rest else rest
        if letter == FLOAT:
            return float(rest)
        if letter == BOOL and rest in ("0", "1"):
            return rest == "1"
    elif isinstance(coded, int) and not isinstance(coded, bool):
        return coded
    message = f"{str(coded)[:40]!r} stands for no label"
    raise ValueError(message)


def escape(text: str) -> str:
    """Write NUL without NUL, where older releases of SQLite would end a JSON text.

    Orders and prefixes stay as they are: the code for NUL sorts before the one for SOH, and both
    before every other character.
    """
    if "\0" not in text and "\x01" not in text:
        return text
    return text.replace("\x01", "\x01\x02").replace("\0", "\x01\x01")


def _unescape(text: str) -> str:
    return text.replace("\x01\x01", "\0").replace("\x01\x02", "\x01")


def equals(value: Label) -> tuple[str | int, ...]:
    """Return every code whose value equals `value`: an int and a float may be the same number."""
    if isinstance(value, bool | str):
        return (encode_value(value),)
    if value == 0:
        return (0, f"{FLOAT}0.0", f"{FLOAT}-0.0")
    as_float = float(value)
    codes: list[str | int] = []
    if as_float == value:
        codes.append(encode_value(as_float))
    whole = int(value)
    if whole == value and MIN_INT64 <= whole <= MAX_INT64:
        codes.append(whole)
    return tuple(codes)


def sort_value(value: Label | None) -> tuple[int, str | int | float]:
    """Return what the sort columns of a label hold for `value`: its rank, then what sorts in it."""
    kind, ranked = rank(value)
    if kind is Rank.BOOL:
        return kind, f"{BOOL}{ranked}"
    if kind is Rank.TEXT:
        return kind, TEXT + escape(str(ranked))
    return kind, ranked


def successor(prefix: str) -> str | None:
    """Return the least text greater than every text that begins with `prefix`, if there is one."""
    while prefix:
        last = ord(prefix[-1])
        if last < _LAST:
            following = _AFTER_SURROGATES if last == _BEFORE_SURROGATES else last + 1
            return prefix[:-1] + chr(following)
        prefix = prefix[:-1]
    return None
