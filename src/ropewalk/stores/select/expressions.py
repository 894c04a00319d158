"""The expressions of the language: one reader for each kind of node that is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from ...domain.limits import MAX_INT64
from ...domain.spelling import did_you_mean
from .guard import ACCESSORS
from .limits import refused
from .nodes import name_of
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
    Like,
    Logic,
    Negative,
    Not,
    Parameter,
    Path,
    Type,
)

if TYPE_CHECKING:
    from .nodes import Node

    Reader: TypeAlias = Callable[[Node, "Names"], Expression]

_INTEGER: Final = re.compile("[0-9]+")
_FLOAT: Final = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_ROOTS: Final[Mapping[str, Literal["data", "metadata"]]] = {"data": "data", "metadata": "metadata"}
_TYPES: Final[Mapping[str, Type]] = {"num": "num", "text": "text", "bool": "bool"}

# Details that the parser notes about nodes, which change nothing here.
_NOTES: Final = frozenset({"big_int", "typed", "safe"})

# How a writer would call the parts that are refused.
_EXTRAS: Final[Mapping[str, str]] = {
    "catalog": "a name of several parts",
    "hint": "a hint",
    "into": "INTO",
    "joins": "a join, or a list of types after FROM,",
    "locks": "FOR UPDATE",
    "qualify": "QUALIFY",
    "query": "a subquery",
    "sample": "TABLESAMPLE",
    "windows": "WINDOW",
    "with": "WITH",
}


@dataclass(frozen=True, slots=True)
class Names:
    """What a word may stand for: the table, and the columns of the answer where they count."""

    table: frozenset[str]
    aliases: Mapping[str, Expression]


NO_NAMES: Final = Names(frozenset(), {})


def expression(node: Node, names: Names) -> Expression:
    """Read an expression; raise `Invalid` for a node that is not allowed."""
    name = name_of(node)
    reader = _READERS.get(name)
    if reader is None:
        raise unknown(node)
    return reader(node, names)


def unknown(node: Node) -> Exception:
    """Make the error for a kind of node that is not on the list."""
    message = (
        f"{name_of(node)} is not part of the language: use columns, data and metadata "
        "paths, comparisons, AND OR NOT, IN, BETWEEN, IS NULL, LIKE, + - * / and the functions"
    )
    return refused(message, node=name_of(node))


def argument(node: Node, name: str) -> Node | None:
    """Return an argument of a node, whatever the parser's version calls it, or `None`."""
    return node.args.get(name) or node.args.get(f"{name}_") or None


def only(node: Node, *allowed: str) -> None:
    """Raise `Invalid` if a node has anything but the arguments allowed."""
    for name, value in node.args.items():
        word = name.rstrip("_")
        if value and word not in allowed and name not in _NOTES:
            what = _EXTRAS.get(word) or f"{name_of(node).upper()} with {word.replace('_', ' ')}"
            message = f"{what} is not part of the language"
            raise refused(message, node=name_of(node))


def identifier(node: Node) -> str:
    """Return the word of a name."""
    if name_of(node) != "Identifier":
        raise unknown(node)
    only(node, "this", "quoted")
    return str(node.this)


def _operands(node: Node, names: Names) -> tuple[Expression, Expression]:
    only(node, "this", "expression")
    return expression(node.this, names), expression(node.expression, names)


def _compare(operator: str) -> Reader:
    return lambda node, names: Compare(operator, *_operands(node, names))


def _arithmetic(operator: str) -> Reader:
    return lambda node, names: Arithmetic(operator, *_operands(node, names))


def _logic(operator: Literal["AND", "OR"]) -> Reader:
    def read(node: Node, names: Names) -> Expression:
        # A chain leans to the left, as deep as it is long: it is walked, not called.
        kind = type(node)
        parts: list[Node] = []
        while type(node) is kind:
            only(node, "this", "expression")
            parts.append(node.expression)
            node = node.this
        parts.append(node)
        return Logic(operator, tuple(expression(part, names) for part in reversed(parts)))

    return read


def _paren(node: Node, names: Names) -> Expression:
    only(node, "this")
    return expression(node.this, names)


