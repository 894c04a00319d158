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

from ...domain.errors import Invalid, NotFound
from .text import brief, clean, clean_lines
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
_KEYS_SHOWN: Final = 12


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


def part_of(value: object, path: str) -> object:
    """Return what lies in `value` under a dotted path such as `plan.0.city`.

    A part is a key or a field by name, or the number of an item, from the end where it is
    negative. Keys that hold dots are found too. Raises `NotFound` with the keys there are.
    """
    parts = path.split(".")
    if not all(parts):
        message = f"the path {path!r} has an empty part; write it like plan.0.city"
        raise Invalid(message, code="bad_path", field="path")
    walked: list[str] = []
    while parts:
        taken, value = _step(form(value), parts, walked)
        walked += parts[:taken]
        parts = parts[taken:]
    return value


def _step(here: Form, parts: list[str], walked: list[str]) -> tuple[int, object]:
    """Return how many parts of the path lead one level down, and what is there."""
    if isinstance(here, Items):
        if re.fullmatch(r"-?\d{1,18}", parts[0]):
            index = int(parts[0])
            if -len(here.items) <= index < len(here.items):
                return 1, here.items[index]
        there = f"there are {len(here.items)} items, from 0"
    elif isinstance(here, Fields):
        by_name = {str(key): item for key, item in here.pairs}
        for taken in range(1, len(parts) + 1):
            name = ".".join(parts[:taken])
            if name in by_name:
                return taken, by_name[name]
        there = _keys_there(by_name)
    else:
        there = "it has no parts"
    where = ".".join(walked) or "the state"
    message = f"there is no {parts[0]!r} in {where}: {there}"
    raise NotFound(message, what="path", path=".".join([*walked, *parts]))


def _keys_there(names: dict[str, object]) -> str:
    listed = ", ".join(brief(name, 40) for name in list(names)[:_KEYS_SHOWN])
    more = f" and {len(names) - _KEYS_SHOWN} more" if len(names) > _KEYS_SHOWN else ""
    return f"there are {listed}{more}" if names else "it is empty"
