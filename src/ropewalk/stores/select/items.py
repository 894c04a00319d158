"""The columns of an answer: what stands between SELECT and FROM, and how each is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .expressions import Names, expression, identifier, only
from .limits import beyond, refused
from .nodes import name_of
from .tree import COLUMNS, Aggregate, Call, Column, Item, Path

if TYPE_CHECKING:
    from .nodes import Node
    from .tree import Expression

MAX_COLUMNS: Final = 200
"""Most columns of an answer."""


def read_items(node: Node, names: Names) -> tuple[Item, ...]:
    """Read the columns of an answer; raise `Invalid` if two have one name by their AS."""
    values: list[tuple[str | None, Expression]] = []
    for one in node.expressions:
        if name_of(one) == "Star":
            only(one)
            values += [(None, Column(name)) for name in COLUMNS]
            values += [(None, Path("metadata", ())), (None, Path("data", ()))]
        elif name_of(one) == "Alias":
            only(one, "this", "alias")
            values.append((identifier(one.args["alias"]), expression(one.this, names)))
        else:
            values.append((None, expression(one, names)))
    if not values:
        message = "name at least one column after SELECT"
        raise refused(message)
    if len(values) > MAX_COLUMNS:
        message = f"the answer has {len(values)} columns, and {MAX_COLUMNS} are allowed"
        raise beyond("max_query_columns", message)
    return _named(values)


def _named(values: list[tuple[str | None, Expression]]) -> tuple[Item, ...]:
    given = [name for name, _ in values if name is not None]
    for name in given:
        if given.count(name) > 1:
            message = f"two columns of the answer are called {name!r}; choose another AS"
            raise refused(message, name=name)
    taken = set(given)
    items: list[Item] = []
    for place, (given_name, value) in enumerate(values, start=1):
        name = _free(_name(value, place), taken) if given_name is None else given_name
        items.append(Item(name, value))
        taken.add(name)
    return tuple(items)


def _name(value: Expression, place: int) -> str:
    """Name a column that has no AS: its field, the end of its path, its function, its place."""
    match value:
        case Path(root=root, steps=steps):
            return steps[-1] if steps else root
        case Column(name=name) | Call(name=name) | Aggregate(name=name):
            return name
        case _:
            return f"column{place}"


def _free(name: str, taken: set[str]) -> str:
    """Return a name that no other column has: the same, or with a number."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free
