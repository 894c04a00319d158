"""`Plan`: the operations of one batch, checked, and sorted by what is to be done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    Op,
    PutOp,
    SearchOp,
    validate_op_namespace,
)

from ....domain.errors import Invalid
from ....domain.memory import Name


class BadNamespace(Invalid, InvalidNamespaceError):
    """A namespace that cannot be, as Ropewalk and as LangGraph call it."""


@dataclass(slots=True)
class Plan:
    """What a batch asks for, each with its place in the answer.

    Reads see the store as it is before the batch; of several writes under one name the last one
    counts.
    """

    size: int = 0
    gets: list[tuple[int, Name, bool]] = field(default_factory=list[tuple[int, Name, bool]])
    searches: list[tuple[int, SearchOp]] = field(default_factory=list[tuple[int, SearchOp]])
    listings: list[tuple[int, ListNamespacesOp]] = field(
        default_factory=list[tuple[int, ListNamespacesOp]]
    )
    puts: dict[Name, PutOp] = field(default_factory=dict[Name, PutOp])

    @property
    def queries(self) -> list[str]:
        """The texts that are searched for, each once."""
        return list(dict.fromkeys(op.query for _, op in self.searches if op.query))


def read(ops: Iterable[Op]) -> Plan:
    """Sort the operations of a batch; raise `Invalid` for the first that is wrong."""
    plan = Plan()
    for place, op in enumerate(ops):
        _check(op)
        if isinstance(op, GetOp):
            plan.gets.append((place, _name(op), op.refresh_ttl))
        elif isinstance(op, PutOp):
            plan.puts[_name(op)] = op
        elif isinstance(op, SearchOp):
            _check_window(op)
            plan.searches.append((place, op))
        else:
            _check_window(op)
            plan.listings.append((place, op))
        plan.size = place + 1
    return plan


def _name(op: GetOp | PutOp) -> Name:
    return Name(tuple(op.namespace), str(op.key))


def _check(op: object) -> None:
    if not isinstance(op, GetOp | SearchOp | PutOp | ListNamespacesOp):
        message = f"a batch takes the operations of LangGraph's stores, not {type(op).__name__}"
        raise Invalid(message, code="unknown_operation", field="ops")
    try:
        validate_op_namespace(op)
    except InvalidNamespaceError as error:
        raise BadNamespace(str(error), code="bad_namespace", field="namespace") from error


def _check_window(op: SearchOp | ListNamespacesOp) -> None:
    for name, value in (("limit", op.limit), ("offset", op.offset)):
        if value < 0:
            message = f"{name} must be 0 or more, not {value}"
            raise Invalid(message, code="bad_limit", field=name)
