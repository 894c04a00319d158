"""The headers of all records in memory, and sorted lists by parent and kind."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from itertools import chain, islice
from operator import itemgetter
from typing import Final, TypeAlias, cast

from ...domain.cursor import SortKey, rank
from ...domain.declared import DECLARED, declared_by
from ...domain.query import Query, cursor_of
from ...domain.record import Key, Record
from ...domain.tally import Tally, tally_records
from ..lists import LabelLists
from .format import Header

Place: TypeAlias = tuple[int, str, str, str, Key]
"""Where a record stands in a list: created_at, id, kind, space; no two agree in these."""

Name: TypeAlias = tuple[str, str, str]
"""What a header is found by: id, kind, space. A key would hash itself in Python at each look."""

_NAME: Final = cast("Callable[[Place], Name]", itemgetter(slice(1, 4)))
"""Take the name out of a place."""

_Shelf: TypeAlias = dict[tuple[str, str], list[Place]]
"""A list for each (space, kind)."""


class Index:
    """Answer which records a query may mean without looking at all the others.

    A page of a session, a thread or a kind in the order of `created_at` costs what is on it; other
    orders sort what is listed under the parent.
    """

    def __init__(self, headers: Iterable[Header] = ()) -> None:
        self._headers: dict[Name, Header] = {}
        self._all: _Shelf = {}
        self._sessions: dict[str, _Shelf] = {}
        self._threads: dict[str, _Shelf] = {}
        self._labels = LabelLists()
        for header in headers:
            self._headers[_name(header.record.key)] = header
            for shelf in self._shelves(header.record):
                _list_in(shelf, header.record).append(_place(header.record))
        for shelf in (self._all, *self._sessions.values(), *self._threads.values()):
            for places in shelf.values():
                places.sort()
        for (_, kind), places in self._all.items():
            for place in places if kind == DECLARED else ():
                self._follow(self._headers[_NAME(place)].record)

    def __len__(self) -> int:
        """Count the records, expired ones included."""
        return len(self._headers)

    def get(self, key: Key) -> Header | None:
        """Return the header under a key."""
        return self._headers.get((key.id, key.kind, key.space))

    def put(self, header: Header) -> None:
        """Keep a header in the place of the one before it."""
        record = header.record
        name = _name(record.key)
        old = self._headers.get(name)
        if old is None or _lies(old.record) != _lies(record):
            self.remove(record.key)
            for shelf in self._shelves(record):
                insort(_list_in(shelf, record), _place(record))
            self._labels.add(record)
        elif old.record.labels != record.labels:
            self._labels.remove(old.record)
            self._labels.add(record)
        self._headers[name] = header
        self._follow(record)

    def remove(self, key: Key) -> None:
        """Forget a key; one that is not there is no error."""
        old = self._headers.pop(_name(key), None)
        if old is None:
            return
        record = old.record
        self._labels.remove(record)
        declared = declared_by(record)
        if declared is not None:
            self._labels.drop(record.key.space, declared)
        for shelf in self._shelves(record):
            places = _list_in(shelf, record)
            del places[bisect_left(places, _place(record))]
            if not places:
                del shelf[record.key.space, record.key.kind]
        for parents, parent in self._parents(record):
            if not parents[parent]:
                del parents[parent]

    def candidates(self, query: Query) -> Iterator[Record]:
        """Go through the headers that `query` may mean, in no order and without its cursors."""
        named: Iterable[str] | None = query.named_ids()
        if named is None:
            named = self._labels.found(query)
        if named is not None and query.space is not None:
            return self._named(query.space, query.kinds, named)
        names = map(_NAME, chain.from_iterable(self._lists(query)))
        return (self._headers[name].record for name in names)

    def walk(self, query: Query) -> Iterator[Key]:
        """Go through the keys that `query` may mean, in its order and between its cursors.

        The iterator reads the lists as they are: empty it before they change.
        """
        order = query.order
        if self._labels.has_order(query):
            space, kind = query.space or "", query.kinds[0]
            return (Key(space, kind, id) for id in self._labels.ordered(query))
        known = query.named_ids() is not None or self._labels.helps(query)
        if order.field == "created_at" and not known:
            parts = [_part(places, query) for places in self._lists(query)]
            places = parts[0] if len(parts) == 1 else merge(*parts, reverse=order.descending)
            return (place[4] for place in places)
        found = [
            (cursor_of(record, order).key, record.key)
            for record in self.candidates(query)
            if query.within(record)
        ]
        found.sort(key=lambda pair: pair[0], reverse=order.descending)
        return (key for _, key in found)

    def answer(self, query: Query, now: int) -> Iterator[Record]:
        """Go through the headers that `query` means at `now`, in its order, up to its limit.

        Empty the iterator before the lists change.
        """
        records = (self._headers[_name(key)].record for key in self.walk(query))
        return islice((r for r in records if query.matches(r, now)), query.limit)

    def tally(
        self, query: Query, sums: Sequence[str], group_by: Sequence[str], *, now: int
    ) -> list[Tally]:
        """Count what `query` means at `now`, its limit aside, and add up labels."""
        meant: Iterator[Record] = (r for r in self.candidates(query) if query.matches(r, now))
        if query.after is not None or query.until is not None:
            meant = filter(query.within, meant)
        return tally_records(meant, sums, group_by)

    def _follow(self, record: Record) -> None:
        """Make the list that a record declares, if it declares any."""
        declared = declared_by(record)
        if declared is not None:
            places = self._all.get((record.key.space, declared.kind), [])
            held = (self._headers[_NAME(place)].record for place in places)
            self._labels.declare(record.key.space, declared, held)

    def _named(self, space: str, kinds: Sequence[str], named: Iterable[str]) -> Iterator[Record]:
        """Look ids up under each kind, instead of going through all records for them."""
        there = [kind for place, kind in self._all if place == space]
        chosen = [kind for kind in there if not kinds or kind in kinds]
        for id_ in named:
            for kind in chosen:
                header = self._headers.get((id_, kind, space))
                if header is not None:
                    yield header.record

    def _lists(self, query: Query) -> Iterator[list[Place]]:
        if query.thread_id is not None:
            shelf = self._threads.get(query.thread_id, {})
        elif query.session_id is not None:
            shelf = self._sessions.get(query.session_id, {})
        else:
            shelf = self._all
        if query.space is not None and query.kinds:
            for kind in dict.fromkeys(query.kinds):
                if (query.space, kind) in shelf:
                    yield shelf[query.space, kind]
            return
        for (space, kind), places in shelf.items():
            if query.space in (None, space) and (not query.kinds or kind in query.kinds):
                yield places

    def _shelves(self, record: Record) -> Iterator[_Shelf]:
        yield self._all
        for parents, parent in self._parents(record):
            yield parents.setdefault(parent, {})

    def _parents(self, record: Record) -> Iterator[tuple[dict[str, _Shelf], str]]:
        if record.session_id is not None:
            yield self._sessions, record.session_id
        if record.thread_id is not None:
            yield self._threads, record.thread_id


def _name(key: Key) -> Name:
    return key.id, key.kind, key.space


def _list_in(shelf: _Shelf, record: Record) -> list[Place]:
    return shelf.setdefault((record.key.space, record.key.kind), [])


def _place(record: Record) -> Place:
    key = record.key
    return record.created_at, key.id, key.kind, key.space, key


def _lies(record: Record) -> tuple[int, str | None, str | None]:
    return record.created_at, record.session_id, record.thread_id


def _sort_key(place: Place) -> SortKey:
    return rank(place[0]), *place[1:4]


def _part(places: list[Place], query: Query) -> Iterator[Place]:
    """Go through the stretch of a list between the cursors of `query`, in its direction."""
    low, high = query.after, query.until
    if query.order.descending:
        low, high = high, low
    begin = 0 if low is None else bisect_right(places, low.key, key=_sort_key)
    stop = len(places) if high is None else bisect_left(places, high.key, key=_sort_key)
    steps = range(begin, stop)
    return map(places.__getitem__, reversed(steps) if query.order.descending else steps)
