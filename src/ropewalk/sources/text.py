"""JSON as the legacy program wrote it: bare NaN, any integer, lone surrogates, damaged files."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..domain.errors import Corrupt
from ..domain.legacy.values import JsonObject, as_object, canonical, excerpt
from ..domain.limits import MAX_BODY_BYTES
from ..domain.source import Problem

MAX_ITEM_BYTES: Final = 2 * MAX_BODY_BYTES
"""Longest line or document that is read, in bytes: what is longer cannot become a record."""

HEAD_BYTES: Final = 64 * 1024
"""How much is told of a file that cannot be read, in bytes."""

BOM: Final = b"\xef\xbb\xbf"


def digest_of(value: object) -> str:
    """Return the SHA-256 of the canonical form of `value`, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()


def parse(text: str) -> object:
    """Return what `text` holds; raise `Corrupt` with the line where it is no JSON.

    The code is `torn` where the text just ends too early, else `not_json`, `too_deep` or
    `number_too_long`.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        torn = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
        code = "torn" if torn and text.strip() else "not_json"
        message = f"{error.msg} (character {error.colno})"
        message = f"cut off: {message}" if code == "torn" else f"no JSON: {message}"
        raise Corrupt(message, code=code, line=error.lineno, position=error.pos) from error
    except RecursionError as error:
        message = "nested too deeply to be read"
        raise Corrupt(message, code="too_deep", line=1, position=0) from error
    except ValueError as error:
        message = "holds an integer of more than 4,300 digits, which Python does not read"
        raise Corrupt(message, code="number_too_long", line=1, position=0) from error


def load_document(path: Path) -> JsonObject:
    """Read a file that is one JSON object; raise `Corrupt` with code and line otherwise."""
    try:
        with path.open("rb") as file:
            # A read of so many bytes takes room for all of them, whatever there is.
            size = os.fstat(file.fileno()).st_size
            data = file.read(min(size, MAX_ITEM_BYTES) + 1)
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise Corrupt(message, code="unreadable", line=0) from error
    if len(data) > MAX_ITEM_BYTES:
        message = f"is bigger than {MAX_ITEM_BYTES} bytes; no record can hold it"
        raise Corrupt(
            message,
            code="too_big",
            line=0,
            excerpt=excerpt(data),
            raw=data[:HEAD_BYTES],
            size=max(size, len(data)),
        )
    try:
        text = data.removeprefix(BOM).decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"no UTF-8: byte {data[error.start]:#04x} at offset {error.start}"
        raise Corrupt(
            message, code="not_utf8", line=line, excerpt=excerpt(data), raw=data
        ) from error
    try:
        document = as_object(parse(text))
    except Corrupt as error:
        error.facts |= {"excerpt": excerpt(text), "raw": data}
        raise
    if document is None:
        message = "no JSON object"
        raise Corrupt(message, code="not_object", line=1, excerpt=excerpt(text), raw=data)
    return document


def place_of(path: Path, root: Path) -> str:
    """Write where a file stands, relative to the root of the source, printable in any case."""
    relative = path.relative_to(root).as_posix()
    return os.fsencode(relative).decode("utf-8", "backslashreplace")


def problem_of(error: Corrupt, place: str) -> Problem:
    """Tell the damage of a document as a finding, with its line."""
    line = error.facts.get("line")
    text, raw, size = (error.facts.get(name) for name in ("excerpt", "raw", "size"))
    return Problem(
        code=error.code,
        place=f"{place}:{line}" if line else place,
        reason=error.message,
        excerpt=text if isinstance(text, str) else "",
        raw=raw if isinstance(raw, bytes) else None,
        size=size if isinstance(size, int) else None,
    )


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a file; `size` is that of the whole, `None` where this is all of it."""

    raw: bytes | None = None
    size: int | None = None


def head_of(path: Path, *, most: int = HEAD_BYTES) -> Head:
    """Return how a file begins, as far as it can be read at all."""
    try:
        with path.open("rb") as file:
            data, size = file.read(most), os.fstat(file.fileno()).st_size
    except OSError:
        return Head()  # why, is told where the file is read
    return Head(data, size if size > len(data) else None)


def damaged(error: Corrupt, path: Path, place: str) -> Problem:
    """Tell of a file that cannot be read, with its beginning."""
    head = head_of(path)
    return Problem(code=error.code, place=place, reason=error.message, raw=head.raw, size=head.size)
