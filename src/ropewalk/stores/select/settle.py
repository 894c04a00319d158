"""Give every expression its one type, and every path the type it is read as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from .limits import refused
from .tree import (
    COLUMNS,
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
    Item,
    Like,
    Logic,
    Negative,
    Not,
    Parameter,
    Path,
    Select,
    Sort,
    Type,
    words,
)

Value: TypeAlias = str | int | float | bool | None

Found: TypeAlias = Type | Literal["null", "any"]
"""`null` fits every type; `any` is a path that nobody has said how to read."""

MAX_DIGITS: Final = 15
"""Most decimals that round() takes."""

_WORDS: Final[Mapping[Type, str]] = {"num": "a number", "text": "a text", "bool": "a bool"}
_TAKES: Final[Mapping[str, Type]] = {
    "lower": "text",
    "upper": "text",
    "length": "text",
    "abs": "num",
    "by_day": "num",
    "by_hour": "num",
    "sum": "num",
    "avg": "num",
}
_GIVES: Final[Mapping[str, Type]] = {
    "lower": "text",
    "upper": "text",
    "length": "num",
    "abs": "num",
    "by_day": "text",
    "by_hour": "text",
    "sum": "num",
    "avg": "num",
}


def settle(select: Select, params: Mapping[str, Value]) -> Select:
    """Return the query with every path settled; raise `Invalid` where types do not fit."""
    return _Settler(params).select(select)


def type_of(expression: Expression, params: Mapping[str, Value]) -> Found:
    """Return the type of a settled expression; `any` is a value given as it is."""
    return _Settler(params).expression(expression)[1]


@dataclass(frozen=True, slots=True)
class _Settler:
    """Settles expressions from the inside out, given the values of the parameters."""

    params: Mapping[str, Value]

    def select(self, select: Select) -> Select:
        """Settle a whole query."""
        items = tuple(Item(item.name, self.expression(item.value)[0]) for item in select.items)
        where, having = select.where, select.having
        return replace(
            select,
            items=items,
            where=None if where is None else self.take(where, "bool", "WHERE"),
            group=tuple(self.typed(value, "GROUP BY") for value in select.group),
            having=None if having is None else self.take(having, "bool", "HAVING"),
            order=tuple(
                Sort(self.typed(sort.value, "ORDER BY"), sort.descending, sort.nulls_first)
                for sort in select.order
            ),
        )

    def take(self, expression: Expression, wanted: Type, user: str) -> Expression:
        """Settle an expression as a type; raise `Invalid`, naming its user, if it has another."""
        settled, found = self.expression(expression)
        if found == "any" and isinstance(settled, Path):
            return replace(settled, type=wanted)
        if found not in (wanted, "null"):
            message = f"{user} takes {_WORDS[wanted]}, and {words(expression)} is {_word(found)}"
            raise refused(message)
        return settled

    def typed(self, expression: Expression, user: str) -> Expression:
        """Settle an expression that must have a type of its own."""
        settled, found = self.expression(expression)
        if found == "any":
            raise _untyped(expression, user)
        return settled

    def alike(self, expressions: tuple[Expression, ...], user: str) -> tuple[Expression, ...]:
        """Settle expressions that must be of one type, whichever."""
        return self._alike(expressions, user)[0]

    def _alike(
        self, expressions: tuple[Expression, ...], user: str
    ) -> tuple[tuple[Expression, ...], Found]:
        pairs = [self.expression(expression) for expression in expressions]
        types: list[Type] = []
        for _, found in pairs:
            if found != "null" and found != "any" and found not in types:  # noqa: PLR1714 (mypy)
                types.append(found)
        if len(types) > 1:
            names = ", ".join(map(words, expressions))
            kinds = " and ".join(_WORDS[found] for found in types)
            message = f"{user} takes values of one type, and {names} are {kinds}"
            raise refused(message)
        if not types and all(found == "any" for _, found in pairs):
            raise _untyped(expressions[0], user)
        wanted: Type = types[0] if types else "text"
        settled = tuple(
            replace(value, type=wanted) if found == "any" and isinstance(value, Path) else value
            for value, found in pairs
        )
        return settled, types[0] if types else "null"

    def expression(  # noqa: PLR0911 (one for each case)
        self, expression: Expression
    ) -> tuple[Expression, Found]:
        """Settle an expression as far as it can be alone; return it with its type."""
        match expression:
            case Constant(value=value):
                return expression, _of_value(value)
            case Parameter(name=name):
                return expression, _of_value(self.params[name])
            case Column(name=name):
                return expression, COLUMNS[name]
            case Path(type=type_):
                return expression, type_ or "any"
            case Call() | Aggregate():
                return self._function(expression)
            case Arithmetic(operator=operator, left=left, right=right):
                left, right = (self.take(side, "num", operator) for side in (left, right))
                return Arithmetic(operator, left, right), "num"
            case Negative(operand=operand):
                return Negative(self.take(operand, "num", "-")), "num"
            case _:
                return self._condition(expression), "bool"

    def _condition(self, expression: Expression) -> Expression:  # noqa: PLR0911 (the same)
        match expression:
            case Compare(operator=operator, left=left, right=right):
                left, right = self.alike((left, right), operator)
                return Compare(operator, left, right)
            case Logic(operator=operator, parts=parts):
                return Logic(operator, tuple(self.take(part, "bool", operator) for part in parts))
            case Not(operand=operand):
                return Not(self.take(operand, "bool", "NOT"))
            case Among(operand=operand, items=items):
                operand, *rest = self.alike((operand, *items), "IN")
                return Among(operand, tuple(rest))
            case Between(operand=operand, low=low, high=high):
                return Between(*self.alike((operand, low, high), "BETWEEN"))
            case IsNull(operand=operand):
                return IsNull(self._present(operand))
            case IsTruth(operand=operand, value=value):
                return IsTruth(self.take(operand, "bool", "IS"), value)
            case Like(operand=operand, pattern=pattern, escape=escape):
                if not isinstance(pattern, Constant | Parameter):
                    message = "LIKE takes a pattern that is written out, or a parameter"
                    raise refused(message)
                operand, pattern = (self.take(side, "text", "LIKE") for side in (operand, pattern))
                return Like(operand, pattern, escape)
            case _:  # a value, which `expression` has settled
                return expression

    def _present(self, expression: Expression) -> Expression:
        settled, found = self.expression(expression)
        if found == "any" and isinstance(settled, Path):
            return replace(settled, type="any")
        return settled

    def _function(self, function: Call | Aggregate) -> tuple[Expression, Found]:
        name = function.name
        if isinstance(function, Aggregate):
            return self._aggregate(function)
        if name == "coalesce":
            arguments, found = self._alike(function.arguments, "coalesce()")
            return Call(name, arguments), found
        if name == "round":
            value, digits = function.arguments
            return Call(name, (self.take(value, "num", "round()"), self._digits(digits))), "num"
        [argument] = function.arguments
        return Call(name, (self.take(argument, _TAKES[name], f"{name}()"),)), _GIVES[name]

    def _aggregate(self, function: Aggregate) -> tuple[Expression, Found]:
        name, argument = function.name, function.argument
        if argument is None:
            return function, "num"
        if name == "count":
            inner = (
                self.typed(argument, "count(DISTINCT)")
                if function.distinct
                else self._present(argument)
            )
            return Aggregate(name, inner, function.distinct), "num"
        if name in _TAKES:
            return Aggregate(name, self.take(argument, _TAKES[name], f"{name}()")), _GIVES[name]
        settled, found = self.expression(argument)
        if found == "any":
            raise _untyped(argument, f"{name}()")
        return Aggregate(name, settled), found

    def _digits(self, digits: Expression) -> Constant:
        value = digits.value if isinstance(digits, Constant) else None
        if type(value) is not int or not 0 <= value <= MAX_DIGITS:
            message = f"round() takes a number and, written out, 0 to {MAX_DIGITS} digits"
            raise refused(message)
        return Constant(value)


def _of_value(value: Value) -> Found:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    return "text" if isinstance(value, str) else "num"


def _word(found: Found) -> str:
    return "of no type" if found == "null" or found == "any" else _WORDS[found]  # noqa: PLR1714


def _untyped(expression: Expression, user: str) -> Exception:
    name = words(expression)
    message = f"{user} needs to know what {name} is: write num({name}), text(...) or bool(...)"
    return refused(message)
