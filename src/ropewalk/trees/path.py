"""Read one part of a state, and only the nodes on the way there."""

from __future__ import annotations

import dataclasses
from collections import deque
from typing import TYPE_CHECKING, Final, cast

from ..domain.errors import NotFound
from ..domain.opaque import Opaque
from .form import DICT, LIST, SLOT, Branch, Ref, Row, Slot, read_inner, read_leaf, read_slot
from .read import AT_ONCE, bodies_of, leaves, paired_slots
from .root import WHOLE
from .steps import Step, index_of, parse_path, path_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .read import Reads, TreeReader
    from .root import Root

_KEYS_SHOWN: Final = 12
_KEY_SHOWN: Final = 40


def read_path(reader: TreeReader, root: Root, path: str) -> Reads[object]:
    """Return what lies in a state at `path`, such as `messages.40` or `messages[-10:]`.

    Reads the nodes that lead there and what is there. A key of a long dictionary is looked for
    through its leaves, without any value; typed values that were taken apart, and long texts and
    bytes, are read whole. Raises `Invalid` for what is no path, and `NotFound` where it leads
    nowhere, naming the keys or the number of items that there are. Its code is `unknown_class`
    where the path goes on (`rest`) inside an object (at `led`) whose class is not known here.
    """
    steps = parse_path(path)
    slot, at = root.slots.get(WHOLE, b""), 0
    if root.is_dict:
        first = steps[0]
        name = str(first)
        if isinstance(first, slice) or name not in root.slots:
            raise _nowhere(steps, 0, _keys_there(root.slots))
        slot, at = root.slots[name], 1
    for place in range(at, len(steps)):
        step = steps[place]
        slot = yield from opened(slot)
        if not isinstance(slot, Row) or slot.kind not in (LIST, DICT):
            return _within((yield from reader.value(slot)), steps, place)
        if slot.kind == DICT:
            slot = yield from _entry(reader, slot, steps, place)
        elif isinstance(step, slice):
            start, stop, _ = step.indices(slot.total)
            found = yield from _between(slot, start, stop)
            return (yield from reader.value(Row(LIST, len(found), 0, (), tuple(found))))
        else:
            index = _place(index_of(step), slot.total)
            if index is None:
                raise _nowhere(steps, place, _items_there(slot.total))
            [slot] = yield from _between(slot, index, index + 1)
    return (yield from reader.value(slot))


def opened(slot: Slot) -> Reads[Slot]:
    """Return what a slot refers to, where that is a slot again; otherwise the slot itself."""
    while isinstance(slot, Ref) and slot.deep:
        body = (yield [slot])[slot.digest]
        if body[:1] != SLOT:
            break
        slot = read_slot(body[1:])
    return slot


def _between(row: Row, start: int, stop: int) -> Reads[Sequence[Slot]]:
    """Return the slots of a list from `start` to `stop`, by the totals on the way."""
    behind = row.total - len(row.tail)
    at, branches = _overlapping(row.tops, 0, start, stop)
    for _ in range(row.height - 1):
        bodies = yield from bodies_of([branch.ref for branch in branches])
        below = [b for branch in branches for b in read_inner(bodies[branch.ref.digest])]
        at, branches = _overlapping(below, at, start, stop)
    found: list[Slot] = []
    for first in range(0, len(branches), AT_ONCE):
        window = branches[first : first + AT_ONCE]
        bodies = yield [branch.ref for branch in window]
        found += [slot for b in window for slot in read_leaf(bodies[b.ref.digest])]
    beneath = found[max(start - at, 0) : max(stop - at, 0)]
    return [*beneath, *row.tail[max(start - behind, 0) : max(stop - behind, 0)]]


def _overlapping(
    branches: Sequence[Branch], at: int, start: int, stop: int
) -> tuple[int, list[Branch]]:
    """Return those branches that have items between, and the place of the first one's first."""
    found: list[Branch] = []
    first = at
    for branch in branches:
        if at < stop and at + branch.total > start:
            if not found:
                first = at
            found.append(branch)
        at += branch.total
    return first, found


