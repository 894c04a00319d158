"""What LangGraph's serializer wrote, as values that a store keeps in that form.

A serializer gives a value as the name of a form and bytes. MessagePack stays what it is: its
extensions become `Opaque`, and no class is imported. Anything else is kept whole under its name,
for the serializer that will read it: but plain JSON is as good as the values that it holds.
Source of the forms: langgraph-checkpoint, `serde/jsonplus.py`, `serde/encrypted.py`.
"""

from __future__ import annotations

import json
from typing import Final, cast

import ormsgpack

from ...domain.errors import Corrupt
from ...domain.graph import LANGGRAPH, TYPED, is_unicode
from ...domain.opaque import Opaque

MSGPACK: Final = "msgpack"
JSON: Final = "json"
PICKLE: Final = "pickle"
NULL: Final = "null"
BYTES: Final = "bytes"
EMPTY: Final = "empty"
"""What a table of blobs has for a channel without a value."""

_CONSTRUCTOR: Final = "lc"
_PICKLED: Final = b"\x80"
_PICKLE_VERSIONS: Final = range(2, 6)
_OPEN: Final = b"{"
_LEAST: Final = -(2**63)
_MOST: Final = 2**64 - 1


def form_of(data: bytes) -> str:
    """Tell in which form bytes are that came without one, as the first savers wrote them."""
    if data.lstrip()[:1] == _OPEN:
        return JSON
    if data[:1] == _PICKLED and len(data) > 1 and data[1] in _PICKLE_VERSIONS and data[-1:] == b".":
        return PICKLE
    return MSGPACK


def value_of(form: str | None, data: bytes | None) -> object:
    """Return a value of a form; raise `Corrupt` where it is not in that form."""
    raw = data or b""
    match form or form_of(raw):
        case "msgpack":
            return unpacked(raw)
        case "json":
            return kept(parsed(raw))
        case "null":
            return None
        case "bytes":
            return raw
        case other:
            return _typed(other, raw)


def unpacked(data: bytes) -> object:
    """Return what MessagePack holds; raise `Corrupt` where it holds nothing."""
    try:
        return ormsgpack.unpackb(data, ext_hook=_opaque, option=ormsgpack.OPT_NON_STR_KEYS)
    except ValueError as error:
        message = f"it is no MessagePack: {error}"
        raise Corrupt(message, code="bad_value") from error


def parsed(data: bytes) -> object:
    """Return what JSON says; raise `Corrupt` where it says nothing."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        message = f"it is no JSON: {error}"
        raise Corrupt(message, code="bad_value") from error


def kept(value: object) -> object:
    """Return a value that was JSON with whatever only the serializer can read kept as JSON.

    That is what names a constructor, and what MessagePack cannot hold.
    """
    match value:
        case dict():
            named = cast("dict[str, object]", value)
            if _CONSTRUCTOR in named or not all(map(is_unicode, named)):
                return _typed(JSON, _written(named))
            return {name: kept(item) for name, item in named.items()}
        case list():
            return [kept(item) for item in cast("list[object]", value)]
        case str() if not is_unicode(value):
            return _typed(JSON, _written(value))
        case int() if not _LEAST <= value <= _MOST:
            return _typed(JSON, _written(value))
        case _:
            return value


def _written(value: object) -> bytes:
    return json.dumps(value).encode()


def _typed(form: str, data: bytes) -> Opaque:
    return _opaque(TYPED, ormsgpack.packb([form, data]))


def _opaque(code: int, data: bytes) -> Opaque:
    return Opaque(f"{LANGGRAPH}:{code}", data)
