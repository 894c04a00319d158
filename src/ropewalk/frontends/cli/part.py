"""One part of a state by its path, also inside values whose classes only their program knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from ...domain.errors import NotFound
from .text import brief
from .typed import Fields, Form, Items, Scalar, form

if TYPE_CHECKING:
    from ...services.storage import Storage

Step: TypeAlias = str | int | slice

_KEYS_SHOWN: Final = 12
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}")


async def part_of(storage: Storage, checkpoint_id: str, path: str) -> object:
    """Return what lies in the state of a checkpoint at `path`, reading as little as possible.

    Raises `Invalid` for what is no path, and `NotFound`, with what there is, for one that leads
    nowhere.
    """
    try:
        return await storage.checkpoints.get_path(checkpoint_id, path)
    except NotFound as error:
        if error.code != "unknown_class":
            raise
        led = str(error.facts["led"])
        rest = cast("Sequence[Step]", error.facts["rest"])
    if led:
        return within(await storage.checkpoints.get_path(checkpoint_id, led), rest, led)
    return within((await storage.checkpoints.load(checkpoint_id)).state, rest, led)


def within(value: object, steps: Iterable[Step], walked: str) -> object:
    """Go on from `value`, to which the path `walked` led, and return what lies at the last step."""
    for step in steps:
        here = form(value)
        found = _one_of(here, step)
        if found is None:
            message = f"there is no {_written(step)} in {walked or 'the state'}: {_there(here)}"
            raise NotFound(message, what="path", path=f"{walked}{_behind(step)}".lstrip("."))
        [value] = found
        walked += _behind(step)
    return value


def _one_of(here: Form, step: Step) -> tuple[object] | None:
    """Return the part of a value that a step leads to, alone in a tuple, or `None`."""
    match here:
        case Items():
            if isinstance(step, slice):
                return (list(here.items[step]),)
            index = int(step) if _NUMBER.fullmatch(str(step)) else None
            if index is None or not -len(here.items) <= index < len(here.items):
                return None
            return (here.items[index],)
        case Fields():
            named = {str(key): item for key, item in here.pairs}
            name = str(step)
            return (named[name],) if not isinstance(step, slice) and name in named else None
        case Scalar():
            is_text = isinstance(here.value, str) and not here.tag
            return (str(here.value)[step],) if is_text and isinstance(step, slice) else None


def _there(here: Form) -> str:
    match here:
        case Items():
            return f"there are {len(here.items)} items, from 0" if here.items else "it is empty"
        case Fields():
            names = [brief(str(key), 40) for key, _ in here.pairs[:_KEYS_SHOWN]]
            left = len(here.pairs) - len(names)
            more = f" and {left} more" if left else ""
            return f"there are {', '.join(names)}{more}" if names else "it is empty"
        case Scalar():
            return "it has no parts"


def _written(step: Step) -> str:
    if isinstance(step, str):
        return step
    if isinstance(step, int):
        return f"[{step}]"
    start, stop = ("" if end is None else str(end) for end in (step.start, step.stop))
    return f"[{start}:{stop}]"


def _behind(step: Step) -> str:
    return f".{step}" if isinstance(step, str) else _written(step)
