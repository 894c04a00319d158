"""What a filter means, written once more and without the machinery."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from ropewalk.stores.shapes import is_dict, is_row

ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}


def sort_of(value: object) -> str:
    """Name the sort of a value: only values of one sort are ever equal or in an order."""
    sorts = (("bool", bool), ("number", (int, float)), ("text", str), ("time", datetime))
    for name, types in sorts:
        if isinstance(value, types):
            return name
    return "none" if value is None else "other"


def follow(value: Any, path: str) -> Any:  # noqa: ANN401 (any value of a record)
    """Return what lies at a path: by key in dictionaries, by number in lists."""
    for step in path.split("."):
        if is_dict(value):
            value = value.get(step)
        elif is_row(value) and step.isdigit():
            value = value[int(step)] if int(step) < len(value) else None
        else:
            return None
    return value


def equal(left: object, right: object) -> bool:
    """Tell whether two values are of one sort and equal."""
    sort = sort_of(left)
    return sort == sort_of(right) and sort != "other" and left == right


def holds(found: Any, name: str, wanted: Any) -> bool:  # noqa: ANN401 (values of any type)
    """Tell whether one comparison holds."""
    if name in ("$eq", "$ne"):
        return equal(found, wanted) == (name == "$eq")
    if name in ("$in", "$nin"):
        return any(equal(found, one) for one in wanted) == (name == "$in")
    if name == "$exists":
        return found is not None if wanted else found is None
    if name == "$prefix":
        return isinstance(found, str) and found.startswith(wanted)
    ordered = sort_of(found) == sort_of(wanted) and sort_of(found) in ("number", "text", "time")
    return ordered and bool(ORDERS[name](found, wanted))


def meant(row: Mapping[str, Any], filters: Mapping[str, Any]) -> bool:
    """Tell whether a loaded record matches every comparison of every path."""
    for path, given in filters.items():
        found = follow(row, path)
        wishes = given if is_dict(given) else {"$eq": given}
        if not all(holds(found, name, wanted) for name, wanted in wishes.items()):
            return False
    return True
