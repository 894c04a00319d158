"""JSON values as the legacy program wrote them: objects, arrays, and one spelling to compare."""

from __future__ import annotations

import json
from typing import Final, TypeAlias, cast

from ..source import MAX_EXCERPT

JsonObject: TypeAlias = dict[str, object]

_CANONICAL: Final = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def as_object(value: object) -> JsonObject | None:
    """Return `value` if it is a JSON object, else `None`."""
    return cast("JsonObject", value) if isinstance(value, dict) else None


def as_list(value: object) -> list[object] | None:
    """Return `value` if it is a JSON array, else `None`."""
    return cast("list[object]", value) if isinstance(value, list) else None


def canonical(value: object) -> bytes:
    """Write JSON in one form only: sorted keys, no spaces, UTF-8 with lone surrogates as they are.

    NaN and infinities appear as bare tokens.
    """
    return _CANONICAL.encode(value).encode("utf-8", "surrogatepass")


def excerpt(raw: str | bytes) -> str:
    """Return the beginning of `raw`, safe to print: one line without control characters."""
    head = raw[: MAX_EXCERPT * 4]
    text = head.decode("utf-8", "backslashreplace") if isinstance(head, bytes) else head
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return safe if len(safe) <= MAX_EXCERPT else safe[: MAX_EXCERPT - 1] + "…"
