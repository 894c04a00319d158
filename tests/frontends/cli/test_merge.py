"""`merge`: what it says would be taken, what it takes, and how it ends."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .typing_it import typed

pytestmark = [pytest.mark.seed("3.2"), pytest.mark.seed("5.2")]


@pytest.fixture
def own(demo: str, tmp_path: Path) -> str:
    """Return the URL of a store with the story in it, to be changed."""
    path = tmp_path / "own.db"
    shutil.copy(demo.removeprefix("sqlite:///"), path)
    return f"sqlite:///{path}"


def test_a_dry_run_lists_every_place(own: str) -> None:
    """Each place that one of both has changed is told with what would be taken, and why."""
    answer = typed("merge", "rome-cheaper", "rome", "--dry-run", "-u", own)

    assert 0 == answer.code
    lines = {line.split()[0]: line for line in answer.out.splitlines()[1:]}
    assert {"plan", "budget", "seats", "train", "ticket"} == set(lines)
    assert lines["plan"].endswith("conflict")
    assert lines["train"].startswith("train   (absent)")
    assert "nothing was written" in answer.err
    again = typed("merge", "rome-cheaper", "rome", "--dry-run", "--json", "-u", own).json
    assert (["plan", "budget"], None) == (again["conflicts"], again["checkpoint"])
    assert "base" not in {c["path"]: c for c in again["choices"]}["train"]


def test_a_conflict_ends_with_its_code(own: str) -> None:
    """Without a decision nothing is merged, and the error names the places."""
    answer = typed("merge", "rome-cheaper", "rome", "-u", own)

    assert 5 == answer.code
    assert "both changed plan, budget" in answer.err


def test_a_merge_by_reducers_is_written(own: str) -> None:
    """Named places are merged by their reducers, the others by the chosen side, messages too."""
    options = ("--field", "plan=union", "--on-conflict", "ours", "--messages")
    merged = typed("merge", "rome-cheaper", "rome", *options, "--json", "-u", own).json

    taken = {choice["path"]: (choice["how"], choice["taken"]) for choice in merged["choices"]}
    assert ("union", ["search", "book", "travel", "compare"]) == taken["plan"]
    assert "first" == taken["budget"][0]
    assert merged["messages"]
    shown = typed("show", merged["checkpoint"], "--json", "-u", own)
    assert 0 == shown.code
    assert "compare" in shown.out


@pytest.mark.parametrize("field", ["plan", "=union", "plan="])
def test_a_field_that_says_nothing_is_refused(own: str, field: str) -> None:
    """A place is merged by naming it and its reducer."""
    answer = typed("merge", "rome-cheaper", "rome", "--field", field, "-u", own)

    assert 2 == answer.code
    assert "PATH=REDUCER" in answer.err
