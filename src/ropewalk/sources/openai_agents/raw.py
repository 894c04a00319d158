"""What stands in a row of the Agents SDK, read as JSON, and names for what has none of its own."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from ...domain.errors import Corrupt
from ...domain.legacy.values import JsonObject, as_object, excerpt
from ...domain.limits import MAX_BODY_BYTES
from ...domain.source import Problem
from ..text import parse

if TYPE_CHECKING:
    from .rows import Usage

_ENCRYPTED: Final = "__enc__"
"""Marks items that an `EncryptedSession` has written."""


def parsed(data: bytes, place: str) -> JsonObject | Problem:
    """Return an item as it stands in its row, or why it cannot be read."""

    def problem(code: str, reason: str) -> Problem:
        raw = data[:MAX_BODY_BYTES]
        return Problem(code=code, place=place, reason=reason, excerpt=excerpt(data), raw=raw)

    try:
        item = as_object(parse(data.decode()))
    except UnicodeDecodeError as error:
        return problem("not_utf8", f"no UTF-8 at byte {error.start}")
    except Corrupt as error:
        return problem(error.code, error.message)
    if item is None:
        return problem("not_object", "no JSON object")
    if _ENCRYPTED in item:
        return problem("encrypted", "an EncryptedSession wrote it: decrypt it with its key first")
    return item


def usage_metadata(usage: Usage) -> dict[str, Any]:
    """Return what is known of a turn's usage that has no field of its own."""
    kept: dict[str, Any] = {"branch": usage.branch, "turn": usage.turn, "requests": usage.requests}
    for name, text in zip(("input_details", "output_details"), usage.details, strict=True):
        if isinstance(text, str):
            try:
                kept[name] = parse(text)
            except Corrupt:
                kept[name] = text
    return {"openai": kept}


def named(id_: str, name: str) -> dict[str, Any]:
    """Return what to keep of an id that could not be kept as it is."""
    return (
        {} if id_ == name else {"openai": {"session_id": id_.encode("utf-8", "replace").decode()}}
    )


def short(text: str) -> str:
    """Return a name of 32 letters for a text that is too long, or no name."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
