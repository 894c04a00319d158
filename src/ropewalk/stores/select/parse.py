"""From text to our own tree: whatever is not on the list of what is allowed is refused."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from sqlglot import parse
from sqlglot.errors import ErrorLevel, ParseError, SqlglotError

from ...domain.record import check_name
from .expressions import NO_NAMES, Names, argument, expression, identifier, only
from .guard import check_text
from .items import read_items
from .limits import beyond, refused
from .nodes import name_of
from .tree import Constant, Expression, Item, Select, Sort, depth

if TYPE_CHECKING:
    from .limits import SelectLimits
    from .nodes import Node

_CLAUSES: Final = (
    "expressions",
    "distinct",
    "from",
    "where",
    "group",
    "having",
    "order",
    "limit",
    "offset",
)

MAX_LEVELS: Final = 100
"""Most levels of an expression: what follows walks it by recursion."""


def read(text: object, limits: SelectLimits) -> Select:
    """Return the tree of a query; raise `Invalid` with a sentence for what is not allowed."""
    if not isinstance(text, str):
        message = f"a query is a text, not {type(text).__name__}"
        raise refused(message)
    return _read(text, limits)


@lru_cache(maxsize=256)
def _read(text: str, limits: SelectLimits) -> Select:
    check_text(text, limits)
    try:
        statements = [node for node in parse(text, error_level=ErrorLevel.IMMEDIATE) if node]
        if len(statements) != 1:
            message = "a query is one statement"
            raise refused(message)
        select = _select(statements[0])
    except ParseError as error:
        raise refused(_sentence(error)) from error
    except SqlglotError as error:
        message = "the query cannot be read"
        raise refused(message) from error
    except RecursionError as error:
        message = f"the query nests deeper than {limits.max_query_nesting} levels"
        raise beyond("max_query_nesting", message) from error
    if max(map(depth, select.expressions)) > MAX_LEVELS:
        message = f"an expression has more than {MAX_LEVELS} levels; a long sum counts as one each"
        raise beyond("max_query_nesting", message)
    return select


def _sentence(error: ParseError) -> str:
    """Say where a text stops being SQL, without the parser's colours."""
    [first, *_] = error.errors or [{}]
    where = f" at line {first['line']}, column {first['col']}" if first.get("line") else ""
    return f"the query is no SELECT: {first.get('description', 'it ends too early')}{where}"


def _select(node: Node) -> Select:
    if name_of(node) != "Select":
        message = f"a query is one SELECT; {name_of(node).upper()} is refused"
        raise refused(message)
    only(node, *_CLAUSES)
    kind, table = _table(node)
    items = read_items(node, Names(table, {}))
    names = Names(table, {item.name: item.value for item in items})
    distinct = argument(node, "distinct")
    if distinct is not None:
        only(distinct)
    return Select(
        kind=kind,
        items=items,
        distinct=distinct is not None,
        where=_clause(node, "where", Names(table, {})),
        group=_group(node, items, names),
        having=_clause(node, "having", names),
        order=_order(node, items, names),
        limit=_count(node, "limit"),
        offset=_count(node, "offset"),
    )


def _table(node: Node) -> tuple[str, frozenset[str]]:
    """Return the kind that FROM names, and by which names its columns may be qualified."""
    source = argument(node, "from")
    if source is None:
        message = "name the type of the records after FROM"
        raise refused(message)
    only(source, "this")
    table = source.this
    if name_of(table) != "Table" or name_of(table.this) != "Identifier":
        message = "FROM takes one type of records, not a subquery or a function"
        raise refused(message)
    if argument(table, "db") is not None:
        message = 'FROM takes one name; quote a type that has a dot in it: FROM "a.b"'
        raise refused(message)
    only(table, "this", "alias")
    kind = identifier(table.this)
    names = {kind}
    alias = argument(table, "alias")
    if alias is not None:
        only(alias, "this")
        names.add(identifier(alias.this))
    return check_name(kind, field="FROM"), frozenset(names)


def _clause(node: Node, name: str, names: Names) -> Expression | None:
    clause = argument(node, name)
    if clause is None:
        return None
    only(clause, "this")
    return expression(clause.this, names)


def _group(node: Node, items: tuple[Item, ...], names: Names) -> tuple[Expression, ...]:
    clause = argument(node, "group")
    if clause is None:
        return ()
    only(clause, "expressions")
    return tuple(_term(one, items, names) for one in clause.expressions)


def _order(node: Node, items: tuple[Item, ...], names: Names) -> tuple[Sort, ...]:
    clause = argument(node, "order")
    if clause is None:
        return ()
    only(clause, "expressions")
    sorts: list[Sort] = []
    for one in clause.expressions:
        only(one, "this", "desc", "nulls_first")
        alias = _alias(one.this)
        value = names.aliases.get(alias) if alias else None
        if value is None:
            value = _term(one.this, items, names)
        sorts.append(Sort(value, bool(one.args.get("desc")), bool(one.args.get("nulls_first"))))
    return tuple(sorts)


def _alias(node: Node) -> str | None:
    """Return the single word that a term of ORDER BY is, or `None`."""
    if name_of(node) == "Column" and not argument(node, "table"):
        return identifier(node.this)
    return None


def _term(node: Node, items: tuple[Item, ...], names: Names) -> Expression:
    """Read a term of GROUP BY or ORDER BY; a whole number there counts columns of the answer."""
    value = expression(node, names)
    if isinstance(value, Constant):
        place = value.value
        if isinstance(place, int) and not isinstance(place, bool) and 1 <= place <= len(items):
            return items[place - 1].value
        message = f"GROUP BY and ORDER BY {place!r}: there is no column of that number"
        raise refused(message)
    return value


def _count(node: Node, name: str) -> Expression | None:
    clause = argument(node, name)
    if clause is None:
        return None
    if name_of(clause).lower() != name:
        message = f"write {name.upper()} and a number"
        raise refused(message)
    only(clause, "expression")
    return expression(clause.expression, NO_NAMES)
