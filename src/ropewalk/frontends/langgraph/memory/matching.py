"""Which namespaces a listing means: by their first labels, by their last, down to a depth."""

from __future__ import annotations

from collections.abc import Iterable

from langgraph.store.base import ListNamespacesOp, MatchCondition

from ....domain.errors import Invalid
from ....domain.memory import Namespace

ANY = "*"
"""Stands for any one label in a condition."""


def listed(namespaces: Iterable[Namespace], op: ListNamespacesOp) -> list[Namespace]:
    """Return the namespaces that the operation means, sorted, cut off and without repetition."""
    conditions = op.match_conditions or ()
    found = {
        namespace if op.max_depth is None else namespace[: op.max_depth]
        for namespace in namespaces
        if all(matches(namespace, condition) for condition in conditions)
    }
    return sorted(found)[op.offset : op.offset + op.limit]


def beginning(op: ListNamespacesOp) -> Namespace:
    """Return the labels that every namespace meant begins with, as far as they are known."""
    known: Namespace = ()
    for condition in op.match_conditions or ():
        if condition.match_type == "prefix":
            path = tuple(condition.path)
            head = path[: path.index(ANY)] if ANY in path else path
            known = max(known, head, key=len)
    return known


def matches(namespace: Namespace, condition: MatchCondition) -> bool:
    """Tell whether a namespace fulfils a condition; raise `Invalid` for one of another type."""
    kind: str = condition.match_type
    path = tuple(condition.path)
    if kind == "prefix":
        labels = namespace[: len(path)]
    elif kind == "suffix":
        labels = namespace[max(len(namespace) - len(path), 0) :]
    else:
        message = f"Unsupported match type: {kind!r}; use prefix or suffix"
        raise Invalid(message, code="unknown_match", field="match_conditions")
    if len(labels) < len(path):
        return False
    return all(step in (ANY, label) for label, step in zip(labels, path, strict=True))
