"""Where records stand: sorted lists by parent and kind."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from heapq import merge
from math import inf
from typing import TypeAlias

from ...domain.cursor import Cursor, Rank, rank
from ...domain.query import Query
from ...domain.record import Key, Record

Name: TypeAlias = tuple[str, str, str]
"""A key in the order of sorting: id, kind, space."""

Place: TypeAlias = tuple[float, str, str, str]
"""Where a record stands in its lists: created_at (an int, in stored places), then its name."""

_Shelf: TypeAlias = tuple[str, str, str]
"""Whose records: "space", "session" or "thread", then the space, then the parent's id."""


def lists_of(record: Record) -> tuple[_Shelf, ...]:
    """Return whose lists a record may stand on."""
    space = record.key.space
    return (
        ("space", space, ""),
        ("session", space, record.session_id or ""),
        ("thread", space, record.thread_id or ""),
    )


class Index:
    """The places of all records, sorted, in one list for each parent and kind.

    A parent's id is never empty, so the empty one stands for "none" and is not listed.
    """

    def __init__(self) -> None:
        self._shelves: dict[_Shelf, dict[str, list[Place]]] = {}
        self._spaces: dict[str, int] = {}

    def __len__(self) -> int:
        """Count the spaces, sessions and threads that have records."""
        return len(self._shelves)

    def add(self, record: Record) -> None:
        """List a record that is not listed yet."""
        place = place_of(record)
        self._spaces[record.key.space] = self._spaces.get(record.key.space, 0) + 1
        for shelf in _named(record):
            places = self._shelves.setdefault(shelf, {}).setdefault(record.key.kind, [])
            if not places or places[-1] < place:
                places.append(place)
            else:
                insort(places, place)

    def remove(self, record: Record) -> None:
        """Take a listed record off its lists, and empty lists off their shelves."""
        place = place_of(record)
        for shelf in _named(record):
            kinds = self._shelves[shelf]
            places = kinds[record.key.kind]
            del places[bisect_left(places, place)]
            if not places:
                del kinds[record.key.kind]
            if not kinds:
                del self._shelves[shelf]
        self._spaces[record.key.space] -= 1
        if not self._spaces[record.key.space]:
            del self._spaces[record.key.space]

    def kinds(self, space: str) -> tuple[str, ...]:
        """Return the kinds of which there are records in a space."""
        return tuple(self._shelves.get(("space", space, ""), {}))

    def copied(self, query: Query) -> list[list[Place]]:
        """Return the lists of places that `query` may mean, as they are now.

        A million places are copied in some milliseconds.
        """
        return [places[:] for places in self._lists(query)]

    def after(self, query: Query, position: Place | None, end: Place | None) -> Iterator[Place]:
        """Go through the places between two bounds, in the direction of the query's order."""
        descending = query.order.descending
        low, high = (end, position) if descending else (position, end)
        parts: list[Iterator[Place]] = []
        for places in self._lists(query):
            begin = 0 if low is None else bisect_right(places, low)
            stop = len(places) if high is None else bisect_left(places, high)
            steps = range(stop - 1, begin - 1, -1) if descending else range(begin, stop)
            if steps:
                parts.append(map(places.__getitem__, steps))
        return parts[0] if len(parts) == 1 else merge(*parts, reverse=descending)

    def _lists(self, query: Query) -> Iterator[list[Place]]:
        spaces = self._spaces if query.space is None else (query.space,)
        for space in spaces:
            kinds = self._shelves.get(_narrowest(query, space), {})
            for kind in dict.fromkeys(query.kinds) if query.kinds else kinds:
                if kind in kinds:
                    yield kinds[kind]


def _named(record: Record) -> Iterator[_Shelf]:
    return (shelf for shelf in lists_of(record) if shelf[0] == "space" or shelf[2])


def _narrowest(query: Query, space: str) -> _Shelf:
    if query.thread_id is not None:
        return "thread", space, query.thread_id
    if query.session_id is not None:
        return "session", space, query.session_id
    return "space", space, ""


def name_of(key: Key) -> Name:
    """Return what a record is found by."""
    return key.id, key.kind, key.space


def place_of(record: Record) -> Place:
    """Return where a record stands in its lists."""
    return record.created_at, *name_of(record.key)


def bound(cursor: Cursor) -> Place:
    """Return the place of a cursor among records sorted by time, which is a number."""
    kind, value = rank(cursor.value)
    if kind is not Rank.NUMBER:
        value = inf if kind > Rank.NUMBER else -inf
    assert not isinstance(value, str)  # noqa: S101 (a text has a greater rank)
    return value, cursor.id, cursor.kind, cursor.space
