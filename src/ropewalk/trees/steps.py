"""Paths into states: `messages[-10:]` and `plan.0.city` as steps, and steps as they are written."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final, TypeAlias

from ..domain.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

Step: TypeAlias = str | int | slice
"""A key (or the number of an item, written behind a dot), an index, or a range of items."""

_MOST: Final = 4_096
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")
_NAME: Final = re.compile(r"[^.\[\]]+")
_BRACKET: Final = re.compile(
    r"""\[(?:
        (?P<index>-?[0-9]{1,18})
        | (?P<start>-?[0-9]{1,18})? : (?P<stop>-?[0-9]{1,18})?
        | (?P<key>"(?:[^"\\]|\\.)*")
    )\]""",
    re.VERBOSE | re.DOTALL,
)
_HOW: Final = 'write it like plan.0.city, messages[-10:] or notes["a.b"]'


def parse_path(path: str) -> list[Step]:
    """Return the steps of a path; raise `Invalid` where it is none.

    A range stands at the end only.
    """
    steps: list[Step] = []
    at = 0
    while at < len(path):
        if path[at] == "[":
            found = _BRACKET.match(path, at)
            steps.append(_bracket(path, found))
        else:
            # A dot leads to each name but the first.
            dot = int(at > 0)
            found = _NAME.match(path, at + dot) if not dot or path[at] == "." else None
            if found is None:
                raise _bad(path)
            steps.append(found.group())
        at = found.end() if found else at
    if not steps or len(path) > _MOST or any(isinstance(step, slice) for step in steps[:-1]):
        raise _bad(path)
    return steps


def _bracket(path: str, found: re.Match[str] | None) -> Step:
    if found is None:
        raise _bad(path)
    index, start, stop, key = found.group("index", "start", "stop", "key")
    if index is not None:
        return int(index)
    if key is None:
        return slice(None if start is None else int(start), None if stop is None else int(stop))
    try:
        return str(json.loads(key, strict=False))
    except ValueError:
        raise _bad(path) from None


def index_of(step: Step) -> int | None:
    """Return which item a step leads to, `None` where it leads to none."""
    if isinstance(step, int):
        return step
    return int(step) if isinstance(step, str) and _NUMBER.fullmatch(step) else None


def path_of(steps: Sequence[Step]) -> str:
    """Return steps as they are written."""
    written = ""
    for step in steps:
        if isinstance(step, int):
            written += f"[{step}]"
        elif isinstance(step, slice):
            start, stop = ("" if end is None else str(end) for end in (step.start, step.stop))
            written += f"[{start}:{stop}]"
        elif _NAME.fullmatch(step) and step.isprintable():
            written += f".{step}" if written else step
        else:
            written += f"[{json.dumps(step, ensure_ascii=False)}]"
    return written


def _bad(path: str) -> Invalid:
    message = f"{path[:200]!r} is no path into a state; {_HOW}, with a range at the end only"
    return Invalid(message, code="bad_path", field="path", path=path)
