"""Write trees as queries, and say which rows they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .oracle import COMPARE, Node, Row, evaluate, total


@dataclass(slots=True)
class Text:
    """Write a tree as a query; values marked as parameters are handed in beside it."""

    params: dict[str, Any] = field(default_factory=dict[str, Any])

    def value(self, value: object) -> str:
        """Write a literal."""
        if value is None:
            return "NULL"
        if isinstance(value, str):
            return "'" + value.replace("'", "''") + "'"
        return repr(value)

    def param(self, value: object) -> str:
        """Hand a value in under a new name."""
        name = f"p{len(self.params)}"
        self.params[name] = value
        return f":{name}"

    def all(self, nodes: Sequence[Node], separator: str = ", ") -> str:
        """Write several expressions."""
        return separator.join(map(self.write, nodes))

    def write(self, node: Node) -> str:
        """Write an expression."""
        what, *parts = node
        forms = {
            "value": lambda: self.value(parts[0]),
            "param": lambda: self.param(parts[0]),
            "column": lambda: str(parts[0]),
            "AND": lambda: f"({self.all(parts[0], ' AND ')})",
            "OR": lambda: f"({self.all(parts[0], ' OR ')})",
            "in": lambda: f"({self.write(parts[0])} IN ({self.all(parts[1])}))",
            "like": lambda: f"({self.write(parts[0])} LIKE {self.value(parts[1])} ESCAPE '!')",
            "between": lambda: f"({self.write(parts[0])} BETWEEN {self.all(parts[1:], ' AND ')})",
            "not": lambda: f"(NOT {self.write(parts[0])})",
            "null": lambda: f"({self.write(parts[0])} IS NULL)",
            "true": lambda: f"({self.write(parts[0])} IS TRUE)",
            "-": lambda: f"(- {self.write(parts[0])})",
            "compare": lambda: f"({self.all(parts[1:], f' {parts[0]} ')})",
            "arithmetic": lambda: f"({self.all(parts[1:], f' {parts[0]} ')})",
        }
        if what in forms:
            return forms[what]()
        if what in ("num", "text", "bool"):
            return f"{what}({parts[0]})"
        if what == "count" and not parts:
            return "count(*)"
        if "distinct" in parts:
            return f"{what}(DISTINCT {self.write(parts[0])})"
        return f"{what}({self.all(parts)})"


@dataclass(frozen=True, slots=True)
class Sorted:
    """One term of ORDER BY."""

    node: Node
    descending: bool
    nulls: str

    def write(self, text: Text) -> str:
        """Write the term."""
        return f"{text.write(self.node)}{' DESC' if self.descending else ''}{self.nulls}"

    def sort(self, rows: list[Row]) -> list[Row]:
        """Sort records by this term; those that are equal keep their order."""
        values = [(evaluate(self.node, row), row) for row in rows]
        there = [pair for pair in values if pair[0] is not None]
        there.sort(key=lambda pair: pair[0], reverse=self.descending)
        present = [row for _, row in there]
        absent = [row for value, row in values if value is None]
        first = self.nulls == " NULLS FIRST" or (not self.nulls and not self.descending)
        return absent + present if first else present + absent


@dataclass(frozen=True, slots=True)
class Rows:
    """A query whose rows are single records."""

    items: list[Node]
    where: Node | None
    order: list[Sorted]
    limit: int | None
    offset: int

    def write(self) -> tuple[str, dict[str, Any]]:
        """Return the query and its parameters."""
        text = Text()
        items = [f"{text.write(item)} AS c{n}" for n, item in enumerate(self.items)]
        parts = ["SELECT", ", ".join(items), "FROM note"]
        if self.where is not None:
            parts += ["WHERE", text.write(self.where)]
        if self.order:
            parts += ["ORDER BY", ", ".join(term.write(text) for term in self.order)]
        if self.limit is not None:
            parts += ["LIMIT", str(self.limit), "OFFSET", text.param(self.offset)]
        return " ".join(parts), text.params

    def answer(self, rows: list[Row]) -> list[list[Any]]:
        """Return what the query means, of records that are oldest first."""
        if self.where is not None:
            rows = [row for row in rows if evaluate(self.where, row)]
        for term in reversed(self.order):
            rows = term.sort(rows)
        if self.limit is not None:
            rows = rows[self.offset :][: self.limit]
        return [[evaluate(item, row) for item in self.items] for row in rows]


@dataclass(frozen=True, slots=True)
class Groups:
    """A query whose rows are many records each."""

    group: list[Node]
    items: list[Node]
    where: Node | None
    having: tuple[str, int] | None

    def write(self) -> tuple[str, dict[str, Any]]:
        """Return the query and its parameters."""
        text = Text()
        names = [f"g{n}" for n in range(len(self.group))]
        items = [f"{text.write(node)} AS {g}" for node, g in zip(self.group, names, strict=True)]
        items += [f"{text.write(item)} AS c{n}" for n, item in enumerate(self.items)]
        parts = ["SELECT", ", ".join(items), "FROM note"]
        if self.where is not None:
            parts += ["WHERE", text.write(self.where)]
        if names:
            parts += ["GROUP BY", ", ".join(names)]
            if self.having is not None:
                parts += ["HAVING count(*)", self.having[0], str(self.having[1])]
        return " ".join(parts), text.params

    def answer(self, rows: list[Row]) -> list[list[Any]]:
        """Return what the query means: groups in the order of their values, NULL first."""
        if self.where is not None:
            rows = [row for row in rows if evaluate(self.where, row)]
        groups: dict[tuple[Any, ...], list[Row]] = {} if self.group else {(): []}
        for row in rows:
            groups.setdefault(tuple(evaluate(node, row) for node in self.group), []).append(row)
        if self.group and self.having is not None:
            over, bound = COMPARE[self.having[0]], self.having[1]
            groups = {key: many for key, many in groups.items() if over(len(many), bound)}
        return [
            [*key, *(total(item, groups[key]) for item in self.items)]
            for key in sorted(groups, key=lambda key: [(v is not None, v) for v in key])
        ]