def _entry(reader: TreeReader, row: Row, steps: Sequence[Step], place: int) -> Reads[Slot]:
    """Return the slot of a key of a long dictionary."""
    step = steps[place]
    form = b"" if isinstance(step, slice) else reader.values.dumps(str(step))
    shown: list[Slot] = []
    branches = yield from leaves(row)
    for first in range(0, len(branches) + 1, AT_ONCE):
        window = branches[first : first + AT_ONCE]
        bodies = yield from bodies_of([branch.ref for branch in window])
        slots = [slot for branch in window for slot in read_leaf(bodies[branch.ref.digest])]
        if first + AT_ONCE > len(branches):
            slots += row.tail
        keys = paired_slots(slots)[0]
        long = [key for key in keys if isinstance(key, Ref)]
        names = yield from bodies_of(long)
        for at, key in enumerate(keys):
            if (names[key.digest][1:] if isinstance(key, Ref) else key) == form:
                return slots[2 * at + 1]
        shown += keys[: _KEYS_SHOWN - len(shown)]
        yield None
    named = yield from reader.value(Row(LIST, len(shown), 0, (), tuple(shown)))
    raise _nowhere(steps, place, _keys_there(cast("list[object]", named), row.total))


def _within(value: object, steps: Sequence[Step], at: int) -> object:
    """Go on inside a value that is at hand."""
    for place in range(at, len(steps)):
        step = steps[place]
        items = _items(value)
        if items is not None:
            if isinstance(step, slice):
                return items[step]
            index = None if isinstance(value, str | bytes) else index_of(step)
            found = _place(index, len(items))
            if found is not None:
                value = items[found]
                continue
        # It is as it was stored, since its class is not known here.
        if isinstance(value, Opaque):
            raise _closed(steps, place)
        parts = _parts(value)
        if parts is None or isinstance(step, slice) or str(step) not in parts:
            raise _nowhere(steps, place, _there(value, parts))
        value = parts[str(step)]
    return value


def _items(value: object) -> Sequence[object] | None:
    """Return the items of what has an order, with its own type where that can be cut."""
    if isinstance(value, deque):
        return list(cast("deque[object]", value))
    if isinstance(value, list | tuple | str | bytes):
        return cast("Sequence[object]", value)
    return None


def _parts(value: object) -> dict[str, object] | None:
    """Return what lies in a dictionary or in an object with fields, by name."""
    if isinstance(value, dict):
        return {str(key): item for key, item in cast("dict[object, object]", value).items()}
    return {name: getattr(value, name) for name in _names(value)} or None


def _names(value: object) -> Iterable[str]:
    """Return the names of an object's fields: of a dataclass, a named tuple, a pydantic model."""
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value)]
    for name in ("_fields", "__pydantic_fields__"):
        names: Iterable[str] = getattr(value.__class__, name, ())
        if names:
            return names
    return ()


def _there(value: object, parts: dict[str, object] | None) -> str:
    items = _items(value)
    if parts is not None:
        return _keys_there(parts)
    if items is not None and not isinstance(items, str | bytes):
        return _items_there(len(items))
    return f"it is a {type(value).__name__}, which has no parts"


def _place(index: int | None, total: int) -> int | None:
    if index is None or not -total <= index < total:
        return None
    return index + total if index < 0 else index


def _items_there(count: int) -> str:
    return f"there are {count} items, from 0" if count else "it is empty"


def _keys_there(keys: Iterable[object], count: int | None = None) -> str:
    listed = [str(key) for key in keys]
    count = len(listed) if count is None else count
    named = ", ".join(
        key if len(key) <= _KEY_SHOWN else f"{key[:_KEY_SHOWN]}…" for key in listed[:_KEYS_SHOWN]
    )
    more = f" and {count - _KEYS_SHOWN} more" if count > _KEYS_SHOWN else ""
    return f"there are {named}{more}" if count else "it is empty"


def _nowhere(steps: Sequence[Step], place: int, there: str) -> NotFound:
    where = path_of(steps[:place]) or "the state"
    message = f"there is no {path_of(steps[place : place + 1])} in {where}: {there}"
    return NotFound(message, what="path", path=path_of(steps))


def _closed(steps: Sequence[Step], place: int) -> NotFound:
    led, rest = path_of(steps[:place]), tuple(steps[place:])
    message = (
        f"there is no way to {path_of(rest)} inside {led or 'the state'}: it is an object whose "
        "class this program does not know; register the class to look into it"
    )
    path = path_of(steps)
    return NotFound(message, code="unknown_class", what="path", path=path, led=led, rest=rest)