def _not(node: Node, names: Names) -> Expression:
    only(node, "this")
    return Not(expression(node.this, names))


def _negative(node: Node, names: Names) -> Expression:
    only(node, "this")
    return Negative(expression(node.this, names))


def _in(node: Node, names: Names) -> Expression:
    only(node, "this", "expressions")
    items = tuple(expression(item, names) for item in node.expressions)
    return Among(expression(node.this, names), items)


def _between(node: Node, names: Names) -> Expression:
    only(node, "this", "low", "high")
    low, high = expression(node.args["low"], names), expression(node.args["high"], names)
    return Between(expression(node.this, names), low, high)


def _is(node: Node, names: Names) -> Expression:
    only(node, "this", "expression")
    operand, what = expression(node.this, names), expression(node.expression, names)
    if isinstance(what, Constant) and what.value is None:
        return IsNull(operand)
    if isinstance(what, Constant) and isinstance(what.value, bool):
        return IsTruth(operand, what.value)
    message = "IS compares with NULL, TRUE or FALSE only; write = for other values"
    raise refused(message)


def _like(node: Node, names: Names) -> Expression:
    # Some versions of the parser say NOT LIKE by a mark on the node, others by a NOT round it.
    only(node, "this", "expression", "negate")
    like = Like(expression(node.this, names), expression(node.expression, names))
    return Not(like) if node.args.get("negate") else like


def _escape(node: Node, names: Names) -> Expression:
    found, escape = _operands(node, names)
    like = found.operand if isinstance(found, Not) else found
    character = escape.value if isinstance(escape, Constant) else None
    if not isinstance(like, Like) or not isinstance(character, str) or len(character) != 1:
        message = "ESCAPE belongs to LIKE, and takes one character"
        raise refused(message)
    escaped = Like(like.operand, like.pattern, character)
    return Not(escaped) if isinstance(found, Not) else escaped


def _null(node: Node, names: Names) -> Expression:  # noqa: ARG001 (a reader)
    only(node)
    return Constant(None)


def _boolean(node: Node, names: Names) -> Expression:  # noqa: ARG001 (a reader)
    only(node, "this")
    return Constant(bool(node.this))


def _literal(node: Node, names: Names) -> Expression:  # noqa: ARG001 (a reader)
    only(node, "this", "is_string")
    text = str(node.this)
    if node.args.get("is_string"):
        return Constant(text)
    if _INTEGER.fullmatch(text) and len(text) <= len(str(MAX_INT64)) and int(text) <= MAX_INT64:
        return Constant(int(text))
    if _FLOAT.fullmatch(text) and not _INTEGER.fullmatch(text):
        return Constant(float(text))
    message = f"{text[:40]} is no number of 64 bits"
    raise refused(message)


def _placeholder(node: Node, names: Names) -> Expression:  # noqa: ARG001 (a reader)
    only(node, "this")
    if not isinstance(node.this, str) or not node.this:
        message = "parameters have names: write :name, and hand in {'name': value}"
        raise refused(message)
    return Parameter(node.this)


def _parts(node: Node) -> list[str]:
    """Return the words of a dotted name, and the numbers in its brackets."""
    name = name_of(node)
    if name == "Identifier":
        return [identifier(node)]
    if name == "Column":
        only(node, "this", "table", "db", "catalog")
        words = [argument(node, part) for part in ("catalog", "db", "table", "this")]
        return [identifier(word) for word in words if word is not None]
    if name == "Dot":
        only(node, "this", "expression")
        return [*_parts(node.this), *_parts(node.expression)]
    if name == "Bracket":
        only(node, "this", "expressions")
        [index, *more] = [expression(item, NO_NAMES) for item in node.expressions]
        if not more and isinstance(index, Constant) and type(index.value) is int:
            return [*_parts(node.this), str(index.value)]
    message = "a path is words joined by dots, and whole numbers in brackets: data.steps[0].name"
    raise refused(message)


