"""Filters on metadata: what they mean, and what of it the store can decide from its labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from ...domain.errors import Invalid
from ...domain.labels import PARTIAL
from ...domain.query import LABEL, AnyOf, Condition

_PREFIX: Final = f"{LABEL}metadata."
_IS_PARTIAL: Final = Condition(f"{LABEL}{PARTIAL}", "eq", value=True)


def holds(metadata: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether metadata have every wanted value.

    A name stands for what is called so, or, with dots in it, for a path through nested values.
    A wanted dictionary is held by one that has its values, whatever else it has; everything else
    by an equal value, where numbers equal numbers and nothing else. `None` is also held by what
    is not there.
    """
    for name, value in wanted.items():
        found = list(_at(metadata, name))
        if not any(_contains(item, value) for item in found or [None]):
            return False
    return True


def conditions(wanted: Mapping[str, Any]) -> tuple[AnyOf, ...]:
    """Say in terms of labels what metadata must have; whatever `holds` passes this too.

    A record whose metadata do not all fit into labels always passes, to be decided by `holds`.
    """
    return tuple(_conditions(wanted, _PREFIX))


def checked(wanted: object) -> dict[str, Any]:
    """Return the filter that a caller gave; raise `Invalid` unless it is a dictionary of names."""
    if wanted is None:
        return {}
    if not isinstance(wanted, Mapping):
        message = f'filter must be a dict such as {{"source": "loop"}}, not {type(wanted).__name__}'
        raise Invalid(message, code="bad_type", field="filter")
    names = cast("Mapping[object, Any]", wanted)
    for name in names:
        if not isinstance(name, str):
            message = f"the keys of filter must be text, not {type(name).__name__} {name!r}"
            raise Invalid(message, code="bad_type", field="filter")
    return cast("dict[str, Any]", dict(names))


def _at(metadata: Mapping[str, Any], name: str) -> Iterator[Any]:
    """Go through what a name can stand for: names with dots in them come before paths."""
    if name in metadata:
        yield metadata[name]
    dot = name.find(".")
    while dot >= 0:
        inner = metadata.get(name[:dot])
        if isinstance(inner, Mapping):
            yield from _at(cast("Mapping[str, Any]", inner), name[dot + 1 :])
        dot = name.find(".", dot + 1)


def _contains(present: object, wanted: object) -> bool:
    if isinstance(wanted, Mapping):
        if not isinstance(present, Mapping):
            return False
        inside = cast("Mapping[object, object]", present)
        sought = cast("Mapping[object, object]", wanted)
        return all(_contains(inside.get(name), value) for name, value in sought.items())
    if isinstance(wanted, list | tuple):
        if not isinstance(present, list | tuple):
            return False
        left = cast("Sequence[object]", present)
        right = cast("Sequence[object]", wanted)
        return len(left) == len(right) and all(map(_equal, left, right))
    return _equal(present, wanted)


def _equal(left: object, right: object) -> bool:
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return _contains(cast("object", left), cast("object", right))
    return bool(left == right)


def _conditions(wanted: Mapping[str, object], prefix: str) -> Iterator[AnyOf]:
    for name, value in wanted.items():
        if isinstance(value, str | int | float):
            try:
                yield AnyOf((Condition(prefix + name, "eq", value), _IS_PARTIAL))
            except Invalid:  # no label has such a name or such a value: `holds` decides alone
                continue
        elif isinstance(value, dict):
            inner = cast("dict[object, object]", value)
            texts = {key: item for key, item in inner.items() if isinstance(key, str)}
            yield from _conditions(texts, f"{prefix}{name}.")
