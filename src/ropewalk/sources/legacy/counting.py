"""Count what is there without building any of it: the pieces of an inventory, and their sum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TypeAlias

from ...domain.source import MAX_PROBLEMS, FormatCount, Inventory, Problem, SourceItem
from ..lines import read_lines
from ..pump import Steps
from .agents import Agents
from .blobs import STORES, Origin
from .checkpoints import Checkpoints
from .history import OTHER, History, kind_of, stranger
from .older import Older
from .recoveries import KIND as RECOVERED
from .recoveries import Recoveries
from .survey import (
    API_HISTORY,
    CHECKPOINTS,
    GRAPHS,
    HISTORY,
    READ,
    RECOVERY,
    SESSION,
    THREAD,
    Found,
)
from .visit import Visit

Piece: TypeAlias = FormatCount | Problem | Mapping[str, int]
"""A part of the inventory: a format, a problem, or how many items there are of which kind."""


def count(visit: Visit, sights: Steps[Found | Problem]) -> Steps[Piece]:
    """Go through the pieces of the inventory of what was sighted."""
    for sight in sights:
        if sight is None or isinstance(sight, Problem):
            yield sight
        elif sight.format not in {HISTORY, API_HISTORY, CHECKPOINTS, RECOVERY}:
            yield _format(sight)
            if sight.format in {SESSION, THREAD}:
                yield {sight.format: 1, **sight.parts}
    yield from _older(visit)
    for found in History(visit).months():
        yield from _lines(found)
    for found in visit.of(RECOVERY):
        yield from _recoveries(visit, found)
    yield from _rows(visit)


def _format(found: Found) -> FormatCount:
    return FormatCount(
        format=found.format,
        files=1,
        items=found.items,
        size=found.size,
        read=found.format in READ,
    )


def _older(visit: Visit) -> Steps[Piece]:
    older, kinds = Older(visit), Counter[str]()
    for finding in chain(older.read(), older.read_events(), Agents(visit).read()):
        if isinstance(finding, SourceItem):
            kinds[finding.kind] += 1
            yield None
        else:
            yield finding if isinstance(finding, Problem) else None
    yield kinds


def _lines(found: Found) -> Steps[Piece]:
    kinds = Counter[str]()
    for line in read_lines(found.path, found.place):
        if isinstance(line, Problem):
            yield line
        elif (kind := kind_of(line)) is None and found.format != API_HISTORY:
            yield stranger(line)
        else:
            kinds[OTHER if kind is None else kind.value] += 1
            yield None
    yield kinds
    yield _format(replace(found, items=kinds.total()))


def _recoveries(visit: Visit, found: Found) -> Steps[Piece]:
    items = 0
    for finding in Recoveries(replace(visit, files=[found])).read():
        items += isinstance(finding, SourceItem)
        yield finding if isinstance(finding, Problem) else None
    yield {RECOVERED: items}
    yield _format(replace(found, items=items))


def _rows(visit: Visit) -> Steps[Piece]:
    for sight in Checkpoints(visit).index():
        yield sight if isinstance(sight, Problem) else None
    for store, found in enumerate(visit.of(CHECKPOINTS)):
        counts = visit.register.count_checkpoints(store)
        stored = sum(n for origin, n in counts.items() if Origin(origin) in STORES)
        graphs = sum(counts.values()) - stored
        yield {"checkpoint": stored}
        if stored or not graphs:
            yield _format(replace(found, items=stored))
        if graphs:
            size = 0 if stored else found.size
            yield _format(replace(found, format=GRAPHS, items=graphs, size=size))


@dataclass(slots=True)
class Sum:
    """Adds up the pieces of an inventory."""

    _kinds: Counter[str] = field(default_factory=Counter[str])
    _formats: dict[str, FormatCount] = field(default_factory=dict[str, FormatCount])
    _problems: list[Problem] = field(default_factory=list[Problem])
    _problem_count: int = 0

    def add(self, piece: Piece) -> None:
        """Add one piece."""
        if isinstance(piece, Problem):
            self._problem_count += 1
            if len(self._problems) < MAX_PROBLEMS:
                # Only reading tells what stands there: a thousand of these may be long.
                self._problems.append(replace(piece, raw=None))
        elif isinstance(piece, FormatCount):
            known = self._formats.get(piece.format)
            self._formats[piece.format] = piece if known is None else _both(known, piece)
        else:
            self._kinds.update(piece)

    def inventory(self, place: str) -> Inventory:
        """Return the inventory of everything added."""
        return Inventory(
            place=place,
            kinds={kind: number for kind, number in sorted(self._kinds.items()) if number},
            formats=tuple(self._formats[name] for name in sorted(self._formats)),
            problems=tuple(self._problems),
            problem_count=self._problem_count,
        )


def _both(left: FormatCount, right: FormatCount) -> FormatCount:
    return replace(
        left,
        files=left.files + right.files,
        items=left.items + right.items,
        size=left.size + right.size,
    )
