"""A search over records, split by who can decide it: the header, the labels, the opened letter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from ..domain.cursor import Rank
from ..domain.query import AnyOf, Condition, Query
from .kinds import INNER
from .paths import IS_PARTIAL, NOT_PARTIAL, Steps, compared, label_name, label_value, reach
from .shapes import is_tuple

if TYPE_CHECKING:
    from .letter import Letter

Root: TypeAlias = Literal["metadata", "data"]

Check: TypeAlias = Condition | AnyOf

TermOp: TypeAlias = Literal["eq", "ne", "gt", "ge", "lt", "le", "in", "nin", "exists", "prefix"]

UNSEEN: Final = tuple(Condition("kind", "ne", kind) for kind in sorted(INNER))
"""Leaves out the inner kinds where no kind is named."""


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison of a value inside the letter, with the meaning of `Condition` on a label.

    `in` and `nin` take a tuple of values, `exists` a bool, `prefix` a text.
    """

    root: Root
    steps: Steps
    op: TermOp
    value: object

    def matches(self, letter: Letter) -> bool:
        """Tell whether the opened letter fulfils the comparison."""
        root = letter.metadata if self.root == "metadata" else letter.data
        found, wanted = reach(root, self.steps), self.value
        if self.op == "exists":
            return (found is not None) == wanted
        if self.op == "prefix":
            return isinstance(found, str) and isinstance(wanted, str) and found.startswith(wanted)
        actual = compared(found)
        if self.op in ("eq", "ne"):
            return _equal(actual, wanted) == (self.op == "eq")
        if self.op in ("in", "nin"):
            among = is_tuple(wanted) and any(_equal(actual, item) for item in wanted)
            return among == (self.op == "in")
        return _ordered(self.op, actual, compared(wanted))

    def on_labels(self) -> tuple[tuple[Check, ...], bool]:
        """Return what must hold for the labels of a matching record that is not `PARTIAL`.

        And whether that is enough: a dictionary is a value in the letter but no label, and some
        values fit into no label.
        """
        name = label_name(self.steps)
        if self.root != "metadata" or name is None:
            return (), False
        if self.op == "in" or self.op == "nin":  # noqa: PLR1714 (mypy narrows only this way)
            return _on_list(f"labels.{name}", self.value, negated=self.op == "nin")
        if self.op == "exists" or self.value is None:
            absent = self.value is None and self.op == "eq"
            absent = absent or (self.op == "exists" and self.value is False)
            return ((Condition(f"labels.{name}", "eq", None),) if absent else ()), False
        label = label_value(self.value)
        if label is None:
            return (), False
        return (Condition(f"labels.{name}", self.op, label),), True


def _equal(actual: tuple[int, Any] | None, wanted: object) -> bool:
    return actual is not None and actual == compared(wanted)


def _ordered(op: str, actual: tuple[int, Any] | None, wanted: tuple[int, Any] | None) -> bool:
    if actual is None or wanted is None or actual[0] != wanted[0]:
        return False
    if actual[0] in (Rank.ABSENT, Rank.BOOL):
        return False
    left, right = actual[1], wanted[1]
    if op == "gt":
        return bool(left > right)
    if op == "ge":
        return bool(left >= right)
    if op == "lt":
        return bool(left < right)
    return bool(left <= right)


def _on_list(field: str, values: object, *, negated: bool) -> tuple[tuple[Check, ...], bool]:
    items = values if is_tuple(values) else ()
    labels = tuple(label for item in items if (label := label_value(item)) is not None)
    complete = len(labels) == len(items)
    if negated:
        return tuple(Condition(field, "ne", label) for label in labels), complete
    if complete:
        return (Condition(field, "in", labels),), True
    return (), False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sieve:
    """Which records a caller means.

    `header` holds for the records meant, exactly. `labels` hold for those of them not marked
    `PARTIAL`; where `decided`, for no others. `terms` decide on the opened letter.
    """

    kinds: tuple[str, ...] = ()
    header: tuple[Check, ...] = ()
    labels: tuple[Check, ...] = ()
    terms: tuple[Term, ...] = ()
    decided: bool = True

    def query(self, space: str, *, limit: int | None = None) -> Query:
        """Ask for every record that may match, and for as few others as the engine can tell.

        Where the engine tells nearly everything, it need not look for more than `limit`.
        """
        more = tuple([or_partial(check) for check in self.labels])
        return self._query(space, more, limit=limit if self.decided else None)

    def told(self, space: str) -> Query:
        """Ask for the matching records whose labels tell all; right only where `decided`."""
        return self._query(space, (*self.labels, NOT_PARTIAL))

    def untold(self, space: str) -> Query:
        """Ask for the records that may match and whose labels do not tell all."""
        return self._query(space, (IS_PARTIAL,))

    def _query(self, space: str, more: tuple[Check, ...], *, limit: int | None = None) -> Query:
        checks = self.header + more if self.kinds else UNSEEN + self.header + more
        session_id, checks = _parent("session_id", checks)
        thread_id, checks = _parent("thread_id", checks)
        return Query(
            space=space,
            kinds=self.kinds,
            session_id=session_id,
            thread_id=thread_id,
            where=checks,
            limit=limit,
        )

    def matches(self, letter: Letter) -> bool:
        """Tell whether the letter of a record that `query` found matches."""
        return not self.terms or all(term.matches(letter) for term in self.terms)


def or_partial(check: Check) -> AnyOf:
    """Return a check of metadata labels that lets pass, too, what only the body tells."""
    parts = check.conditions if isinstance(check, AnyOf) else (check,)
    return AnyOf((*parts, IS_PARTIAL))


def _parent(field: str, checks: tuple[Check, ...]) -> tuple[str | None, tuple[Check, ...]]:
    """Take one parent's id out of the checks: back ends keep an index for it."""
    for place, check in enumerate(checks):
        if isinstance(check, Condition) and check.field == field and check.op == "eq":
            value = check.value
            if isinstance(value, str) and value:
                return value, checks[:place] + checks[place + 1 :]
    return None, checks
