"""Draw a history with forks and merges as git does: newest first, one lane for each line."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One thing in the graph: what it continues (more than one: a merge), and when it was made.

    `hidden` marks what is no longer on any line. `at` is in microseconds.
    """

    id: str
    at: int
    parents: tuple[str, ...] = ()
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the drawing; `point` is what stands behind it, if anything does."""

    lead: str
    point: Point | None = None


@dataclass(frozen=True, slots=True)
class Pen:
    """The signs to draw with; `corners` by the sides they lead to: up, down, left, right."""

    point: str
    hidden: str
    down: str
    across: str
    corners: Mapping[tuple[bool, bool, bool, bool], str]


_SIDES: Final = (
    *((True, True, False, True), (True, True, True, False), (True, True, True, True)),
    *((True, False, True, False), (True, False, True, True)),
    *((False, True, True, False), (False, True, True, True)),
)

UNICODE: Final = Pen("●", "○", "│", "─", dict(zip(_SIDES, "├┤┼╯┴╮┬", strict=True)))
ASCII: Final = Pen("*", "o", "|", "-", dict(zip(_SIDES, "||+''..", strict=True)))


def in_order(points: Iterable[Point]) -> list[Point]:
    """Sort points newest first, but none before everything that continues it.

    Kahn's topological sort, with the newest first among those that are free. Clocks that were
    wrong do not matter, and neither do parents that are not among the points. Points that
    continue one another in a circle, which only damage can bring about, come by time alone.
    """
    known = {point.id: point for point in points}
    waiting = Counter(parent for point in known.values() for parent in set(point.parents))
    by_time = sorted(known.values(), key=_rank, reverse=True)
    free = [_rank(point) for point in by_time if not waiting[point.id]]
    heapq.heapify(free)
    ordered: dict[str, Point] = {}
    while by_time:
        point = known[heapq.heappop(free)[-1]] if free else by_time.pop()
        if point.id in ordered:
            continue
        ordered[point.id] = point
        for parent in set(point.parents) & known.keys():
            waiting[parent] -= 1
            if not waiting[parent]:
                heapq.heappush(free, _rank(known[parent]))
    return list(ordered.values())


@dataclass(frozen=True, slots=True)
class _Backwards:
    """A text that sorts from the end."""

    text: str

    def __lt__(self, other: _Backwards) -> bool:
        return other.text < self.text


def _rank(point: Point) -> tuple[int, _Backwards, str]:
    return -point.at, _Backwards(point.id), point.id


@dataclass(slots=True)
class _Lanes:
    """Which point each lane leads to, from left to right; `None` where a lane is free."""

    pen: Pen
    to: list[str | None] = field(default_factory=list["str | None"])
    ended: int | None = None

    def leading_to(self, id: str) -> list[int]:
        return [index for index, target in enumerate(self.to) if target == id]

    def free(self, start: int = 0) -> int:
        """Return the first free lane from `start` on, a new one if there is none.

        Not the one that has just ended: what begins right below would seem to continue it.
        """
        for index in range(start, len(self.to)):
            if self.to[index] is None and index != self.ended:
                return index
        self.to.append(None)
        if len(self.to) - 1 == self.ended:
            self.to.append(None)
        return len(self.to) - 1

    def trim(self) -> None:
        while self.to and self.to[-1] is None:
            self.to.pop()

    def line(self, column: int, sign: str) -> str:
        """Draw the lanes with a point in one of them."""
        signs = [self.pen.down if target is not None else " " for target in self.to]
        signs[column] = sign
        return " ".join(signs).rstrip()

    def bend(self, column: int, ends: Sequence[int], *, up: bool, down: bool) -> str:
        """Draw what leads sideways between the lane `column` and the lanes `ends`.

        `up` and `down` say whether the lanes at the ends go on to there; `column` does both.
        """
        low, high = min(column, *ends), max(column, *ends)
        line = ""
        for index in range(max(len(self.to), high + 1)):
            between = low < index < high
            if index == column or index in ends:
                goes = (True, True) if index == column else (up, down)
                sign = self.pen.corners[*goes, index > low, index < high]
            elif index < len(self.to) and self.to[index] is not None:
                sign = self.pen.down
            else:
                sign = self.pen.across if between else " "
            line += sign + (self.pen.across if low <= index < high else " ")
        return line.rstrip()


def draw(points: Sequence[Point], pen: Pen = UNICODE) -> Iterator[Row]:
    """Go through the lines of the drawing of points that are in order."""
    lanes = _Lanes(pen)
    for point in points:
        arriving = lanes.leading_to(point.id)
        column = arriving[0] if arriving else lanes.free()
        if arriving[1:]:
            yield Row(lanes.bend(column, arriving[1:], up=True, down=False))
            for index in arriving[1:]:
                lanes.to[index] = None
            lanes.trim()
        lanes.to[column] = point.id
        yield Row(lanes.line(column, pen.hidden if point.hidden else pen.point), point)
        lanes.to[column] = point.parents[0] if point.parents else None
        lanes.ended = None if point.parents else column
        for parent in point.parents[1:]:
            known = [index for index in lanes.leading_to(parent) if index != column]
            other = known[0] if known else lanes.free(column + 1)
            lanes.to[other] = parent
            yield Row(lanes.bend(column, [other], up=bool(known), down=True))
        lanes.trim()
