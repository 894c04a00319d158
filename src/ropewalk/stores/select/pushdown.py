"""Which records a query can mean at most: what the back end is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

from ...domain.query import Condition
from ..paths import label_value
from ..sieve import Sieve, Term
from .tree import (
    Among,
    Between,
    Column,
    Compare,
    Constant,
    Expression,
    IsNull,
    Logic,
    Negative,
    Not,
    Parameter,
    Path,
)

if TYPE_CHECKING:
    from ...domain.query import Op
    from ..sieve import Check, TermOp
    from .settle import Value
    from .tree import Select

_OPERATORS: Final[Mapping[str, Op]] = {"=": "eq", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_TERMS: Final[Mapping[Op, TermOp]] = {"eq": "eq", "lt": "lt", "le": "le", "gt": "gt", "ge": "ge"}
_FLIPPED: Final[Mapping[Op, Op]] = {"eq": "eq", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}

Comparison: TypeAlias = "tuple[Column | Path, Op, Value | tuple[Value, ...]]"


def narrow(select: Select, params: Mapping[str, Value]) -> Sieve:
    """Return a search for the records of a settled query, and for as few others as can be proved.

    Only what WHERE demands of every record counts. The statement decides again on what is found,
    so a condition left out here costs time and never an answer.
    """
    header: list[Check] = []
    labels: list[Check] = []
    for demand in _demands(select.where):
        for left, op, value in _comparisons(demand, params):
            if isinstance(left, Column):
                header += _on_header(left, op, value)
            else:
                labels += _on_labels(left, op, value)
    return Sieve(kinds=(select.kind,), header=tuple(header), labels=tuple(labels))


def _demands(where: Expression | None) -> Iterator[Expression]:
    """Go through the conditions that every record must fulfil."""
    if isinstance(where, Logic) and where.operator == "AND":
        for part in where.parts:
            yield from _demands(part)
    elif where is not None:
        yield where


def _comparisons(demand: Expression, params: Mapping[str, Value]) -> Iterator[Comparison]:
    """Take a condition apart into comparisons of a column or path with a value."""
    match demand:
        case Compare(operator=operator, left=left, right=right) if operator in _OPERATORS:
            op = _OPERATORS[operator]
            if isinstance(right, Column | Path):
                left, op, right = right, _FLIPPED[op], left
            value = _value(right, params)
            if isinstance(left, Column | Path) and value is not None:
                yield left, op, value
        case Between(operand=Column() | Path() as left, low=low, high=high):
            if (value := _value(low, params)) is not None:
                yield left, "ge", value
            if (value := _value(high, params)) is not None:
                yield left, "le", value
        case Among(operand=Column() | Path() as left, items=items):
            values = tuple(_value(item, params) for item in items)
            if None not in values:
                yield left, "in", values
        case _:
            yield from _truths(demand)


def _truths(demand: Expression) -> Iterator[Comparison]:
    """Take a condition without an operator as a comparison."""
    match demand:
        case Path(type="bool"):
            yield demand, "eq", True
        case Not(operand=Path(type="bool") as left):
            yield left, "eq", False
        case IsNull(operand=Column() as left):
            yield left, "eq", None
        case Not(operand=IsNull(operand=Column() as left)):
            yield left, "exists", True
        case _:
            pass


def _value(expression: Expression, params: Mapping[str, Value]) -> Value:
    """Return the value of a constant, or `None` where it is none or not known beforehand."""
    match expression:
        case Constant(value=value):
            return value
        case Parameter(name=name):
            return params[name]
        case Negative(operand=Constant(value=value)) if isinstance(value, int | float):
            return -value
        case _:
            return None


def _on_header(column: Column, op: Op, value: Value | tuple[Value, ...]) -> Iterator[Check]:
    field = "kind" if column.name == "type" else column.name
    if isinstance(value, tuple):
        kept = tuple(item for item in value if item is not None and label_value(item) is not None)
        if len(kept) == len(value):
            yield Condition(field, op, kept)
    elif value is None or label_value(value) is not None:
        yield Condition(field, op, value)


def _on_labels(path: Path, op: Op, value: Value | tuple[Value, ...]) -> tuple[Check, ...]:
    if path.root != "metadata" or (op not in _TERMS and op != "in"):
        return ()
    term = Term("metadata", path.steps, "in" if op == "in" else _TERMS[op], value)
    return term.on_labels()[0]
