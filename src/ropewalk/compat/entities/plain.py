"""States and records as JSON, the way the legacy program wrote them down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, time
from enum import Enum
from typing import Any, Final, cast

from ...domain.errors import Invalid

MAX_DEPTH: Final = 200
"""Deepest nesting of a state that is written down."""


def plain(value: Any, *, depth: int = 0) -> Any:  # noqa: ANN401 (any value into any JSON)
    """Return a value as JSON: what has no form there takes the nearest one.

    Times become ISO 8601, enumerations their values, tuples lists, keys texts; objects what their
    `to_dict()` says, or their public attributes; everything else its text. Raises `Invalid` for
    what is nested deeper than `MAX_DEPTH`.
    """
    if depth > MAX_DEPTH:
        message = f"the value is nested deeper than {MAX_DEPTH} levels, or contains itself"
        raise Invalid(message, code="too_deep", field="state")
    if value is None or isinstance(value, bool | int | float | str):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, Enum):
        return plain(value.value, depth=depth + 1)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {_key(name): plain(item, depth=depth + 1) for name, item in items}
    if isinstance(value, list | tuple):
        return [plain(item, depth=depth + 1) for item in cast("list[object]", value)]
    return _object(value, depth=depth + 1)


def _object(value: object, *, depth: int) -> object:
    convert = getattr(value, "to_dict", None)
    if callable(convert):
        return plain(convert(), depth=depth)
    try:
        attributes = vars(value)
    except TypeError:
        return str(value)
    public = {name: item for name, item in attributes.items() if not name.startswith("_")}
    return plain(public, depth=depth) if public else str(value)


def _key(name: object) -> str:
    """Return a key as text; raise `Invalid` for one that JSON cannot have."""
    if isinstance(name, str):
        return name.value if isinstance(name, Enum) else name
    if name is None or isinstance(name, bool | int | float):
        return cast("str", next(iter(json.loads(json.dumps({name: 0})))))
    message = f"a key of a state must be text, a number, true, false or null, not {name!r}"
    raise Invalid(message, code="bad_type", field="state")


def json_copy(value: object, *, what: str) -> Any:  # noqa: ANN401 (any JSON)
    """Return a copy of what is JSON already; raise `Invalid` for anything else."""
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError, RecursionError) as error:
        message = f"{what} is no JSON: {error}"
        raise Invalid(message, code="not_json", field="data") from error
