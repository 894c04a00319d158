"""Differences in words: one line each, long texts shortened to what differs in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Final, cast

_SHORT: Final = 60
_AROUND: Final = 3
_MOST_WORDS: Final = 2_000
_MOST_CHANGES: Final = 8
_WORD: Final = re.compile(r"\s+|\w+|[^\w\s]")


def said(kind: str, path: str, old: object, new: object) -> str:
    """Say what happened at `path`."""
    where = path or "state"
    if kind == "changed":
        return f"{where}{_changed(old, new)}"
    if kind in ("appended", "inserted", "cut"):
        row = where.rpartition("[")[0] if kind == "appended" else where
        return f"{row or 'state'} {_counted('+', new) if old is None else _counted('-', old)}"
    if kind == "reordered":
        return f"{where} has its keys in another order"
    return f"{where} {kind}: {brief(new if kind == 'added' else old)}"


def _changed(old: object, new: object) -> str:
    if isinstance(old, str) and isinstance(new, str) and max(len(old), len(new)) > _SHORT:
        return f": {word_diff(old, new)}"
    before, after = brief(old), brief(new)
    if before == after:
        # Values that read alike differ in what is not shown: their types, or what lies in them.
        before, after = f"{type(old).__name__} {before}", f"{type(new).__name__} {after}"
    return f" {before} → {after}"


def brief(value: object) -> str:
    """Return a value as one short line."""
    if isinstance(value, Mapping):
        size = len(cast("Mapping[object, object]", value))
        return f"{{{size} {'key' if size == 1 else 'keys'}}}" if size else "{}"
    if isinstance(value, list | tuple | set | frozenset):
        size = len(cast("Collection[object]", value))
        return f"[{size} {'item' if size == 1 else 'items'}]" if size else "[]"
    if isinstance(value, bytes | bytearray):
        return f"{len(value)} bytes"
    text = " ".join(str(value)[: 2 * _SHORT].split())
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}…"


def word_diff(old: str, new: str) -> str:
    """Return what differs between two texts, by words: `… kept [-gone-] {+come+} kept …`."""
    left, right = _WORD.findall(old), _WORD.findall(new)
    start = 0
    while start < min(len(left), len(right)) and left[start] == right[start]:
        start += 1
    end = 0
    while end < min(len(left), len(right)) - start and left[-end - 1] == right[-end - 1]:
        end += 1
    middle = left[start : len(left) - end], right[start : len(right) - end]
    around = 2 * _AROUND
    before = "".join(left[max(start - around, 0) : start])
    after = "".join(left[len(left) - end :][:around])
    head = "…" if start > around else ""
    tail = "…" if end > around else ""
    line = f"{head}{before}{_middle(*middle)}{after}{tail}"
    return " ".join(line.split())


def _middle(left: Sequence[str], right: Sequence[str]) -> str:
    if max(len(left), len(right)) > _MOST_WORDS:
        return _change("".join(left), "".join(right))
    shown: list[str] = []
    codes = SequenceMatcher(None, left, right, autojunk=False).get_opcodes()
    for code, i1, i2, j1, j2 in codes[: 2 * _MOST_CHANGES]:
        if code == "equal":
            kept = "".join(left[i1:i2])
            shown.append(kept if len(kept) <= _SHORT else f"{kept[:_AROUND]}…{kept[-_AROUND:]}")
        else:
            shown.append(_change("".join(left[i1:i2]), "".join(right[j1:j2])))
    return "".join(shown) + ("…" if len(codes) > 2 * _MOST_CHANGES else "")


def _change(old: str, new: str) -> str:
    gone = f"[-{_cut(old)}-]" if old else ""
    come = f"{{+{_cut(new)}+}}" if new else ""
    return f"{gone}{' ' if gone and come else ''}{come}"


def _cut(text: str) -> str:
    return text if len(text) <= _SHORT else f"{text[:_SHORT]}… ({len(text)} characters)"


def _counted(sign: str, items: object) -> str:
    """Return how many items came or went, and whose they are where they say so."""
    row = cast("Sequence[object]", items)
    roles = Counter(role for role in map(_role, row) if role)
    named = ", ".join(
        role if count == 1 else f"{count} {role}" for role, count in sorted(roles.items())
    )
    if named:
        return f"{sign}{len(row)} ({named})"
    return f"{sign}{len(row)} ({brief(row[0])})" if len(row) == 1 else f"{sign}{len(row)}"


def _role(item: Any) -> str:  # noqa: ANN401 (a user's value)
    """Return who speaks in a message, nothing for what is none."""
    if isinstance(item, Mapping):
        message = cast("Mapping[object, object]", item)
        role = message.get("role", message.get("type"))
    else:
        role = getattr(item, "role", getattr(item, "type", None))
    return role if isinstance(role, str) and len(role) <= _SHORT else ""
