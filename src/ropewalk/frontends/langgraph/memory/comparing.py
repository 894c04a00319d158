"""What the filters of a search mean: the comparisons of LangGraph's stores, on plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt
from typing import Any, Final, TypeGuard

from ....domain.errors import Invalid
from ....domain.spelling import did_you_mean

_ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "$gt": gt,
    "$gte": ge,
    "$lt": lt,
    "$lte": le,
}

OPERATORS: Final = ("$eq", "$ne", *_ORDERS)

_ABSENT: Final = object()


def check(filters: Mapping[str, Any] | None) -> None:
    """Raise `Invalid` for an operator that there is not, at any depth."""
    for wanted in (filters or {}).values():
        if not _is_dict(wanted):
            continue
        if _has_operators(wanted):
            for operator in wanted:
                if operator not in OPERATORS:
                    hint = did_you_mean(str(operator), OPERATORS)
                    message = f"Unsupported operator: {operator!r}; {hint}"
                    raise Invalid(message, code="unknown_operator", field=str(operator))
        else:
            check(wanted)


def matches(value: Mapping[str, Any], filters: Mapping[str, Any] | None) -> bool:
    """Tell whether every filter holds for a value; a dotted key names what is nested in it."""
    return all(_holds(_at(value, key), wanted) for key, wanted in (filters or {}).items())


def _at(value: Mapping[str, Any], path: str) -> object:
    if path in value:
        return value[path]
    here: object = value
    for step in path.split("."):
        if not _is_dict(here) or step not in here:
            return _ABSENT
        here = here[step]
    return here


def _holds(actual: object, wanted: object) -> bool:
    if _is_dict(wanted):
        if _has_operators(wanted):
            return all(_compares(actual, name, value) for name, value in wanted.items())
        return _is_dict(actual) and all(
            _holds(actual.get(name, _ABSENT), value) for name, value in wanted.items()
        )
    if _is_row(wanted):
        return (
            _is_row(actual)
            and len(actual) == len(wanted)
            and all(map(_holds, list(actual), list(wanted)))
        )
    return _equal(actual, wanted)


def _compares(actual: object, operator: str, wanted: object) -> bool:
    if operator == "$eq":
        return _equal(actual, wanted)
    if operator == "$ne":
        return not _equal(actual, wanted)
    left, right = _number(actual), _number(wanted)
    if left is not None and right is not None:
        return _ORDERS[operator](left, right)
    if isinstance(actual, str) and isinstance(wanted, str):
        return _ORDERS[operator](actual, wanted)
    return False


def _equal(actual: object, wanted: object) -> bool:
    # What is absent is equal to None, as it is where JSON is searched.
    return (None if actual is _ABSENT else actual) == wanted


def _number(value: object) -> float | int | None:
    """Return what counts as a number, which a text may, too; `None` for anything else."""
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return None


def _has_operators(wanted: Mapping[str, Any]) -> bool:
    return any(str(name).startswith("$") for name in wanted)


def _is_dict(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def _is_row(value: object) -> TypeGuard[list[object] | tuple[object, ...]]:
    return isinstance(value, list | tuple)
