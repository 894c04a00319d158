"""What a unit of work has seen of many records at once, to be found the same at its commit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from .errors import Conflict, Invalid

if TYPE_CHECKING:
    from .query import Query
    from .record import Key, Record
    from .tally import Tally

MAX_SEEN_RECORDS: Final = 100_000
"""How many records the lists of one batch may name."""


Sight: TypeAlias = "tuple[Key, int, int]"
"""One record of a list: its key, its version, and when it was created (microseconds)."""


def sight(record: Record) -> Sight:
    """Return what is remembered of a record on a list."""
    return record.key, record.version, record.created_at


@dataclass(frozen=True, slots=True)
class Seen:
    """A list as it was read: the query, and what is remembered of each record, in order.

    Where the reading stopped before the end, `query.limit` is the number that was read: what
    comes behind was not seen and may change. Otherwise it is the whole answer, which may not
    have become longer either.
    """

    query: Query
    found: tuple[Sight, ...]

    def check(self, records: Iterable[Record]) -> None:
        """Raise `Conflict` unless `records`, the present answer, are the ones that were seen.

        The error names the first record that differs. `records` need not have bodies.
        """
        present = iter(records)
        for key, version, made in self.found:
            record = next(present, None)
            if record is None or record.key != key:
                raise self._changed(key if record is None else record.key)
            if record.version != version or record.created_at != made:
                raise self._changed(key)
        if self.query.limit is None or len(self.found) < self.query.limit:
            more = next(present, None)
            if more is not None:
                raise self._changed(more.key)

    def _changed(self, key: Key) -> Conflict:
        message = (
            f"a list of {_named(self.query)} would come out differently by now ({key} came, went, "
            "moved or was changed): run this unit of work again"
        )
        return Conflict(message, code="phantom", key=key)

    @property
    def again(self) -> Query:
        """The query whose answer `check` needs: without bodies, and one record behind the end."""
        limit = self.query.limit
        if limit is None:
            limit = len(self.found) + 1
        return replace(self.query, bodies=False, limit=limit)


@dataclass(frozen=True, slots=True)
class Counted:
    """A tally as it was answered."""

    query: Query
    sums: tuple[str, ...]
    group_by: tuple[str, ...]
    rows: tuple[Tally, ...]

    def check(self, rows: Sequence[Tally]) -> None:
        """Raise `Conflict` unless `rows`, the present answer, is the one that was given."""
        if tuple(rows) != self.rows:
            message = (
                f"a tally of {_named(self.query)} would come out differently by now: run this "
                "unit of work again"
            )
            raise Conflict(message, code="phantom", kinds=self.query.kinds)


def check_seen(seen: Sequence[Seen | Counted]) -> None:
    """Raise `Invalid` where the lists of one batch name more records than can be checked."""
    total = sum(len(part.found) if isinstance(part, Seen) else len(part.rows) for part in seen)
    if total > MAX_SEEN_RECORDS:
        message = (
            f"this unit of work has listed {total} records; at most {MAX_SEEN_RECORDS} "
            "(max_seen_records) can be checked at its commit: list less in one unit"
        )
        raise Invalid(message, code="too_many", field="seen", limit="max_seen_records")


def _named(query: Query) -> str:
    kinds = ", ".join(query.kinds) if query.kinds else "records of every kind"
    parents = [
        f"{name} {value!r}"
        for name, value in (("session", query.session_id), ("thread", query.thread_id))
        if value is not None
    ]
    return f"{kinds} of {' and '.join(parents)}" if parents else kinds
