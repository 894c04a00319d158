"""Lists of records sorted by a label, for back ends that keep headers in memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final, TypeAlias

from ..domain.cursor import Rank, Ranked, rank
from ..domain.declared import DeclaredIndex
from ..domain.labels import Label
from ..domain.query import LABEL, Condition, Query
from ..domain.record import Record
from ..domain.shape import indexable, label_of, leads

_Entry: TypeAlias = tuple[Ranked, str]
"""What a record has under the label, absent ones included, and its id."""

_LAST: Final = "\U0010ffff"


class LabelLists:
    """For each declared index the ids of its records, sorted by the label and then by id."""

    def __init__(self) -> None:
        self._lists: dict[tuple[str, str], dict[str, list[_Entry]]] = {}

    def declare(self, space: str, index: DeclaredIndex, records: Iterable[Record]) -> None:
        """Make a list of `records`, all there are of the kind, unless there is one."""
        lists = self._lists.setdefault((space, index.kind), {})
        if index.label not in lists:
            lists[index.label] = sorted(_entry(record, index.label) for record in records)

    def drop(self, space: str, index: DeclaredIndex) -> None:
        """Forget a list; one that is not there is no error."""
        lists = self._lists.get((space, index.kind), {})
        lists.pop(index.label, None)
        if not lists:
            self._lists.pop((space, index.kind), None)

    def add(self, record: Record) -> None:
        """List a record that is not listed yet, wherever it belongs."""
        for label, entries in self._lists.get((record.key.space, record.key.kind), {}).items():
            insort(entries, _entry(record, label))

    def remove(self, record: Record) -> None:
        """Take a listed record off all lists."""
        for label, entries in self._lists.get((record.key.space, record.key.kind), {}).items():
            del entries[bisect_left(entries, _entry(record, label))]

    def helps(self, query: Query) -> bool:
        """Tell whether a list finds what a condition of the query means."""
        return self._finding(query) is not None

    def found(self, query: Query) -> Iterator[str] | None:
        """Return the ids among which the answer is, `None` where no list helps to find them.

        They are those of this moment, each once, however long it takes to go through them.
        """
        part = self._finding(query)
        if part is None:
            return None
        lists = self._of(query)
        stretches = [
            stretch
            for condition in part
            for stretch in _stretches(lists[label_of(condition)], condition)
        ]
        ids = (id for _, id in chain.from_iterable(stretches))
        # The stretches of one condition have nothing in common.
        return ids if len(part) == 1 else _distinct(ids)

    def has_order(self, query: Query) -> bool:
        """Tell whether a list has the query's order, and no other is better to find with."""
        name = query.order.field[len(LABEL) :] if query.order.field.startswith(LABEL) else None
        better = self._finding(query)
        return (
            name in self._of(query)
            and name in indexable(query, order=query.order)
            and all(label_of(condition) == name for condition in better or ())
        )

    def ordered(self, query: Query) -> Iterator[str]:
        """Return all ids between the cursors of a query whose order a list has, as they are now."""
        entries = self._of(query).get(query.order.field[len(LABEL) :], [])
        low, high = query.after, query.until
        if query.order.descending:
            low, high = high, low
        names = query.kinds[0], query.space or ""
        begin, end = 0, len(entries)
        if low is not None:
            begin = bisect_right(entries, low.key, key=lambda entry: (*entry, *names))
        if high is not None:
            end = bisect_left(entries, high.key, key=lambda entry: (*entry, *names))
        stretch = entries[begin:end]
        if query.order.descending:
            stretch.reverse()
        return (id for _, id in stretch)

    def _finding(self, query: Query) -> tuple[Condition, ...] | None:
        """Return the best part of a query of which every label has a list."""
        lists = self._of(query)
        parts = leads(query) if lists else ()
        return next((part for part in parts if all(label_of(c) in lists for c in part)), None)

    def _of(self, query: Query) -> dict[str, list[_Entry]]:
        if query.space is None or len(set(query.kinds)) != 1:
            return {}
        return self._lists.get((query.space, query.kinds[0]), {})


def _distinct(ids: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for id in ids:
        if id not in seen:
            seen.add(id)
            yield id


def _entry(record: Record, label: str) -> _Entry:
    return rank(record.labels.get(label)), record.key.id


def _stretches(entries: list[_Entry], condition: Condition) -> Iterator[list[_Entry]]:
    """Go through the stretches of a list that hold what a condition may mean."""
    value = condition.value
    if isinstance(value, tuple):
        for ranked in {rank(one) for one in value}:
            yield _equal(entries, ranked)
    elif condition.op == "eq":
        yield _equal(entries, rank(value))
    elif condition.op == "prefix" and isinstance(value, str):
        low: Ranked = (Rank.TEXT, value)
        high: Ranked = (Rank.TEXT, value + _LAST)
        begin = bisect_left(entries, low, key=_ranked)
        end = bisect_right(entries, high, key=_ranked)
        # What begins with the prefix and the last of all characters lies behind, and is rare.
        while end < len(entries) and str(entries[end][0][1]).startswith(value):
            end += 1
        yield entries[begin:end]
    else:
        yield _range(entries, condition.op, value)


def _equal(entries: list[_Entry], ranked: Ranked) -> list[_Entry]:
    begin = bisect_left(entries, ranked, key=_ranked)
    return entries[begin : bisect_right(entries, ranked, lo=begin, key=_ranked)]


def _range(entries: list[_Entry], op: str, value: Label | None) -> list[_Entry]:
    """Return what is of the value's own type and lies on one side of it."""
    ranked = rank(value)
    begin = bisect_left(entries, ranked[0], key=_type)
    end = bisect_right(entries, ranked[0], key=_type)
    if op in ("gt", "ge"):
        begin = bisect_left(entries, ranked, lo=begin, hi=end, key=_ranked)
    else:
        end = bisect_right(entries, ranked, lo=begin, hi=end, key=_ranked)
    return entries[begin:end]


def _ranked(entry: _Entry) -> Ranked:
    return entry[0]


def _type(entry: _Entry) -> Rank:
    return entry[0][0]
