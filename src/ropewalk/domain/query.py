"""`Query` and its one meaning: which records match, in which order, from which cursor on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeGuard, get_args

from .cursor import Cursor, Rank, rank
from .errors import Invalid
from .labels import Label, check_label
from .limits import MAX_ID_BYTES, MAX_LABEL_NAME_BYTES, check_int64, check_text
from .record import Key, Record, check_name

if TYPE_CHECKING:
    from collections.abc import Iterable

Op: TypeAlias = Literal["eq", "ne", "lt", "le", "gt", "ge", "in", "prefix", "exists"]

TEXT_FIELDS: Final = frozenset({"space", "kind", "id", "session_id", "thread_id"})
NUMBER_FIELDS: Final = frozenset({"version", "created_at", "updated_at", "expires_at"})
_FIELDS: Final = TEXT_FIELDS | NUMBER_FIELDS
_OPS: Final = frozenset(get_args(Op))
SORT_FIELDS: Final = frozenset({"id", "created_at", "updated_at"})
LABEL: Final = "labels."
"""Prefix of a field that is a label: `labels.status`."""


def check_field(name: str, *, allowed: Iterable[str], what: str) -> str:
    """Return `name` if it is one of `allowed` or a label; raise `Invalid` naming it otherwise."""
    if name.startswith(LABEL):
        check_text(
            name[len(LABEL) :],
            field=what,
            limit=MAX_LABEL_NAME_BYTES,
            limit_name="max_label_name_bytes",
        )
    elif name not in allowed:
        known = ", ".join(sorted(allowed))
        message = f"{what} {name!r} is unknown; use labels.<name> or one of: {known}"
        raise Invalid(message, code="unknown_field", field=name)
    return name


@dataclass(frozen=True, slots=True)
class Condition:
    """Compare one field of the header with a value.

    Values of different types never match and never order: `True` is not 1, `"1"` is not 1; an
    int and a float compare as numbers. An absent field is `None`: `eq None` means absent, `ne`
    is the exact opposite of `eq`, and no order holds with `None`. `in` takes a tuple, `prefix`
    a text, `exists` a bool. Raises `Invalid` for an unknown field, operator or value.
    """

    field: str
    op: Op
    value: Label | tuple[Label, ...] | None

    def __post_init__(self) -> None:
        """Refuse a condition that has no meaning."""
        check_field(self.field, allowed=_FIELDS, what="field")
        value = self.value
        if self.op not in _OPS:
            message = f"operator {self.op!r} on {self.field} is unknown; use {get_args(Op)}"
            raise Invalid(message, code="unknown_operator", field=self.field)
        if self.op == "in":
            if not isinstance(value, tuple):
                message = f"'in' on {self.field} needs a tuple of values"
                raise Invalid(message, code="bad_type", field=self.field)
            for item in value:
                check_label(item, field=self.field)
        elif self.op == "exists" and not isinstance(value, bool):
            message = f"'exists' on {self.field} needs True or False"
            raise Invalid(message, code="bad_type", field=self.field)
        elif self.op == "prefix" and not isinstance(value, str):
            message = f"'prefix' on {self.field} needs a text"
            raise Invalid(message, code="bad_type", field=self.field)
        elif value is None:
            if self.op not in ("eq", "ne"):
                message = f"{self.op!r} on {self.field} needs a value, not None"
                raise Invalid(message, code="bad_type", field=self.field)
        else:
            check_label(value, field=self.field)

    def matches(self, record: Record) -> bool:
        """Tell whether the condition holds for the header of `record`."""
        actual = value_of(record, self.field)
        op, wanted = self.op, self.value
        if op == "exists":
            return (actual is not None) == wanted
        if op == "in":
            # Most values are told apart by `==` alone, which is quick; the rest by their types too.
            return (
                isinstance(wanted, tuple)
                and actual in wanted
                and any(_equal(actual, item) for item in wanted)
            )
        if op == "prefix":
            return isinstance(actual, str) and isinstance(wanted, str) and actual.startswith(wanted)
        if op == "eq":
            return _equal(actual, wanted)
        if op == "ne":
            return not _equal(actual, wanted)
        return _ordered(op, actual, wanted)


def _equal(actual: object, wanted: object) -> bool:
    if type(actual) is str and type(wanted) is str:
        return actual == wanted
    return rank(actual) == rank(wanted)


def _ordered(op: str, actual: object, wanted: object) -> bool:
    left, right = rank(actual), rank(wanted)
    if left[0] != right[0] or left[0] not in (Rank.NUMBER, Rank.TEXT):
        return False
    if op == "lt":
        return left < right
    if op == "le":
        return left <= right
    if op == "gt":
        return left > right
    return left >= right


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Hold where at least one of the conditions holds."""

    conditions: tuple[Condition, ...]

    def __post_init__(self) -> None:
        """Refuse an empty choice, which nothing could match."""
        if not self.conditions:
            message = "AnyOf needs at least one condition"
            raise Invalid(message, code="empty", field="conditions")

    def matches(self, record: Record) -> bool:
        """Tell whether any condition holds for the header of `record`."""
        return any(condition.matches(record) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Order:
    """Sort by one field, then by id, kind and space, all in the same direction.

    A label sorts absent first, then bools (False, True), numbers by value, texts by code point.
    """

    field: str = "created_at"
    descending: bool = False

    def __post_init__(self) -> None:
        """Refuse a field that cannot be sorted by."""
        check_field(self.field, allowed=SORT_FIELDS, what="order")


OLDEST_FIRST: Final = Order()
NEWEST_FIRST: Final = Order(descending=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Ask for the live records of a space that fulfil every condition.

    `space` `None` means every space: for backup and migration only. No `kinds` means every kind.
    `after` and `until` are positions in the direction of `order`: the scan begins behind the one
    and ends before the other. `limit` counts records. Without `bodies` the records are headers
    alone. With `expired`, records beyond their `expires_at` are seen as well.
    """

    space: str | None
    kinds: tuple[str, ...] = ()
    session_id: str | None = None
    thread_id: str | None = None
    where: tuple[Condition | AnyOf, ...] = ()
    order: Order = field(default=OLDEST_FIRST)
    after: Cursor | None = None
    until: Cursor | None = None
    limit: int | None = None
    bodies: bool = True
    expired: bool = False

    def __post_init__(self) -> None:
        """Refuse names that no record could have, and a negative limit."""
        if self.space is not None:
            check_name(self.space, field="space")
        if self.session_id is not None:
            check_name(self.session_id, field="session_id")
        if self.thread_id is not None:
            check_name(self.thread_id, field="thread_id")
        for kind in self.kinds:
            check_name(kind, field="kinds")
        if self.limit is not None and check_int64(self.limit, field="limit") < 0:
            message = f"limit must be 0 or more, not {self.limit}"
            raise Invalid(message, code="bad_limit", field="limit")

    def matches(self, record: Record, now: int) -> bool:
        """Tell whether `record` belongs to the answer at `now` (microseconds), cursors aside."""
        # Asked of every record that is gone through in memory: nothing is called without need.
        key, end = record.key, record.expires_at
        return (
            (self.space is None or key.space == self.space)
            and (not self.kinds or key.kind in self.kinds)
            and (self.session_id is None or record.session_id == self.session_id)
            and (self.thread_id is None or record.thread_id == self.thread_id)
            and (end is None or self.expired or end > now)
            and (not self.where or all(condition.matches(record) for condition in self.where))
        )

    def cursor(self, record: Record) -> Cursor:
        """Return the position of `record` in this query's order."""
        return cursor_of(record, self.order)

    def within(self, record: Record) -> bool:
        """Tell whether `record` lies strictly between `after` and `until`."""
        if self.after is None and self.until is None:
            return True
        here = self.cursor(record).key
        if self.order.descending:
            return (self.after is None or here < self.after.key) and (
                self.until is None or here > self.until.key
            )
        return (self.after is None or here > self.after.key) and (
            self.until is None or here < self.until.key
        )

    def named_ids(self) -> tuple[str, ...] | None:
        """Return the ids of which a match must have one, `None` where it may have any.

        A back end that finds records by their keys need not go through the others then.
        """
        for part in self.where:
            if isinstance(part, Condition) and part.field == "id" and part.op in ("eq", "in"):
                if not isinstance(part.value, tuple):
                    return (part.value,) if _may_be_id(part.value) else ()
                return tuple(dict.fromkeys(value for value in part.value if _may_be_id(value)))
        return None

    def only(self, *conditions: Condition | AnyOf) -> Query:
        """Return the same query with more conditions."""
        return replace(self, where=self.where + conditions)


def _may_be_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value.encode()) <= MAX_ID_BYTES


def cursor_of(record: Record, order: Order) -> Cursor:
    """Return the position of `record` in `order`."""
    key = record.key
    return Cursor(value_of(record, order.field), key.id, key.kind, key.space)


def value_of(record: Record, name: str) -> Label | None:
    """Return what the header of `record` holds under a field's name, or `None`."""
    if name.startswith(LABEL):
        return record.labels.get(name[len(LABEL) :])
    if name in Key.__slots__:
        return getattr(record.key, name)  # type: ignore[no-any-return]
    return getattr(record, name)  # type: ignore[no-any-return]
