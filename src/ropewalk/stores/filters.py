"""The seeds' filter dictionaries, checked strictly and turned into a search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from math import isnan
from typing import Any, Final, TypeAlias

from ..domain.errors import Invalid
from ..domain.limits import check_int64
from ..domain.moment import to_micros
from ..domain.query import AnyOf, Condition
from ..domain.record import check_name
from ..domain.spelling import did_you_mean
from .paths import Steps
from .shapes import is_group, is_mapping, is_tuple
from .sieve import Check, Root, Sieve, Term, TermOp

Filters: TypeAlias = Mapping[str, Any]
"""For example `{"type": "note", "metadata.lang": {"$ne": "de"}, "data.size": {"$gt": 3}}`."""

OPERATORS: Final[Mapping[str, TermOp]] = {
    "$eq": "eq",
    "$ne": "ne",
    "$gt": "gt",
    "$gte": "ge",
    "$lt": "lt",
    "$lte": "le",
    "$in": "in",
    "$nin": "nin",
    "$exists": "exists",
    "$prefix": "prefix",
}

MAX_FILTER_KEYS: Final = 100
"""Most keys in a filter dictionary."""

MAX_FILTER_VALUES: Final = 1_000
"""Most values of one `$in` or `$nin`."""

MAX_PATH_STEPS: Final = 40
"""Deepest path into data or metadata."""

ROOTS: Final[Mapping[str, Root]] = {"metadata": "metadata", "data": "data"}
_TEXTS: Final = ("id", "session_id", "thread_id", "type")
_TIMES: Final = ("created_at", "updated_at", "expires_at")
_KEYS: Final = (*_TEXTS, *_TIMES, "version", "metadata.<path>", "data.<path>")


def read_filters(raw: object) -> Sieve:
    """Check a filter dictionary; raise `Invalid` naming the key that is wrong.

    Every key must hold. `None` and `{}` mean every record.
    """
    if raw is None:
        return Sieve()
    if not is_mapping(raw):
        message = f'filters must be a dict such as {{"type": "note"}}, not {type(raw).__name__}'
        raise Invalid(message, code="bad_type", field="filters")
    if len(raw) > MAX_FILTER_KEYS:
        message = f"filters have {len(raw)} keys; max_filter_keys is {MAX_FILTER_KEYS}"
        raise Invalid(message, code="too_many", field="filters", limit="max_filter_keys")
    kinds: tuple[str, ...] | None = None
    header: list[Check] = []
    terms: list[Term] = []
    for key, given in raw.items():
        path = _path(key)
        # Nearly always one text is meant: there is no operator in that to look for.
        pairs: Iterable[tuple[TermOp, object]]
        pairs = (("eq", given),) if type(given) is str else _operations(key, given)
        for op, value in pairs:
            if path is not None:
                terms.append(Term(*path, op, _scalars(key, op, value)))
            elif key == "type" and kinds is None and op in ("eq", "in"):
                kinds = _kinds(value)
            else:
                header += _on_header(key, op, _stored(key, op, value))
    if kinds == ():
        header.append(Condition("kind", "in", ()))
    if not terms:
        return Sieve(kinds=kinds or (), header=tuple(header))
    on_labels = [term.on_labels() for term in terms]
    return Sieve(
        kinds=kinds or (),
        header=tuple(header),
        labels=tuple(check for checks, _ in on_labels for check in checks),
        terms=tuple(terms),
        decided=all(exact for _, exact in on_labels),
    )


def _path(key: object) -> tuple[Root, Steps] | None:
    """Return root and steps of a path, `None` for a field of the header; refuse anything else."""
    if not isinstance(key, str):
        message = f"the keys of filters must be text, not {type(key).__name__} {key!r}"
        raise Invalid(message, code="bad_type", field="filters")
    root, dot, rest = key.partition(".")
    if dot and root in ROOTS:
        steps = tuple(rest.split("."))
        if not all(steps) or len(steps) > MAX_PATH_STEPS:
            message = (
                f"{key!r} is no path: write {root}.<name>, or {root}.<name>.<name> for what is "
                f"nested, {MAX_PATH_STEPS} names at most"
            )
            raise Invalid(message, code="bad_path", field=key)
        return ROOTS[root], steps
    if key in _KEYS and not dot:
        return None
    if key in ("metadata", "data"):
        hint = f'compare a value in it, for example {{"{key}.name": ...}}'
    else:
        hint = did_you_mean(key, _KEYS)
    message = f"filters have an unknown key {key!r}: {hint}"
    raise Invalid(message, code="unknown_key", field=key)


def _operations(key: str, given: object) -> Iterator[tuple[TermOp, object]]:
    """Go through the comparisons of one key: a plain value, or a dictionary of operators."""
    if key == "type" and is_group(given):
        yield "in", _operand(key, "$in", given)
        return
    if not is_mapping(given):
        yield "eq", given
        return
    if not given:
        message = f"{key}: name at least one operator: {', '.join(OPERATORS)}"
        raise Invalid(message, code="empty", field=key)
    for name, value in given.items():
        if name not in OPERATORS:
            hint = did_you_mean(str(name), OPERATORS)
            message = f"{key}: unknown operator {name!r}: {hint}"
            raise Invalid(message, code="unknown_operator", field=key)
        yield OPERATORS[name], _operand(key, name, value)


def _operand(key: str, name: str, value: object) -> object:
    """Return what an operator is given, lists as tuples; raise `Invalid` for another form."""
    if name in ("$in", "$nin"):
        if not is_group(value):
            message = f"{key}: {name} needs a list of values, not {type(value).__name__}"
            raise Invalid(message, code="bad_type", field=key)
        if len(value) > MAX_FILTER_VALUES:
            message = (
                f"{key}: {name} has {len(value)} values; max_filter_values is {MAX_FILTER_VALUES}"
            )
            raise Invalid(message, code="too_many", field=key, limit="max_filter_values")
        return tuple(value)
    if name == "$exists" and not isinstance(value, bool):
        message = f"{key}: $exists needs True or False, not {type(value).__name__}"
        raise Invalid(message, code="bad_type", field=key)
    if name == "$prefix" and not isinstance(value, str):
        message = f"{key}: $prefix needs a text, not {type(value).__name__}"
        raise Invalid(message, code="bad_type", field=key)
    if value is None and name not in ("$eq", "$ne"):
        message = f"{key}: {name} needs a value, not None; use $exists to ask for absence"
        raise Invalid(message, code="bad_type", field=key)
    return value


def _kinds(value: object) -> tuple[str, ...]:
    if not is_tuple(value):
        return (check_name(value, field="type"),)
    return tuple(dict.fromkeys(check_name(kind, field="type") for kind in value))


def _scalars(key: str, op: TermOp, value: object) -> object:
    """Return a value to compare with what is in a letter; raise `Invalid` if it is no scalar."""
    if op in ("in", "nin") and is_tuple(value):
        return tuple(_scalar(key, item) for item in value)
    return _scalar(key, value)


def _scalar(key: str, value: object) -> object:
    if isinstance(value, datetime):
        to_micros(value, field=key)
    elif isinstance(value, str):
        _check_unicode(key, value)
    elif isinstance(value, float) and isnan(value):
        message = f"{key}: nothing equals nan; ask for a number"
        raise Invalid(message, code="not_finite", field=key)
    elif value is not None and not isinstance(value, bool | int | float):
        message = (
            f"{key}: compare with text, a number, a bool, an aware datetime or None, "
            f'not {type(value).__name__}; for one of several values use {{"$in": [...]}}'
        )
        raise Invalid(message, code="bad_type", field=key)
    return value


def _check_unicode(key: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        message = f"{key}: the text holds a lone surrogate at character {error.start}"
        raise Invalid(message, code="bad_text", field=key) from error


def _stored(key: str, op: TermOp, value: object) -> Any:  # noqa: ANN401 (checked by Condition)
    """Return a value as the header keeps it, times in microseconds; raise `Invalid` otherwise."""
    if op == "exists" or value is None:
        return value
    if op in ("in", "nin") and is_tuple(value):
        return tuple(_stored(key, "eq", item) for item in value)
    if op == "prefix" and key not in _TEXTS:
        message = f"{key}: $prefix is for texts only"
        raise Invalid(message, code="bad_type", field=key)
    if key in _TIMES:
        return to_micros(value, field=key)
    if key == "version":
        return check_int64(value, field=key)
    if not isinstance(value, str):
        message = f"{key} must be compared with text, not {type(value).__name__}"
        raise Invalid(message, code="bad_type", field=key)
    return value


def _on_header(key: str, op: TermOp, value: Any) -> list[Check]:  # noqa: ANN401 (see Condition)
    field = "kind" if key == "type" else key
    if op == "nin":
        return [Condition(field, "ne", item) for item in value]
    if op == "in":
        present = tuple(item for item in value if item is not None)
        among = Condition(field, "in", present)
        return [
            among if len(present) == len(value) else AnyOf((among, Condition(field, "eq", None)))
        ]
    return [Condition(field, op, value)]
