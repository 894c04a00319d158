"""`Contents`: the records of a store in memory, and where they are found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from heapq import nlargest, nsmallest
from itertools import chain, islice
from operator import itemgetter
from types import MappingProxyType
from typing import Final, cast

from ...domain.change import Change, Delete
from ...domain.cursor import Cursor
from ...domain.declared import declared_by
from ...domain.effect import Effect, Stamp
from ...domain.paging import Portion
from ...domain.query import Query
from ...domain.record import NO_LABELS, Key, Record
from ..lists import LabelLists
from .moment import Moment
from .places import Index, Name, Place, bound, lists_of, name_of, place_of

_NAME: Final = cast("Callable[[Place], Name]", itemgetter(slice(1, None)))
"""Take the name out of a place: of thousands at once, and so without a call for each."""

PAGE: Final = 64
"""So many records are on a page at most: whoever opens them all does so in one turn."""

LOOKS: Final = 512
"""So many places are looked at for one page."""


class Contents:
    """Dictionaries and sorted lists, one caller at a time: whoever calls holds the store's lock."""

    def __init__(self) -> None:
        """Begin empty."""
        self._records: dict[Name, Record] = {}
        self._index = Index()
        self._lists = LabelLists()
        self._moments: list[Moment] = []

    def __len__(self) -> int:
        """Count the records, expired ones included."""
        return len(self._records)

    @property
    def parents(self) -> int:
        """How many spaces, sessions and threads have records."""
        return len(self._index)

    def live(self, key: Key, now: int) -> Record | None:
        """Return the record under a key unless it has expired."""
        record = self._records.get(name_of(key))
        return record if record is not None and record.is_live(now) else None

    def stamp(self, key: Key, now: int) -> Stamp | None:
        """Return what a decision about a key needs to know."""
        record = self.live(key, now)
        return None if record is None else Stamp(record.version, record.created_at, record.labels)

    def perform(self, change: Change, effect: Effect, record: Record | None, now: int) -> None:
        """Do what was decided; `record` is the one to be written."""
        name = name_of(change.key)
        if record is not None:
            self._store(record)
        elif effect.action == "raise":
            old = self._records[name]
            self._store(replace(old, version=effect.version, updated_at=now))
        elif isinstance(change, Delete) and (effect.action == "delete" or effect.previous == 0):
            # What has expired goes as well.
            self._remove(name)

    def page(self, query: Query, now: int) -> Portion | None:
        """Return the first records of an answer; `None` where its order is that of no list."""
        if query.limit == 0:
            return Portion((), None)
        if query.named_ids() is not None:
            return None if query.space is None else self._named_page(query, now)
        if query.order.field != "created_at" or self._lists.helps(query):
            return None
        most = PAGE if query.limit is None else min(PAGE, query.limit)
        after = None if query.after is None else bound(query.after)
        until = None if query.until is None else bound(query.until)
        found: list[Record] = []
        places = islice(self._index.after(query, after, until), LOOKS)
        for looks, place in enumerate(places, start=1):
            record = self._records[place[1:]]
            if query.matches(record, now):
                found.append(shown(record, query))
            if len(found) == most or looks == LOOKS:
                left = None if query.limit is None else query.limit - len(found)
                rest = replace(query, after=_cursor(record), limit=left) if left != 0 else None
                return Portion(found, rest)
        return Portion(found, None)

    def candidates(self, query: Query) -> Iterator[Record]:
        """Go through the records that a query may mean, in no order and without its cursors."""
        found = map(self._records.get, self._names(query))
        return (record for record in found if record is not None)

    def ordered(self, query: Query) -> Iterator[Name] | None:
        """Return what a declared index has in the order of a query, `None` where none has it.

        The names are those of this moment; the records are to be looked up when it is their turn.
        """
        if not self._lists.has_order(query):
            return None
        kind, space = query.kinds[0], query.space or ""
        return ((id, kind, space) for id in self._lists.ordered(query))

    def look(self, name: Name) -> Record | None:
        """Return what is under a name now."""
        return self._records.get(name)

    def begin(self, asked: Query | Sequence[Key]) -> Moment:
        """Hold on to this moment, for what a query may mean or for some keys; `end` lets it go."""
        names = self._names(asked) if isinstance(asked, Query) else map(name_of, asked)
        moment = Moment(self._records, names)
        self._moments.append(moment)
        return moment

    def end(self, moment: Moment) -> None:
        """Let go of a moment."""
        self._moments.remove(moment)

    def _named_page(self, query: Query, now: int) -> Portion | None:
        """Return all that has one of a few ids."""
        names = list(islice(self._names(query), PAGE + 1))
        if len(names) > PAGE:
            return None
        records = [self._records[name] for name in names if name in self._records]
        meant = [r for r in records if query.matches(r, now) and query.within(r)]
        return Portion([shown(record, query) for record in first(query, meant)], None)

    def _names(self, query: Query) -> Iterator[Name]:
        """Return the names that `query` may mean: made of ids where it or a list names some.

        What the iterator goes through is a copy, and does not change with the records.
        """
        named: Iterable[str] | None = query.named_ids()
        if named is None:
            named = self._lists.found(query)
        if named is not None and query.space is not None:
            space = query.space
            kinds = tuple(dict.fromkeys(query.kinds)) or self._index.kinds(space)
            return ((id, kind, space) for id in named for kind in kinds)
        return map(_NAME, chain.from_iterable(self._index.copied(query)))

    def _store(self, record: Record) -> None:
        name = name_of(record.key)
        old = self._records.get(name)
        if old is None or lists_of(old) != lists_of(record) or place_of(old) != place_of(record):
            self._remove(name)
            self._index.add(record)
            self._lists.add(record)
        elif old.labels != record.labels:
            self._lists.remove(old)
            self._lists.add(record)
        self._keep(name, old)
        self._records[name] = record
        declared = declared_by(record)
        if declared is not None:
            asked = Query(space=record.key.space, kinds=(declared.kind,))
            self._lists.declare(record.key.space, declared, self.candidates(asked))

    def _remove(self, name: Name) -> None:
        old = self._records.pop(name, None)
        if old is not None:
            self._keep(name, old)
            self._index.remove(old)
            self._lists.remove(old)
            declared = declared_by(old)
            if declared is not None:
                self._lists.drop(old.key.space, declared)

    def _keep(self, name: Name, old: Record | None) -> None:
        for moment in self._moments:
            moment.keep(name, old)


def first(query: Query, within: Sequence[Record]) -> list[Record]:
    """Return the first records of those that a query means, in its order, as many as it wants."""
    pick = nlargest if query.order.descending else nsmallest
    count = len(within) if query.limit is None else query.limit
    return pick(count, within, key=lambda record: query.cursor(record).key)


def shown(record: Record, query: Query) -> Record:
    """Return a record as a query wants to see it."""
    return record if query.bodies else header(record)


def header(record: Record) -> Record:
    """Return a record without its body."""
    return Record.trusted(
        record.key,
        record.version,
        times=(record.created_at, record.updated_at),
        parents=(record.session_id, record.thread_id),
        labels=record.labels,
        letter=(None, record.seal),
        expires_at=record.expires_at,
    )


def isolated(record: Record | None) -> Record | None:
    """Return the record with labels of its own, which the caller can no longer change."""
    if record is None:
        return None
    labels = MappingProxyType(dict(record.labels)) if record.labels else NO_LABELS
    return replace(record, labels=labels)


def _cursor(record: Record) -> Cursor:
    key = record.key
    return Cursor(record.created_at, key.id, key.kind, key.space)
