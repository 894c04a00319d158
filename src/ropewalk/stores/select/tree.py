"""What a portable SELECT is made of: a small tree of our own, made only from what is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Type: TypeAlias = Literal["num", "text", "bool"]
"""Every expression has one type; nothing is converted silently."""

COLUMNS: Final[dict[str, Type]] = {
    "id": "text",
    "type": "text",
    "session_id": "text",
    "thread_id": "text",
    "version": "num",
    "created_at": "num",
    "updated_at": "num",
    "expires_at": "num",
}
"""The columns of the header; times are integer microseconds since 1970-01-01 UTC."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that stands in the text."""

    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that is handed in under a name."""

    name: str


@dataclass(frozen=True, slots=True)
class Column:
    """A field of the header."""

    name: str


@dataclass(frozen=True, slots=True)
class Path:
    """What lies at a path in data or metadata.

    Read as a type it is NULL where something else lies there. As `any` it only tells presence.
    Without a type it is not settled yet, or in the list of a SELECT: the value as it is.
    """

    root: Literal["data", "metadata"]
    steps: tuple[str, ...]
    type: Type | Literal["any"] | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A function of one row."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A function of many rows; without an argument it is `count(*)`."""

    name: str
    argument: Expression | None
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Compare:
    """Two values of one type, compared by `=`, `<>`, `<`, `<=`, `>` or `>=`."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two numbers, joined by `+`, `-`, `*` or `/`."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Negative:
    """A number with the other sign."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class Logic:
    """Conditions joined by `AND` or by `OR`."""

    operator: Literal["AND", "OR"]
    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class Among:
    """Whether a value is one of several."""

    operand: Expression
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """Whether a value lies between two others, both included."""

    operand: Expression
    low: Expression
    high: Expression


@dataclass(frozen=True, slots=True)
class IsNull:
    """Whether there is no value."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class IsTruth:
    """Whether a bool is there and has this value."""

    operand: Expression
    value: bool


@dataclass(frozen=True, slots=True)
class Like:
    """Whether a text has a pattern of `%` and `_`, where A to Z equal a to z."""

    operand: Expression
    pattern: Expression
    escape: str = ""


Expression: TypeAlias = (
    Constant
    | Parameter
    | Column
    | Path
    | Call
    | Aggregate
    | Compare
    | Arithmetic
    | Negative
    | Logic
    | Not
    | Among
    | Between
    | IsNull
    | IsTruth
    | Like
)


@dataclass(frozen=True, slots=True)
class Item:
    """One column of the answer."""

    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Sort:
    """One term of ORDER BY."""

    value: Expression
    descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Select:
    """A whole query over the records of one kind."""

    kind: str
    items: tuple[Item, ...]
    distinct: bool = False
    where: Expression | None = None
    group: tuple[Expression, ...] = ()
    having: Expression | None = None
    order: tuple[Sort, ...] = ()
    limit: Expression | None = None
    offset: Expression | None = None

    @property
    def answered(self) -> tuple[Expression, ...]:
        """The expressions that each row of the answer needs a value of."""
        having = () if self.having is None else (self.having,)
        items = (item.value for item in self.items)
        return (*items, *having, *(sort.value for sort in self.order))

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All expressions of the query."""
        loose = (self.where, self.limit, self.offset)
        return (*self.answered, *self.group, *(one for one in loose if one is not None))

    @property
    def aggregated(self) -> bool:
        """Whether a row of the answer stands for many records."""
        return bool(self.group) or any(map(has_aggregate, self.answered))


def children(expression: Expression) -> tuple[Expression, ...]:
    """Return the expressions that an expression is made of."""
    found: tuple[Expression | None, ...] = ()
    match expression:
        case Constant() | Parameter() | Column() | Path():
            pass
        case Call(arguments=parts) | Logic(parts=parts):
            found = parts
        case Compare(left=left, right=right) | Arithmetic(left=left, right=right):
            found = left, right
        case Aggregate(argument=inner):
            found = (inner,)
        case Negative(operand=inner) | Not(operand=inner):
            found = (inner,)
        case IsNull(operand=inner) | IsTruth(operand=inner):
            found = (inner,)
        case Among(operand=inner, items=items):
            found = inner, *items
        case Between(operand=inner, low=low, high=high):
            found = inner, low, high
        case Like(operand=inner, pattern=pattern):
            found = inner, pattern
    return tuple(child for child in found if child is not None)


def depth(expression: Expression) -> int:
    """Count the levels of an expression, without calling itself."""
    level, levels = [expression], 0
    while level:
        levels += 1
        level = [child for parent in level for child in children(parent)]
    return levels


def walk(expression: Expression) -> Iterator[Expression]:
    """Go through an expression and everything in it."""
    yield expression
    for child in children(expression):
        yield from walk(child)


def has_aggregate(expression: Expression) -> bool:
    """Tell whether there is a function of many rows in an expression."""
    return any(isinstance(part, Aggregate) for part in walk(expression))


def words(expression: Expression) -> str:
    """Name an expression in a message, as its writer would."""
    match expression:
        case Constant(value=value):
            return "NULL" if value is None else repr(value)
        case Parameter(name=name):
            return f":{name}"
        case Column(name=name):
            return name
        case Path(root=root, steps=steps):
            return ".".join((root, *steps))
        case Call(name=name) | Aggregate(name=name):
            return f"{name}(...)"
        case _:
            return "an expression"
