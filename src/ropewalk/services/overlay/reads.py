"""`Reads`: what a unit of work has seen of the store below, to be found the same at its end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from ...domain.change import ABSENT, Check
from ...domain.errors import Conflict
from ...domain.seen import Counted, Seen, Sight, sight
from ...stores.trees import DICTIONARY, NODE

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from ...domain.query import Query
    from ...domain.record import Key, Record

STALE: Final = "stale"
"""The code of a conflict within a unit of work: only the whole unit can be run again."""

TIMELESS: Final = frozenset({NODE, DICTIONARY})
"""Kinds whose ids say what the records hold: a unit that read one need not expect anything."""


@dataclass(slots=True)
class Listing:
    """One list on its way: what has come of it so far.

    It is noted record by record, because whoever reads a list may leave it without a word.
    """

    query: Query
    found: list[Sight] = field(default_factory=list[Sight])
    is_ended: bool = False

    def note(self, record: Record) -> None:
        """Take down the next record of the store below."""
        self.found.append(sight(record))

    @property
    def seen(self) -> Seen | None:
        """What of the list has been seen; `None` where nothing has come of it yet."""
        count, limit = len(self.found), self.query.limit
        is_whole = self.is_ended and (limit is None or count < limit)
        if not is_whole and not count:
            return None
        query = replace(self.query, limit=None if is_whole else count, bodies=False)
        return Seen(query, tuple(self.found))


class Reads:
    """Records by their keys, lists and tallies, as the store below gave them.

    Those of a unit within a unit know what the outer one has read, and become part of it by
    `absorb`, or are dropped.
    """

    def __init__(self, outer: Reads | None = None) -> None:
        """Begin with nothing but what `outer` knows."""
        self._outer = outer
        self._records: dict[Key, Record | None] = {}
        self._asked: set[Key] = set()
        self._listings: list[Listing] = []
        self._counted: list[Counted] = []
        self._moments = 0

    def knows(self, key: Key, *, bodies: bool) -> bool:
        """Tell whether a record was read already, with its body if that is wanted."""
        if key in self._records:
            record = self._records[key]
            return record is None or not bodies or record.body is not None
        return self._outer is not None and self._outer.knows(key, bodies=bodies)

    def get(self, key: Key) -> Record | None:
        """Return a record that was read: `None` where it was absent."""
        if key in self._records or self._outer is None:
            return self._records.get(key)
        return self._outer.get(key)

    def ask(self, answers: dict[Key, Record | None]) -> None:
        """Take down the answer to a question for keys: all of one moment."""
        fresh = [
            key for key in answers if key.kind not in TIMELESS and not self.knows(key, bodies=False)
        ]
        for key, record in answers.items():
            self.remember(key, record)
        if fresh:
            self._asked.update(fresh)
            self._moments += 1

    def remember(self, key: Key, record: Record | None) -> None:
        """Keep a record as it was seen first; raise `Conflict` where it is another by now."""
        if key.kind in TIMELESS:
            self._records[key] = record
            return
        if self.knows(key, bodies=False):
            known = self.get(key)
            if (known and sight(known)) != (record and sight(record)):
                message = (
                    f"{key} was changed by somebody else during this unit of work; run it again"
                )
                actual = record.version if record else ABSENT
                raise Conflict(message, code=STALE, key=key, actual=actual)
            if known is None or known.body is not None:
                return
        self._records[key] = record

    def begin(self, query: Query) -> Listing:
        """Begin to take down a list of the store below."""
        listing = Listing(query)
        if not query.kinds or not TIMELESS.issuperset(query.kinds):
            self._listings.append(listing)
        return listing

    def count(self, counted: Counted) -> None:
        """Take down a tally."""
        self._counted.append(counted)

    def rebase(self, key: Key, present: Record | None) -> None:
        """Let lists expect what stands there of a record: a policy has decided about it."""
        seen = (key, ABSENT, ABSENT) if present is None else sight(present)
        for listing in self._listings:
            listing.found = [seen if one[0] == key else one for one in listing.found]

    def forget(self, key: Key) -> None:
        """Expect nothing of a record by itself any more: somebody else's stands."""
        self._asked.discard(key)

    def hand_over(self) -> None:
        """Make what was read part of what the outer unit has read."""
        if self._outer is not None:
            self._outer.take(
                self._records, self._asked, self._listings, self._counted, moments=self._moments
            )
        self._records, self._asked = {}, set()
        self._listings, self._counted = [], []
        self._moments = 0

    def take(
        self,
        records: Mapping[Key, Record | None],
        asked: Iterable[Key],
        listings: Iterable[Listing],
        counted: Iterable[Counted],
        *,
        moments: int,
    ) -> None:
        """Take over what a unit within this one has read."""
        self._records.update(records)
        self._asked.update(asked)
        self._listings += listings
        self._counted += counted
        self._moments += moments

    @property
    def spans_moments(self) -> bool:
        """Whether what was seen may be of several moments: only an end check makes it one."""
        lists = sum(max(min(len(x.found), 2), int(x.is_ended)) for x in self._listings)
        return self._moments + lists + len(self._counted) > 1

    def seen(self) -> tuple[Seen | Counted, ...]:
        """Return the lists and tallies, each once."""
        parts: dict[tuple[object, ...], Seen | Counted] = {}
        for listing in self._listings:
            part = listing.seen
            if part is not None:
                # Written out, for True == 1 in Python and neither finds the other.
                parts[repr(part.query), part.found] = part
        for counted in self._counted:
            parts[repr(counted),] = counted
        return tuple(parts.values())

    def checks(self, *, without: Container[Key], seen: tuple[Seen | Counted, ...]) -> list[Check]:
        """Return what is expected of single records, but those that `without` or `seen` name."""
        listed = {key for part in seen if isinstance(part, Seen) for key, *_ in part.found}
        return [
            check_of(key, record)
            for key, record in self._records.items()
            if key in self._asked and key not in without and key not in listed
        ]


def check_of(key: Key, record: Record | None) -> Check:
    """Make the check that a record is the one that was read, or is still absent."""
    if record is None:
        return Check(key=key, expect=ABSENT)
    return Check(key=key, expect=record.version, made=record.created_at)
