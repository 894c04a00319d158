"""The drawing of a graph: pictures that can be checked by eye, and order for any history."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropewalk.frontends.cli.graph import ASCII, UNICODE, Pen, Point, Row, draw, in_order


def history(*lines: str) -> list[Point]:
    """Read points, oldest first, as `name: parent parent`."""
    points: list[Point] = []
    for at, line in enumerate(lines):
        name, _, parents = line.partition(":")
        points.append(Point(id=name, at=at, parents=tuple(parents.split())))
    return points


def picture(points: list[Point], pen: Pen = UNICODE) -> list[str]:
    """Draw points with their names."""
    rows = draw(in_order(points), pen)
    return [row.lead + (f" {row.point.id}" if row.point else "") for row in rows]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([], []),
        (history("a", "b: a", "c: b"), ["● c", "● b", "● a"]),
        (history("a", "b: a", "c: a"), ["● c", "│ ● b", "├─╯", "● a"]),
        (history("a", "b: a", "c: a", "m: b c"), ["● m", "├─╮", "│ ● c", "● │ b", "├─╯", "● a"]),
        (
            history("a", "b: a", "c: a", "d: a"),
            ["● d", "│ ● c", "│ │ ● b", "├─┴─╯", "● a"],
        ),
        # The lane between two that meet goes on beneath them.
        (
            history("z", "a", "b: a", "y: z", "c: a"),
            ["● c", "│ ● y", "│ │ ● b", "├─│─╯", "● │ a", "  ● z"],
        ),
        # What begins right below an end does not seem to continue it.
        (history("a", "b"), ["● b", "  ● a"]),
        # A merge into a lane that is drawn already.
        (
            history("a", "b: a", "c: b", "m: a b"),
            ["● m", "├─╮", "│ │ ● c", "│ ├─╯", "│ ● b", "├─╯", "● a"],
        ),
    ],
)
def test_pictures(points: list[Point], expected: list[str]) -> None:
    """Lines, forks, merges and crossings, as a person would draw them."""
    assert expected == picture(points)


def test_a_terminal_without_unicode_gets_the_same_in_ascii() -> None:
    """The signs differ, the drawing does not."""
    points = history("a", "b: a", "c: a", "m: b c")
    assert ["* m", "|-.", "| * c", "* | b", "|-'", "* a"] == picture(points, ASCII)


def test_what_is_hidden_has_another_sign() -> None:
    """A point that is on no line any more is drawn hollow."""
    assert ["○ a"] == picture([Point(id="a", at=1, hidden=True)])


def test_a_circle_is_drawn_and_not_lost() -> None:
    """Damage that makes two points continue each other hides neither."""
    points = [Point(id="a", at=1, parents=("b",)), Point(id="b", at=2, parents=("a",))]
    assert {"a", "b"} == {point.id for point in in_order(points)}


@st.composite
def histories(drawing: st.DrawFn) -> list[Point]:
    """Draw points whose parents were made before them, by clocks that may be wrong."""
    points: list[Point] = []
    for number in range(drawing(st.integers(0, 12))):
        known = [point.id for point in points]
        parents = drawing(st.lists(st.sampled_from(known), max_size=3)) if known else []
        at = drawing(st.integers(0, 20))
        points.append(Point(id=f"p{number}", at=at, parents=tuple(dict.fromkeys(parents))))
    return points


@given(histories())
@settings(max_examples=100)
def test_nothing_comes_before_what_continues_it(points: list[Point]) -> None:
    """Every point is there once, and behind all that continue it, whatever the clocks said."""
    place = {point.id: index for index, point in enumerate(in_order(points))}
    assert {point.id for point in points} == set(place)
    for point in points:
        for parent in point.parents:
            assert place[point.id] < place[parent]


@given(histories())
@settings(max_examples=100)
def test_from_each_point_the_lines_lead_to_its_parents(points: list[Point]) -> None:
    """Whoever follows the lines down from a point comes to its parents and to nothing else."""
    rows = list(draw(in_order(points)))
    for index, row in enumerate(rows):
        if row.point is not None:
            assert set(row.point.parents) == set(reached(rows, index, row.point))


def reached(rows: list[Row], index: int, point: Point) -> Iterator[str]:
    """Go through the points that the lines from a point lead to."""
    if not point.parents:
        return
    column = rows[index].lead.index(UNICODE.point)
    bends = len(point.parents) - 1
    yield below(rows, index + 1 + bends, column)
    for bend in range(index + 1, index + 1 + bends):
        yield below(rows, bend + 1, other_end(rows[bend].lead, column))


def other_end(lead: str, column: int) -> int:
    """Return where what leads sideways from a column ends."""
    step = 2 if lead[column] == "├" else -2
    while True:
        column += step
        if lead[column] in "┤├╮":
            return column


def below(rows: list[Row], index: int, column: int) -> str:
    """Walk down a lane to the next point on it."""
    lead, point = rows[index].lead, rows[index].point
    sign = lead[column]
    if sign == UNICODE.point:
        assert point is not None
        return point.id
    if sign in "╯┴":
        column = lead.rindex("├", 0, column)
    else:
        assert sign in "│├┤┼"
    return below(rows, index + 1, column)
