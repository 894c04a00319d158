"""However much is brought, what a run holds in memory stays the same."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from typing import Final

import pytest

import ropewalk
from ropewalk.domain.migration import Plan
from ropewalk.sources.legacy.reader import LegacySource

from ...sources.legacy.writing import ZONE, Tree, line_of, message

BYTES: Final = 8_000
"""Of each record: what a run kept of it would show."""

PLAN: Final = Plan(name="memory", format="legacy", batch=20)


async def most_held(folder: Path, records: int) -> int:
    """Return the most bytes that Python had allocated while so many records were brought."""
    tree = Tree(folder / "legacy")
    tree.session("session_1")
    lines = (line_of(message(f"record_{n}", content=f"{n:0{BYTES}}")) for n in range(records))
    tree.lines("session_1", *(line + b"\n" for line in lines))
    source = LegacySource(tree.root, tz=ZONE)
    async with ropewalk.open(f"sqlite:///{folder / 'new.db'}") as storage:
        gc.collect()
        tracemalloc.start()
        try:
            report = await storage.migrations.run(source, PLAN)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert {"session": 1, "message": records} == report.brought
    return most


@pytest.mark.seed("7.1")
async def test_memory_does_not_grow_with_what_is_brought(tmp_path: Path) -> None:
    """Four times as many records take less than a quarter of their size more."""
    few, many = tmp_path / "few", tmp_path / "many"
    few.mkdir()
    many.mkdir()
    # What is imported and cached the first time belongs to neither of the two.
    warm = tmp_path / "warm"
    warm.mkdir()
    await most_held(warm, 40)

    least, most = await most_held(few, 100), await most_held(many, 400)

    assert most - least < 300 * BYTES / 4
