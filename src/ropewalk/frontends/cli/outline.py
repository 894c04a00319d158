"""A user's value for people: one line for each part, indented, types named where they matter.

Written as YAML would, which many can read without being told: `key: value`, `- item`, and the type
behind an exclamation mark where it is none of JSON's (`!decimal 19.90`). Made to be read, not to be
parsed: JSON is for programs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from .text import clean, clean_lines
from .typed import Fields, Form, Items, Scalar, form

_STEP: Final = "  "

# Texts that would read as something else, or not at all, without quotes.
_SPEAKING: Final = re.compile(
    r"(?:null|true|false|yes|no|nan|inf|[-+]?[\d._]+(?:e[-+]?\d+)?)"
    r"|[-?:,\[\]{}#&*!|>'\"%@`].*"
    r"|.*(?:: | #).*"
    r"|.*:",
    re.IGNORECASE | re.DOTALL,
)


def outline(value: object) -> Iterator[str]:
    """Go through the lines that show `value`."""
    shown = form(value)
    if isinstance(shown, Scalar):
        yield from _text_lines(shown, "", "")
    else:
        if shown.tag:
            yield f"!{clean(shown.tag)}"
        yield from _parts(shown, "")


def _parts(shown: Items | Fields, indent: str) -> Iterator[str]:
    if isinstance(shown, Items):
        if not shown.items:
            yield f"{indent}[]"
        for item in shown.items:
            yield from _part(form(item), indent, "-")
    else:
        if not shown.pairs:
            yield f"{indent}{{}}"
        for key, item in shown.pairs:
            yield from _part(form(item), indent, f"{_key(key)}:")


def _part(shown: Form, indent: str, lead: str) -> Iterator[str]:
    if isinstance(shown, Scalar):
        yield from _text_lines(shown, indent, f"{lead} ")
        return
    tag = f" !{clean(shown.tag)}" if shown.tag else ""
    if not (shown.items if isinstance(shown, Items) else shown.pairs):
        yield f"{indent}{lead}{tag} {'[]' if isinstance(shown, Items) else '{}'}"
        return
    parts = _parts(shown, indent + _STEP)
    if lead == "-" and not tag:
        yield f"{indent}- {next(parts).removeprefix(indent + _STEP)}"
    else:
        yield f"{indent}{lead}{tag}"
    yield from parts


def _text_lines(shown: Scalar, indent: str, lead: str) -> Iterator[str]:
    value = shown.value
    if shown.tag:
        yield f"{indent}{lead}!{clean(shown.tag)} {clean(str(value))}"
    elif isinstance(value, str) and "\n" in value.strip():
        yield f"{indent}{lead}|"
        for line in clean_lines(value).split("\n"):
            yield f"{indent}{_STEP}{line}".rstrip()
    else:
        yield f"{indent}{lead}{_scalar(value)}"


def _scalar(value: str | float | None) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    plain = value and value == value.strip() and not _SPEAKING.fullmatch(value)
    return clean(value if plain else json.dumps(value, ensure_ascii=False))


def _key(key: object) -> str:
    shown = form(key)
    if isinstance(shown, Scalar):
        tag = f"!{shown.tag} " if shown.tag else ""
        return tag + _scalar(shown.value)
    return clean(f"{shown.tag or type(key).__name__} {key!r}")
