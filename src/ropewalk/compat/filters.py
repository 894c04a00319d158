"""Filters on rows: the same dictionaries that plain records are searched by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, cast

from ..domain.errors import Invalid
from ..domain.spelling import did_you_mean
from .interfaces.unified import Row

_FIELDS: Final = (
    *("id", "type", "session_id", "thread_id", "workflow_id"),
    *("created_at", "updated_at", "version"),
)
_ROOTS: Final = ("data", "metadata", "state_data")


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[object, object], bool]:
    def test(value: object, wanted: object) -> bool:
        try:
            return value is not None and compare(value, wanted)
        except TypeError:  # a text is neither more nor less than a number: it does not match
            return False

    return test


def _within(value: object, wanted: object) -> bool:
    return any(value == each for each in cast("list[object]", wanted))


_TESTS: Final[Mapping[str, Callable[[object, object], bool]]] = {
    "$eq": lambda value, wanted: value == wanted,
    "$ne": lambda value, wanted: value != wanted,
    "$gt": _ordered(lambda value, wanted: value > wanted),
    "$gte": _ordered(lambda value, wanted: value >= wanted),
    "$lt": _ordered(lambda value, wanted: value < wanted),
    "$lte": _ordered(lambda value, wanted: value <= wanted),
    "$in": _within,
    "$nin": lambda value, wanted: not _within(value, wanted),
    "$exists": lambda value, wanted: (value is not None) is wanted,
    "$prefix": lambda value, wanted: isinstance(value, str) and value.startswith(str(wanted)),
}


def check(filters: Row) -> None:
    """Raise `Invalid`, naming the key, for filters that mean nothing."""
    for key, given in filters.items():
        root, dot, rest = key.partition(".")
        if key not in _FIELDS and not (root in _ROOTS and dot and all(rest.split("."))):
            known = (*_FIELDS, *(f"{root}.<path>" for root in _ROOTS))
            message = f"filters have an unknown key {key!r}: {did_you_mean(key, known)}"
            raise Invalid(message, code="unknown_key", field=key)
        for operator, wanted in _operations(given):
            if operator not in _TESTS:
                message = f"{key} has an unknown operator: {did_you_mean(operator, _TESTS)}"
                raise Invalid(message, code="unknown_operator", field=key)
            if operator in ("$in", "$nin") and not isinstance(wanted, list | tuple | set):
                message = f"{key} {operator} needs a list, not {type(wanted).__name__}"
                raise Invalid(message, code="bad_type", field=key)
            if isinstance(wanted, datetime) and wanted.tzinfo is None:
                message = f"{key} is compared with a time without a zone; say which one is meant"
                raise Invalid(message, code="naive_time", field=key)


def matches(row: Row, filters: Row) -> bool:
    """Tell whether a row fulfils every filter."""
    return all(
        _TESTS[operator](_value(row, key), wanted)
        for key, given in filters.items()
        for operator, wanted in _operations(given)
    )


def equal_to(filters: Row, key: str) -> str | None:
    """Return the text that a key must be equal to, if the filters say so."""
    for operator, wanted in _operations(filters.get(key)):
        if operator == "$eq" and isinstance(wanted, str):
            return wanted
    return None


def types_of(filters: Row) -> list[str] | None:
    """Return the types that filters ask for, in their order; `None` where they ask for any."""
    given: object = filters.get("type")
    if isinstance(given, Mapping):
        given = cast("Mapping[str, object]", given).get("$in")
    if isinstance(given, list | tuple | set):
        return [str(each) for each in cast("list[object]", given)]
    return None if given is None else [str(given)]


def _operations(given: object) -> list[tuple[str, object]]:
    if isinstance(given, Mapping):
        return [
            (str(name), value) for name, value in cast("Mapping[object, object]", given).items()
        ]
    if isinstance(given, list | tuple):
        return [("$in", cast("object", given))]
    return [("$eq", given)]


def _value(row: Row, key: str) -> object:
    value: object = row
    for step in key.split("."):
        if not isinstance(value, Mapping):
            return None
        value = cast("Mapping[str, object]", value).get(step)
    return value
