"""The shapes of questions: what they have in common beside the values that they compare with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from .labels import PARTIAL
from .query import LABEL, AnyOf

if TYPE_CHECKING:
    from .query import Condition, Order, Query

FINDING: Final = frozenset({"eq", "in", "lt", "le", "gt", "ge", "prefix"})
"""Operators by which an index of a label finds what matches."""

_IDS: Final = frozenset({"eq", "in", "prefix"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A shape, and how often it took how long.

    `where` has the fields and operators of its conditions, `within` whether it stays in a session
    or a thread. `labels` are those of which a declared index would answer it; none where that
    would not help. `seconds` and `longest` count the slow ones alone.
    """

    verb: str
    space: str | None
    kinds: tuple[str, ...] = ()
    within: str = ""
    where: tuple[str, ...] = ()
    order: str = ""
    labels: tuple[str, ...] = ()
    count: int = 0
    seconds: float = 0.0
    longest: float = 0.0

    @property
    def key(self) -> tuple[str, str | None, tuple[str, ...], str, tuple[str, ...], str]:
        """What tells it from other shapes."""
        return self.verb, self.space, self.kinds, self.within, self.where, self.order

    def once_more(self, seconds: float) -> Shape:
        """Return the shape with one more question of it that took so many seconds."""
        return self.joined(replace(self, count=1, seconds=seconds, longest=seconds))

    def joined(self, other: Shape) -> Shape:
        """Return the shape with what was counted of it elsewhere."""
        return replace(
            self,
            count=self.count + other.count,
            seconds=self.seconds + other.seconds,
            longest=max(self.longest, other.longest),
        )

    def __str__(self) -> str:
        """Say it as one would ask: `scan note where labels.topic eq by created_at`."""
        parts = [self.verb, " ".join(self.kinds) or "any kind"]
        if self.within:
            parts.append(f"of a {self.within}")
        if self.where:
            parts.append(f"where {' and '.join(self.where)}")
        if self.order:
            parts.append(f"by {self.order}")
        return " ".join(parts)

    @property
    def advice(self) -> str:
        """What would make it quick, in one line."""
        if self.labels:
            calls = [f"storage.declare_index({self.kinds[0]!r}, {name!r})" for name in self.labels]
            return f"await {' or await '.join(calls)}"
        return "ask within a session, a thread or one kind, or for fewer records at a time"


def shape_of(query: Query, verb: str) -> Shape:
    """Return the shape of a question, of which nothing was counted yet."""
    within = "thread" if query.thread_id else "session" if query.session_id else ""
    order = ""
    if verb == "scan":
        order = f"{query.order.field}{' descending' if query.order.descending else ''}"
    return Shape(
        verb=verb,
        space=query.space,
        kinds=tuple(sorted(set(query.kinds))),
        within=within,
        where=tuple(_told(part) for part in query.where),
        order=order,
        labels=indexable(query, order=query.order if verb == "scan" else None),
    )


def indexable(query: Query, *, order: Order | None) -> tuple[str, ...]:
    """Return the labels of which an index would answer a query, the best one first.

    `PARTIAL` is not told: whoever declares an index of metadata gets one of it.
    """
    names = [label_of(condition) for part in leads(query) for condition in part]
    if order is not None and order.field.startswith(LABEL) and _is_of_one_kind(query):
        names.append(order.field[len(LABEL) :])
    return tuple(name for name in dict.fromkeys(names) if name != PARTIAL)


def leads(query: Query) -> tuple[tuple[Condition, ...], ...]:
    """Return the parts of a query by which indexes of labels find what matches, the best first.

    Each has the conditions of which one must hold, so that an index is needed of every label.
    There are none where the query stays in a session or a thread, asks for ids, or for more than
    one kind of one space: there is an index for those already, or there can be none.
    """
    if not _is_of_one_kind(query):
        return ()
    parts = [part.conditions if isinstance(part, AnyOf) else (part,) for part in query.where]
    if any(len(part) == 1 and part[0].field == "id" and part[0].op in _IDS for part in parts):
        return ()
    found = [part for part in parts if all(map(_finds, part))]
    found.sort(key=lambda part: any(condition.op != "eq" for condition in part))
    return tuple(found)


def label_of(condition: Condition) -> str:
    """Return the label that a condition is about."""
    return condition.field[len(LABEL) :]


def _is_of_one_kind(query: Query) -> bool:
    parent = query.thread_id or query.session_id
    return query.space is not None and not parent and len(set(query.kinds)) == 1


def _finds(condition: Condition) -> bool:
    """Tell whether a condition asks for values of a label, which an index has in their place."""
    is_label = condition.field.startswith(LABEL)
    return is_label and condition.op in FINDING and condition.value is not None


def _told(part: Condition | AnyOf) -> str:
    if isinstance(part, AnyOf):
        return f"({' or '.join(_told(one) for one in part.conditions)})"
    return f"{part.field} {part.op}"
