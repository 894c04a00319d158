"""Crowds that save and list at once leave the loop its turns, and are kept as they were."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from itertools import count
from typing import Any

import pytest

from ropewalk import Storage
from ropewalk.domain.errors import Invalid
from ropewalk.door import Door
from ropewalk.services import records
from ropewalk.stores import records as verbs


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make one call as long as a whole turn of the loop."""
    door = Door(0.5, clock=count().__next__)
    monkeypatch.setattr(records, "DOOR", door)
    monkeypatch.setattr(verbs, "DOOR", door)


async def _turns(crowd: Iterable[Awaitable[Any]]) -> tuple[int, list[Any]]:
    """Await all at once; return how many turns others had meanwhile, and the answers."""
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    answers = await asyncio.gather(*crowd, return_exceptions=True)
    ticking.cancel()
    return turns, answers


@pytest.mark.usefixtures("narrow")
async def test_a_crowd_that_saves(storage: Storage) -> None:
    """Where one record takes all the time of a turn, each has a turn of its own."""
    rows = [{"id": f"r{n}", "type": "note", "data": {"n": n}} for n in range(20)]
    turns, ids = await _turns(storage.records.save(row) for row in rows)

    assert [row["id"] for row in rows] == ids
    assert 20 == await storage.records.count({"type": "note"})
    assert turns >= 20


@pytest.mark.usefixtures("narrow")
async def test_a_crowd_that_lists(storage: Storage) -> None:
    """Lists, and pages, have a turn of their own each."""
    await storage.records.save({"id": "r", "type": "note"})
    crowd = [storage.records.list({"type": "note"}) for _ in range(20)]
    turns, lists = await _turns(crowd)
    assert ["r"] * 20 == [row["id"] for rows in lists for row in rows]
    assert turns >= 20

    turns, pages = await _turns([storage.records.page({"type": "note"}) for _ in range(20)])
    assert ["r"] * 20 == [row["id"] for page in pages for row in page.items]
    assert turns >= 20


@pytest.mark.usefixtures("narrow")
async def test_a_crowd_is_kept_as_it_was_at_the_call(storage: Storage) -> None:
    """What a caller changes while others are let in before it changes nothing."""
    rows: list[dict[str, Any]] = [
        {"id": f"r{n}", "type": "note", "data": {"n": [n]}, "metadata": {"n": n}} for n in range(20)
    ]
    saving = [asyncio.create_task(storage.records.save(row)) for row in rows]
    await asyncio.sleep(0)
    for row in rows:
        row["data"]["n"][0] = row["metadata"]["n"] = -1
        row["id"] = "other"
    await asyncio.gather(*saving)

    kept = await storage.records.list({"type": "note"})
    assert 20 == len(kept)
    for row in kept:
        assert row["data"]["n"] == [row["metadata"]["n"]] == [int(row["id"][1:])]


@pytest.mark.usefixtures("narrow")
async def test_what_is_wrong_in_a_crowd_is_told_to_who_brought_it(storage: Storage) -> None:
    """The others are kept."""
    rows = [{"id": f"r{n}", "type": "note" if n != 3 else 3} for n in range(6)]
    _, answers = await _turns(storage.records.save(row) for row in rows)

    assert isinstance(answers[3], Invalid)
    assert "type" == answers[3].facts["field"]
    assert 5 == await storage.records.count({"type": "note"})


@pytest.mark.usefixtures("narrow")
async def test_who_is_cancelled_in_line_writes_nothing(storage: Storage) -> None:
    """And those behind it go on."""
    saving = [
        asyncio.create_task(storage.records.save({"id": f"r{n}", "type": "note"})) for n in range(6)
    ]
    await asyncio.sleep(0)
    saving[3].cancel()
    answers = await asyncio.gather(*saving, return_exceptions=True)

    assert isinstance(answers[3], asyncio.CancelledError)
    kept = await storage.records.list({"type": "note"})
    assert {"r0", "r1", "r2", "r4", "r5"} == {row["id"] for row in kept}
