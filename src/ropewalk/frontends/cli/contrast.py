"""Differences between states for people, in lines; and values for JSON Patch."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from ...domain.diff import Difference, DifferenceKind
from ...factory import unfold
from .output import can_write
from .payload import Json, faithful
from .text import ELLIPSIS, clean
from .typed import Fields, Items, Scalar, form

if TYPE_CHECKING:
    from .output import Output

_CAME: Final = {DifferenceKind.ADDED, DifferenceKind.APPENDED, DifferenceKind.INSERTED}
_WENT: Final = {DifferenceKind.REMOVED, DifferenceKind.CUT}
_NAME: Final = re.compile(r"[^.\[\]]+")
_WORDS: Final = re.compile(r"(?P<went>\[-.*?-\])|(?P<came>\{\+.*?\+\})")


def as_document(value: object) -> Json:
    """Return a value as `show --json` tells it, but every dictionary with text keys as an object.

    So the place of a difference, which goes by the keys of such dictionaries, is found in it.
    """
    cls = type(value)
    if cls is list:
        return [as_document(item) for item in cast("list[object]", value)]
    if cls is dict:
        pairs = cast("dict[object, object]", value)
        if all(type(key) is str for key in pairs):
            return {cast("str", key): as_document(item) for key, item in pairs.items()}
    return faithful(value)


def lines_of(differences: Iterable[Difference], output: Output) -> Iterator[str]:
    """Go through the lines that tell differences, in colours where the output has them."""
    for difference in differences:
        for part in _opened(difference):
            line = clean(str(replace(part, old=_readable(part.old), new=_readable(part.new))))
            if not can_write("→…", output.encoding):
                line = line.replace("→", "->").replace("…", ELLIPSIS)
            yield _styled(line, part, output)


def _styled(line: str, difference: Difference, output: Output) -> str:
    if difference.kind in _CAME:
        return output.styled(line, fg="green")
    if difference.kind in _WENT:
        return output.styled(line, fg="red")

    def colored(match: re.Match[str]) -> str:
        return output.styled(match[0], fg="red" if match["went"] else "green")

    path = clean(difference.path)
    rest = line.removeprefix(path)
    head = output.styled(path, bold=True) if rest != line else ""
    return head + _WORDS.sub(colored, rest)


def _readable(value: object) -> object:
    """Return a value in which a reader finds its words: unknown objects as their fields."""
    if isinstance(value, list):
        return [_parts(item) for item in cast("list[object]", value)]
    return _parts(value)


def _parts(value: object) -> object:
    """Return what lies in a value of a class that is not known here; another value as it is."""
    if unfold(value) is None:
        return value
    match form(value):
        case Scalar() as scalar:
            return scalar.value
        case Items() as row:
            return list(row.items)
        case Fields() as fields:
            return {str(key): item for key, item in fields.pairs}


def _opened(difference: Difference) -> Iterator[Difference]:
    """Go through what differs inside two objects of one class that is not known here."""
    if difference.kind is not DifferenceKind.CHANGED or unfold(difference.old) is None:
        yield difference
    else:
        yield from _compared(difference)


def _compared(difference: Difference) -> Iterator[Difference]:
    """Compare two values part by part where they have parts of one kind."""
    (tag, before), (other, after) = _named(difference.old), _named(difference.new)
    if tag is None or tag != other:
        yield difference
        return
    for step in dict.fromkeys((*before, *after)):
        here = replace(
            difference,
            steps=(*difference.steps, step),
            path=f"{difference.path}{_behind(step)}".lstrip("."),
            old=before.get(step),
            new=after.get(step),
        )
        if step not in after:
            yield replace(here, kind=DifferenceKind.REMOVED)
        elif step not in before:
            yield replace(here, kind=DifferenceKind.ADDED)
        elif faithful(here.old) != faithful(here.new):
            yield from _compared(here)


def _named(value: object) -> tuple[str | None, Mapping[str | int, object]]:
    """Return the parts of a value by name, or of a list by index, and what they are parts of.

    That is the name of a class, or for a list its length; `None` is for a value without parts.
    """
    match form(value):
        case Fields() as fields if fields.of_class or not fields.tag:
            return fields.tag, {str(key): item for key, item in fields.pairs}
        case Items() as row if not row.tag:
            return f"[{len(row.items)}]", dict(enumerate(row.items))
        case _:
            return None, {}


def _behind(step: str | int) -> str:
    """Write a step as it is written behind others in a path."""
    if isinstance(step, int):
        return f"[{step}]"
    is_plain = step.isprintable() and _NAME.fullmatch(step)
    return f".{step}" if is_plain else f"[{json.dumps(step, ensure_ascii=False)}]"
