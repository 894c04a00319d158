"""Which transaction must come before which, and why: the dependencies of Adya's graphs.

A. Adya, Weak Consistency (1999), names three: a write that replaces a write (ww), a read of what
was written (wr), and a write that replaces what was read (rw, the anti-dependency), the last two
also for listings. A fourth, time, comes from Herlihy and Wing: an end before a beginning (rt).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from .checker_versions import Install, Versions
from .histories import Fate, Listing, Transaction, Write


class Why(StrEnum):
    """Why one transaction comes before another."""

    WW = "ww"
    WR = "wr"
    RW = "rw"
    RT = "rt"


@dataclass(frozen=True, slots=True)
class Edge:
    """The transaction `before` comes before the transaction `after`."""

    before: int
    after: int
    why: Why
    story: str
    listed: bool = False


Graph = dict[int, list[Edge]]
"""The edges that leave each transaction."""


def dependencies(versions: Versions) -> Graph:
    """Return every dependency between transactions that were done."""
    graph: Graph = defaultdict(list)
    for edge in _all(versions):
        if edge.before != edge.after:
            graph[edge.before].append(edge)
    return graph


def counts(one: Transaction) -> bool:
    """Tell whether a transaction as a whole is promised to be of one moment."""
    return one.fate in (Fate.DONE, Fate.UNKNOWN)


def _all(versions: Versions) -> Iterator[Edge]:
    for key, order in versions.order.items():
        for old, new in pairwise(order):
            story = f"{key}: version {new.new} replaced {old.new}"
            yield Edge(old.by, new.by, Why.WW, story)
    for number, one in enumerate(versions.transactions):
        if one.fate is not Fate.DONE:
            continue
        yield from _of_reads(number, one, versions)
        own: set[str] = set()
        for step in one.steps:
            if isinstance(step, Listing):
                yield from _of_listing(number, step, versions, own)
            elif isinstance(step, Write):
                own.add(step.key)


def _of_reads(number: int, one: Transaction, versions: Versions) -> Iterator[Edge]:
    seen: set[tuple[str, int]] = set()
    for read in one.reads:
        place = versions.find(read, by=number)
        if place is None or (read.key, place) in seen:
            continue
        seen.add((read.key, place))
        order = versions.order.get(read.key, [])
        if place >= 0:
            story = f"{read.key}: read version {read.version}"
            yield Edge(order[place].by, number, Why.WR, story)
        if place + 1 < len(order):
            new = order[place + 1]
            story = f"{read.key}: read version {read.version}, which version {new.new} replaced"
            yield Edge(number, new.by, Why.RW, story)


def _of_listing(number: int, listing: Listing, versions: Versions, own: set[str]) -> Iterator[Edge]:
    """Yield what follows from a key that is not on the list: it did not belong there then."""
    found = {read.key for read in listing.found}
    until = versions.transactions[number].returned
    for key, order in versions.order.items():
        if key in found or key in own:
            continue
        # The last time it did not belong, as far as the listing can have seen.
        last = -1
        for place, made in enumerate(order):
            begun = versions.transactions[made.by].called
            if not _belongs(made, listing) and (until is None or begun < until):
                last = place
        coming = order[last + 1] if last + 1 < len(order) else None
        if coming is not None and _belongs(coming, listing):
            story = f"{key}: was not listed under {listing.tag!r}, where version {coming.new} is"
            yield Edge(number, coming.by, Why.RW, story, listed=True)


def _belongs(made: Install, listing: Listing) -> bool:
    return made.value is not None and made.tag == listing.tag


def in_time(transactions: Sequence[Transaction]) -> Iterator[Edge]:
    """Yield an edge from each end to what began after it, without those that follow from others."""
    moments = sorted(
        (time, kind, number)
        for number, one in enumerate(transactions)
        if counts(one)
        for kind, time in ((1, one.called), (0, one.returned))
        if time is not None
    )
    over: dict[int, None] = {}
    before: dict[int, tuple[int, ...]] = {}
    for _, kind, number in moments:
        if kind:
            before[number] = tuple(over)
            for other in over:
                yield Edge(other, number, Why.RT, "ended before the other began")
        else:
            for other in before.get(number, ()):
                over.pop(other, None)
            over[number] = None
