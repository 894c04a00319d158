"""JSON that people read and machines compare: the same value is always the same text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, cast
from zlib import crc32

from ...domain.errors import Invalid
from ...domain.moment import from_micros, to_micros
from ...domain.record import Key


class Damage(ValueError):
    """Something in a file is not as this store writes it; the message completes "because"."""


# What would move, hide or reorder what a person sees, and what UTF-8 cannot hold.
_UNSEEN: Final = re.compile(
    "[\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


_CHECK: Final = ',"check":"%08x"}'
_CHECKED: Final = len(_CHECK % 0)

_encode: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def dump(value: object) -> bytes:
    """Write JSON in UTF-8: letters as they are, characters that play tricks as escapes."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", _encode(value)).encode()


def dump_lines(fields: Mapping[str, object], *, indent: str = "  ") -> bytes:
    """Write a JSON object as `dump` does, but with a line for each field, down to the deepest."""
    lines: list[bytes] = []
    for name, value in fields.items():
        text = dump(value)
        if isinstance(value, dict) and value:
            text = dump_lines(cast("dict[str, object]", value), indent=f"{indent}  ")
        lines.append(b"%s%s: %s" % (indent.encode(), dump(name), text))
    return b"{\n%s\n%s}" % (b",\n".join(lines), indent[2:].encode())


def load(data: bytes) -> Mapping[str, object]:
    """Read one JSON object; raise `Damage` for anything else."""
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Damage(f"it is no JSON in UTF-8 ({error})") from error
    if not isinstance(value, dict):
        raise Damage("it is no JSON object")
    return cast("Mapping[str, object]", value)


def dump_checked(fields: Mapping[str, object]) -> bytes:
    """Write an object as `dump` does, with the CRC-32 of what stands before as its last field."""
    data = dump(fields)[:-1]
    return data + (_CHECK % crc32(data)).encode()


def load_checked(data: bytes, known: frozenset[str]) -> Mapping[str, object]:
    """Read what `dump_checked` or `dump` wrote; raise `Damage` for anything else.

    `known` are the fields that it may have beside its check.
    """
    fields = load(data)
    unknown = sorted(fields.keys() - known - {"check"})
    if unknown:
        raise Damage(f"it has an unknown field {unknown[0]!r}")
    if "check" in fields:
        before = data[:-_CHECKED]
        if data[-_CHECKED:] != (_CHECK % crc32(before)).encode():
            raise Damage("it is not what its check was made of")
    return fields


def dump_time(micros: int) -> str | int:
    """Write microseconds as an ISO 8601 time in UTC, or as they are outside the years 1-9999."""
    try:
        moment = from_micros(micros)
    except Invalid:  # not an error here: the integer is exact as well
        return micros
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def load_time(value: object, *, field: str) -> int:
    """Read what `dump_time` wrote; raise `Damage` for anything else."""
    if isinstance(value, str):
        try:
            return to_micros(datetime.fromisoformat(value), field=field)
        except ValueError as error:
            raise Damage(f"{field} is no time with a zone: {value!r}") from error
    return load_int(value, field=field)


def load_int(value: object, *, field: str) -> int:
    """Return `value` if it is an integer; raise `Damage` otherwise."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Damage(f"{field} is no integer")


def load_text(value: object, *, field: str) -> str:
    """Return `value` if it is text; raise `Damage` otherwise."""
    if isinstance(value, str):
        return value
    raise Damage(f"{field} is no text")


def load_list(value: object, *, field: str) -> list[object]:
    """Return `value` if it is a list; raise `Damage` otherwise."""
    if isinstance(value, list):
        return cast("list[object]", value)
    raise Damage(f"{field} is no list")


def dump_key(key: Key) -> list[str]:
    """Write a key as a list of its three parts."""
    return [key.space, key.kind, key.id]


def load_key(value: object) -> Key:
    """Read what `dump_key` wrote; raise `Damage` for anything else."""
    parts = [load_text(part, field="key") for part in load_list(value, field="key")]
    try:
        space, kind, id = parts
        return Key(space, kind, id)
    except ValueError as error:
        raise Damage(f"it holds an impossible key: {error}") from error
