"""From our tree to a statement for the SQLite in memory: built anew, every value bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from .limits import refused
from .tree import (
    Aggregate,
    Among,
    Arithmetic,
    Between,
    Call,
    Column,
    Compare,
    Constant,
    Expression,
    IsNull,
    IsTruth,
    Like,
    Logic,
    Negative,
    Not,
    Parameter,
    Path,
)

if TYPE_CHECKING:
    from .settle import Value
    from .tree import Select, Sort

TABLE: Final = "records"
PLACE: Final = "place"
"""The column that counts the loaded records, oldest first: what ties are broken by."""

LIKE: Final = "portable_like"
OURS: Final[Mapping[str, str]] = {
    "lower": "portable_lower",
    "upper": "portable_upper",
    "length": "portable_length",
    "by_day": "portable_day",
    "by_hour": "portable_hour",
}
"""Functions whose meaning is ours, not SQLite's."""

Cell: TypeAlias = Column | Path
"""What a column of the table in memory holds: a field, or a path read as a type."""


@dataclass(slots=True)
class Statement:
    """A statement being written: its text, the cells it reads, and the values bound to it."""

    params: Mapping[str, Value]
    text: str = ""
    cells: dict[Cell, str] = field(default_factory=dict[Cell, str])
    values: dict[str, Value] = field(default_factory=dict[str, "Value"])
    _bound: dict[tuple[type, Value], str] = field(default_factory=dict[tuple[type, "Value"], str])

    def write(self, select: Select, *, at_most: int) -> None:
        """Write the whole statement, answering one row more than allowed at most."""
        items = ", ".join(self._item(item.value) for item in select.items)
        distinct = "DISTINCT " if select.distinct else ""
        parts = [f"SELECT {distinct}{items} FROM {TABLE}"]  # noqa: S608 (names of our own)
        if select.where is not None:
            parts.append(f"WHERE {self.expression(select.where)}")
        group = ", ".join(map(self.expression, select.group))
        if group:
            parts.append(f"GROUP BY {group}")
        if select.having is not None:
            parts.append(f"HAVING {self.expression(select.having)}")
        order = [self._sort(sort) for sort in select.order]
        if select.distinct:
            order += [str(place + 1) for place in range(len(select.items))]
        elif select.group:
            order.append(group)
        elif not select.aggregated:
            order.append(PLACE)
        if order:
            parts.append(f"ORDER BY {', '.join(order)}")
        limit = self._count(select.limit, "LIMIT")
        limit = at_most + 1 if limit is None else min(limit, at_most + 1)
        offset = self._count(select.offset, "OFFSET") or 0
        parts.append(f"LIMIT {self._bind(limit)} OFFSET {self._bind(offset)}")
        self.text = " ".join(parts)

    def _count(self, expression: Expression | None, clause: str) -> int | None:
        """Return the number of LIMIT or OFFSET; raise `Invalid` for anything else."""
        if expression is None:
            return None
        value = self._value(expression) if isinstance(expression, Constant | Parameter) else None
        if type(value) is not int or value < 0:
            message = f"{clause} takes a whole number, 0 or more, or a parameter that is one"
            raise refused(message)
        return value

    def _value(self, expression: Constant | Parameter) -> Value:
        if isinstance(expression, Parameter):
            return self.params[expression.name]
        return expression.value

    def _item(self, value: Expression) -> str:
        if isinstance(value, Path) and value.type is None:
            return PLACE
        return self.expression(value)

    def _sort(self, sort: Sort) -> str:
        direction = "DESC" if sort.descending else "ASC"
        nulls = "FIRST" if sort.nulls_first else "LAST"
        return f"{self.expression(sort.value)} {direction} NULLS {nulls}"

    def _bind(self, value: Value) -> str:
        # One name for equal values: an expression in GROUP BY stays the same one elsewhere.
        name = self._bound.setdefault((type(value), value), f":v{len(self._bound)}")
        self.values[name[1:]] = int(value) if isinstance(value, bool) else value
        return name

    def _cell(self, cell: Cell) -> str:
        return self.cells.setdefault(cell, f"c{len(self.cells)}")

    def _list(self, expressions: tuple[Expression, ...]) -> str:
        return ", ".join(map(self.expression, expressions))

    def expression(self, expression: Expression) -> str:  # noqa: PLR0911 (one for each case)
        """Write an expression."""
        match expression:
            case Constant() | Parameter():
                return self._bind(self._value(expression))
            case Column() | Path():
                return self._cell(expression)
            case Call() | Aggregate():
                return self._function(expression)
            case Arithmetic(operator="/", left=left, right=right):
                return f"(CAST({self.expression(left)} AS REAL) / {self._divisor(right)})"
            case Arithmetic(operator=operator, left=left, right=right):
                return f"({self.expression(left)} {operator} {self.expression(right)})"
            case Negative(operand=operand):
                return f"(- {self.expression(operand)})"
            case _:
                return self._condition(expression)

    def _divisor(self, expression: Expression) -> str:
        return f"NULLIF({self.expression(expression)}, 0)"

    def _condition(self, expression: Expression) -> str:  # noqa: PLR0911 (one for each case)
        match expression:
            case Compare(operator=operator, left=left, right=right):
                return f"({self.expression(left)} {operator} {self.expression(right)})"
            case Logic(operator=operator, parts=parts):
                return f"({f' {operator} '.join(map(self.expression, parts))})"
            case Not(operand=operand):
                return f"(NOT {self.expression(operand)})"
            case Among(operand=operand, items=items):
                return f"({self.expression(operand)} IN ({self._list(items)}))"
            case Between(operand=operand, low=low, high=high):
                bounds = " AND ".join(map(self.expression, (low, high)))
                return f"({self.expression(operand)} BETWEEN {bounds})"
            case IsNull(operand=operand):
                return f"({self.expression(operand)} IS NULL)"
            case IsTruth(operand=operand, value=value):
                return f"({self.expression(operand)} IS {int(value)})"
            case Like(operand=operand, pattern=pattern, escape=escape):
                return f"{LIKE}({self._list((operand, pattern, Constant(escape)))})"
            case _:
                message = f"{type(expression).__name__} is not written here"
                raise AssertionError(message)

    def _function(self, function: Call | Aggregate) -> str:
        if isinstance(function, Call):
            name = OURS.get(function.name, function.name)
            return f"{name}({self._list(function.arguments)})"
        if function.argument is None:
            return "count(*)"
        distinct = "DISTINCT " if function.distinct else ""
        return f"{function.name}({distinct}{self.expression(function.argument)})"
