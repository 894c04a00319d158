"""MessagePack as JSON and back, byte for byte: what JSON has no form for is a `$` object.

The specification of MessagePack: github.com/msgpack/msgpack/blob/master/spec.md
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from typing import Any, Final, NamedTuple, TypeAlias, cast

from ormsgpack import Ext, packb, unpackb

from ...domain.errors import Corrupt

Json: TypeAlias = object
"""What `json` takes and gives: to be looked at before it is used."""

EXACT: Final = 2**53
"""Greatest integer that every reader of JSON keeps exactly."""

_TYPED: Final = 63
"""The extension whose bytes begin with the tag of a registered type."""


class _Extension(NamedTuple):
    code: int
    data: bytes


def shown(data: bytes) -> Json:
    """Return one item of MessagePack as JSON, `{"$msgpack": base64}` where that would lose bytes.

    `packed(shown(data)) == data` for whatever bytes.
    """
    found = _shown(data)
    return {"$msgpack": _base64(data)} if found is None else found[0]


def packed(value: Json) -> bytes:
    """Return the bytes that `shown` was given; raise `Corrupt` for what it never writes."""
    whole = under(value, "$msgpack")
    if whole is not None:
        return bytes_of(whole)
    try:
        return packb(_plain(value))
    except (TypeError, ValueError, RecursionError, struct.error) as error:
        raise _damaged() from error


def number(value: float) -> Json:
    """Return a number as JSON keeps it exactly."""
    if isinstance(value, int):
        return value if -EXACT <= value <= EXACT else {"$int": str(value)}
    return value if math.isfinite(value) else {"$float": struct.pack(">d", value).hex()}


def scalar(value: Json) -> str | int | float:
    """Return what `number` made, a text or a bool; raise `Corrupt` for anything else."""
    found = _special(cast("dict[str, Json]", value)) if isinstance(value, dict) else value
    if isinstance(found, str | int | float):
        return found
    raise _damaged()


def fields_of(value: Json) -> dict[str, Json]:
    """Return an object of JSON; raise `Corrupt` for anything else."""
    if isinstance(value, dict):
        return cast("dict[str, Json]", value)
    raise _damaged()


def under(value: Json, name: str) -> Json:
    """Return what an object of JSON has under a name, `None` where there is no such thing."""
    return cast("dict[str, Json]", value).get(name) if isinstance(value, dict) else None


def items_of(value: Json) -> list[Json]:
    """Return an array of JSON; raise `Corrupt` for anything else."""
    if isinstance(value, list):
        return cast("list[Json]", value)
    raise _damaged()


def bytes_of(text: object) -> bytes:
    """Return what was written in base64 (RFC 4648); raise `Corrupt` where it is none."""
    if not isinstance(text, str):
        raise _damaged()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _damaged() from error


def in_base64(data: bytes) -> str:
    """Write bytes in base64 (RFC 4648)."""
    return _base64(data)


def _shown(data: bytes) -> tuple[Json] | None:
    """Return the JSON in a tuple, `None` where it does not lead back to the same bytes."""
    try:
        found = _json(unpackb(data, ext_hook=_Extension))
        return (found,) if packb(_plain(found)) == data else None
    except (TypeError, ValueError, KeyError, RecursionError, struct.error, Corrupt):
        return None  # some other writer's form: kept as bytes


def _json(value: object) -> Json:  # noqa: PLR0911 (one for each form)
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, bytes):
        return {"$bytes": _base64(value)}
    if isinstance(value, _Extension):
        return _extension(value)
    if isinstance(value, list):
        return [_json(item) for item in cast("list[object]", value)]
    if not isinstance(value, dict):
        raise _damaged()
    pairs = cast("dict[str, object]", value)
    if any(name.startswith("$") for name in pairs):
        return {"$map": [[name, _json(item)] for name, item in pairs.items()]}
    return {name: _json(item) for name, item in pairs.items()}


def _extension(value: _Extension) -> Json:
    code, data = value
    if code == _TYPED and data:
        end = 1 + data[0]
        inner = _shown(data[end:])
        if inner is not None:
            return {"$type": data[1:end].decode(), "value": inner[0]}
    inner = _shown(data)
    if inner is not None:
        return {"$ext": code, "value": inner[0]}
    return {"$ext": code, "bytes": _base64(data)}


def _plain(value: Json) -> Any:  # noqa: ANN401 (what ormsgpack packs)
    if isinstance(value, list):
        return [_plain(item) for item in cast("list[Json]", value)]
    if not isinstance(value, dict):
        return value
    pairs = cast("dict[str, Json]", value)
    if any(name.startswith("$") for name in pairs):
        return _special(pairs)
    return {name: _plain(item) for name, item in pairs.items()}


def _special(pairs: dict[str, Json]) -> Any:  # noqa: ANN401, PLR0911 (what ormsgpack packs)
    match pairs:
        case {"$bytes": text, **rest} if not rest:
            return bytes_of(text)
        case {"$int": str() as text, **rest} if not rest:
            return int(text)
        case {"$float": str() as text, **rest} if not rest:
            return struct.unpack(">d", bytes.fromhex(text))[0]
        case {"$map": rows, **rest} if not rest:
            pairs_of = [items_of(row) for row in items_of(rows)]
            return {name: _plain(item) for name, item in pairs_of}
        case {"$type": str() as tag, "value": inner, **rest} if not rest:
            name = tag.encode()
            return Ext(_TYPED, bytes([len(name)]) + name + packb(_plain(inner)))
        case {"$ext": int() as code, "value": inner, **rest} if not rest:
            return Ext(code, packb(_plain(inner)))
        case {"$ext": int() as code, "bytes": text, **rest} if not rest:
            return Ext(code, bytes_of(text))
        case _:
            raise _damaged()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _damaged() -> Corrupt:
    message = "a value of the archive is written in a form that no archive has"
    return Corrupt(message, code="bad_value")
