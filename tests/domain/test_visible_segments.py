"""A thread's line is what rollbacks left of it, and forks keep what they were made from."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.thread import Gap, Position, Segment, Thread, visible_segments


def thread(*gaps: Gap) -> Thread:
    """Return a thread with these rollbacks behind it."""
    now = datetime(2025, 1, 1, tzinfo=UTC)
    return Thread(id="t", root_id="t", gaps=gaps, created_at=now, updated_at=now)


def at(number: int) -> Position:
    """Return the position of the entry with a number; two of them share a microsecond."""
    return Position(number // 2, f"e{number:04}")


def shown(segments: tuple[Segment, ...], entries: int) -> list[int]:
    """Return the numbers of the entries that lie in one of the segments."""
    return [
        number
        for number in range(entries)
        if any(
            (s.begin is None or s.begin <= at(number)) and (s.end is None or at(number) < s.end)
            for s in segments
        )
    ]


@pytest.mark.seed("3.2")
def test_without_rollbacks_the_line_is_whole() -> None:
    """A thread shows everything, a fork everything before the point where it left."""
    assert (Segment("t"),) == visible_segments(thread(), None)
    assert (Segment("t", None, at(3)),) == visible_segments(thread(), at(3))


@pytest.mark.seed("3.2")
def test_a_rollback_takes_a_stretch_off_the_line() -> None:
    """Entries 3 to 5 are hidden; a fork made at 4 before the rollback still has 3."""
    rolled = thread(Gap(at(3), at(5).behind()))
    assert [0, 1, 2, 6, 7] == shown(visible_segments(rolled, None), 8)
    assert [0, 1, 2, 6] == shown(visible_segments(rolled, at(7)), 8)
    assert [0, 1, 2, 3] == shown(visible_segments(rolled, at(4)), 8)


@pytest.mark.seed("3.2")
def test_a_second_rollback_may_go_behind_the_first() -> None:
    """The second one hides the first with everything between; a fork between sees the first."""
    rolled = thread(Gap(at(3), at(5).behind()), Gap(at(1), at(7).behind()))
    assert [0, 8, 9] == shown(visible_segments(rolled, None), 10)
    assert [0, 1, 2, 6] == shown(visible_segments(rolled, at(7)), 10)


@pytest.mark.seed("3.2")
def test_a_rollback_to_the_beginning_leaves_what_comes_after() -> None:
    """Nothing of the old line is left, and no segment is empty."""
    rolled = thread(Gap(at(0), at(4).behind()))
    segments = visible_segments(rolled, None)
    assert [5, 6] == shown(segments, 7)
    assert all(s.begin is None or s.end is None or s.begin < s.end for s in segments)


@pytest.mark.seed("3.2")
@given(st.lists(st.integers(-4, 6), max_size=30))
def test_lines_and_forks_are_what_they_were(steps: list[int]) -> None:
    """Random work: append (below 1), roll back some entries (1 to 4), or fork (above).

    The line is always what was not rolled back, and every fork made on the way still sees the
    line as it was before the entry it was made at.
    """
    line: list[int] = []
    entries = 0
    gaps: list[Gap] = []
    forks: list[tuple[Position, list[int]]] = []
    for step in steps:
        if step < 1:
            line.append(entries)
            entries += 1
        elif step < 5 and line:
            kept = line[:-step]
            gaps.append(Gap(at(line[len(kept)]), at(entries - 1).behind()))
            line = kept
        elif line:
            index = step % len(line)
            forks.append((at(line[index]), line[:index]))
    rolled = thread(*gaps)
    assert line == shown(visible_segments(rolled, None), entries)
    for until, expected in forks:
        assert expected == shown(visible_segments(rolled, until), entries)
    segments = visible_segments(rolled, None)
    bounds = [bound for s in segments for bound in (s.begin, s.end) if bound is not None]
    assert sorted(bounds) == bounds


def test_a_position_behind_is_right_behind() -> None:
    """Nothing fits between an entry and the bound behind it."""
    here = Position(5, "a")
    assert here < here.behind() < Position(5, "a\0\0") < Position(5, "b") < Position(6, "")
