"""JSON lines, streamed: split at line feeds only, torn lines told apart from what is glued on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from ..domain.errors import Corrupt
from ..domain.legacy.values import JsonObject, as_object, excerpt
from ..domain.source import Problem
from .text import BOM, HEAD_BYTES, MAX_ITEM_BYTES, parse

if TYPE_CHECKING:
    from typing import BinaryIO

_HEAD: Final = '{"record_id"'
"""How every record begins: the writer keeps this order of keys."""

_MAX_TRIES: Final = 1_000
_DECODER: Final = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Line:
    """One object of a file of JSON lines, and where it stands."""

    place: str
    value: JsonObject


Found: TypeAlias = Line | Problem


def read_lines(path: Path, place: str) -> Iterator[Found]:
    """Go through the objects of a file in order, with what cannot be read in between.

    Holds one line in memory. Blank lines count but hold nothing; a carriage return before the line
    feed belongs to it.
    """
    number = 0
    try:
        with path.open("rb") as file:
            while data := file.readline(MAX_ITEM_BYTES + 1):
                number += 1
                here = f"{place}:{number}"
                if len(data) > MAX_ITEM_BYTES:
                    size = len(data) + _skip_line(file, data)
                    reason = f"longer than {MAX_ITEM_BYTES} bytes; no record can hold it"
                    yield Problem(
                        code="too_big",
                        place=here,
                        reason=reason,
                        excerpt=excerpt(data),
                        raw=data[:HEAD_BYTES],
                        size=size,
                    )
                elif data.strip():
                    yield from _read_line(data.removeprefix(BOM) if number == 1 else data, here)
    except OSError as error:
        reason = f"cannot be read on: {error.strerror or error}"
        yield Problem(code="unreadable", place=f"{place}:{number + 1}", reason=reason)


def _skip_line(file: BinaryIO, data: bytes) -> int:
    """Read to the end of a line; return how many bytes that was."""
    size = 0
    while data and not data.endswith(b"\n"):
        data = file.readline(1 << 20)
        size += len(data)
    return size


def _read_line(data: bytes, place: str) -> Iterator[Found]:
    data = data.removesuffix(b"\n").removesuffix(b"\r")
    try:
        value = parse(data.decode())
    except UnicodeDecodeError as error:
        reason = f"no UTF-8: byte {data[error.start]:#04x} at offset {error.start}"
        yield from _salvage(data.decode(errors="surrogateescape"), place, "not_utf8", reason)
    except Corrupt as error:
        yield from _salvage(data.decode(), place, error.code, error.message)
    else:
        found = as_object(value)
        if found is not None:
            yield Line(place, found)
        else:
            reason = "no JSON object"
            yield Problem(
                code="not_object", place=place, reason=reason, excerpt=excerpt(data), raw=data
            )


def _salvage(text: str, place: str, code: str, reason: str) -> Iterator[Found]:
    """Take every whole record out of a damaged line, and report the rest of it.

    A process that died while writing leaves a torn line without a line feed, and the next one
    writes on behind it: the line then ends in a whole record.
    """
    position = 0
    while position < len(text):
        found = next(filter(None, islice(_tries(text, position), _MAX_TRIES)), None)
        if found is None:
            yield _problem(code, place, reason, text[position:])
            return
        begin, end, value = found
        if begin > position:
            told = "cut off, with another record glued behind it, which was read"
            yield _problem("torn", place, told, text[position:begin])
        yield Line(place, value)
        position = end + len(text[end:]) - len(text[end:].lstrip(" \t\r"))


def _problem(code: str, place: str, reason: str, text: str) -> Problem:
    """Tell what could not be read, with the bytes as they stand in the file."""
    raw = text.encode("utf-8", "surrogateescape")
    return Problem(code=code, place=place, reason=reason, excerpt=excerpt(text), raw=raw)


def _tries(text: str, position: int) -> Iterator[tuple[int, int, JsonObject] | None]:
    while position >= 0:
        yield _record_at(text, position)
        position = text.find(_HEAD, position + 1)


def _record_at(text: str, begin: int) -> tuple[int, int, JsonObject] | None:
    try:
        decoded, end = _DECODER.raw_decode(text, begin)
        # Bytes that are no UTF-8 may stand in the torn part only.
        text[begin:end].encode()
    except (ValueError, RecursionError):
        return None
    value = as_object(decoded)
    # A nested object inside a torn record is whole as well, but it is not a record.
    if value is None or not {"record_id", "record_type"} <= value.keys():
        return None
    return begin, end, value
