"""Where a name is unknown, the nearest one is suggested, and all are named."""

from __future__ import annotations

import pytest

from ropewalk.domain.spelling import closest, did_you_mean

NAMES = ("file", "memory", "sqlite")


@pytest.mark.parametrize(
    ("name", "near"),
    [("sqlit", "sqlite"), ("SQLite", "sqlite"), ("memroy", "memory"), ("xyz", None), ("", None)],
)
def test_the_nearest_name(name: str, near: str | None) -> None:
    """A slip of the finger or of the shift key finds its name; something else finds none."""
    assert near == closest(name, NAMES)


def test_how_near_is_near() -> None:
    """A higher cutoff asks for more likeness."""
    assert "memory" == closest("mem", NAMES)
    assert closest("mem", NAMES, cutoff=0.9) is None


def test_the_half_sentence() -> None:
    """It has the suggestion if there is one, and the names in order."""
    assert "did you mean 'file'? known: file, memory, sqlite" == did_you_mean("fiel", NAMES[::-1])
    assert "known: file, memory, sqlite" == did_you_mean("redis", NAMES)
    assert "none is known" == did_you_mean("redis", ())