def _name(node: Node, names: Names) -> Expression:
    words = _parts(node)
    if len(words) > 1 and words[0] in names.table and words[0].lower() not in _ROOTS:
        words = words[1:]
    root = _ROOTS.get(words[0].lower())
    if root is not None:
        return Path(root, tuple(words[1:]))
    if len(words) == 1:
        if words[0].lower() in COLUMNS:
            return Column(words[0].lower())
        if words[0] in names.aliases:
            return names.aliases[words[0]]
    word = ".".join(words)
    hint = did_you_mean(word, [*COLUMNS, "metadata.<path>", "data.<path>"])
    message = f"there is no column {word!r}: {hint}"
    raise refused(message, name=word)


def _accessor(type_: Type, node: Node, names: Names) -> Expression:
    arguments = [expression(item, names) for item in node.expressions]
    if len(arguments) == 1 and isinstance(arguments[0], Path) and arguments[0].type is None:
        return Path(arguments[0].root, arguments[0].steps, type_)
    message = f"{type_}() reads one path of data or metadata: {type_}(data.name)"
    raise refused(message)


def _named(node: Node, names: Names) -> Expression:
    """Read a function that the parser has no class for."""
    only(node, "this", "expressions")
    name = str(node.this).lower()
    if name in ACCESSORS:
        return _accessor(_TYPES[name], node, names)
    if name in ("by_day", "by_hour"):
        return Call(name, _arguments(name, node.expressions, names, at_most=1))
    raise unknown(node)


def _arguments(
    name: str, nodes: Sequence[Node], names: Names, *, at_most: int
) -> tuple[Expression, ...]:
    if not 1 <= len(nodes) <= at_most:
        message = f"{name}() takes {at_most} argument{'s' if at_most > 1 else ''}"
        raise refused(message, name=name)
    return tuple(expression(node, names) for node in nodes)


def _call(name: str) -> Reader:
    def read(node: Node, names: Names) -> Expression:
        only(node, "this")
        return Call(name, (expression(node.this, names),))

    return read


def _round(node: Node, names: Names) -> Expression:
    only(node, "this", "decimals")
    digits = argument(node, "decimals")
    more = (expression(digits, names),) if digits is not None else (Constant(0),)
    return Call("round", (expression(node.this, names), *more))


def _coalesce(node: Node, names: Names) -> Expression:
    only(node, "this", "expressions")
    if not node.expressions:
        message = "coalesce() takes two values or more"
        raise refused(message)
    return Call("coalesce", tuple(expression(n, names) for n in (node.this, *node.expressions)))


def _aggregate(name: str) -> Reader:
    def read(node: Node, names: Names) -> Expression:
        only(node, "this")
        inner, distinct = node.this, False
        if name_of(inner) == "Star" and name == "count":
            only(inner)
            return Aggregate(name, None)
        if name_of(inner) == "Distinct" and name == "count":
            only(inner, "expressions")
            [inner, *more] = inner.expressions
            if more:
                message = "count(DISTINCT ...) takes one value"
                raise refused(message)
            distinct = True
        return Aggregate(name, expression(inner, names), distinct)

    return read


_READERS: Final[Mapping[str, Reader]] = {
    "EQ": _compare("="),
    "NEQ": _compare("<>"),
    "LT": _compare("<"),
    "LTE": _compare("<="),
    "GT": _compare(">"),
    "GTE": _compare(">="),
    "Add": _arithmetic("+"),
    "Sub": _arithmetic("-"),
    "Mul": _arithmetic("*"),
    "Div": _arithmetic("/"),
    "And": _logic("AND"),
    "Or": _logic("OR"),
    "Paren": _paren,
    "Not": _not,
    "Neg": _negative,
    "In": _in,
    "Between": _between,
    "Is": _is,
    "Like": _like,
    "Escape": _escape,
    "Null": _null,
    "Boolean": _boolean,
    "Literal": _literal,
    "Placeholder": _placeholder,
    "Column": _name,
    "Dot": _name,
    "Bracket": _name,
    "Anonymous": _named,
    "Lower": _call("lower"),
    "Upper": _call("upper"),
    "Length": _call("length"),
    "Abs": _call("abs"),
    "Round": _round,
    "Coalesce": _coalesce,
    "Count": _aggregate("count"),
    "Sum": _aggregate("sum"),
    "Avg": _aggregate("avg"),
    "Min": _aggregate("min"),
    "Max": _aggregate("max"),
}
