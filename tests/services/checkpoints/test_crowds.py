"""What a crowd of tasks hands in is kept as it was when each of them called."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from ropewalk.door import DOOR

if TYPE_CHECKING:
    from ropewalk import Storage


@pytest.mark.seed("3.4", "6.2")
async def test_what_waits_at_the_door_was_taken_as_it_was_at_the_call(storage: Storage) -> None:
    """A hundred tasks save, and append: what their callers change meanwhile changes nothing."""
    count = 50
    for number in range(count):
        await storage.threads.create(id=f"t{number}")
        await storage.checkpoints.save(f"t{number}", {"list": [number]})
    states: list[dict[str, Any]] = [
        {"list": [number], "text": "x" * 20_000} for number in range(count)
    ]
    deltas = [{"list": [number]} for number in range(count)]
    saves = [
        asyncio.create_task(storage.checkpoints.save(f"t{number}", state))
        for number, state in enumerate(states)
    ]
    await asyncio.sleep(0)
    for state in states:
        state["list"] = ["changed"]
    saved = [header.id for header in await asyncio.gather(*saves)]
    appends = [
        asyncio.create_task(storage.checkpoints.append(f"t{number}", delta))
        for number, delta in enumerate(deltas)
    ]
    await asyncio.sleep(0)
    for delta in deltas:
        delta["list"][0] = -1
    await asyncio.gather(*appends)
    loaded = [
        checkpoint.state for checkpoint in await storage.checkpoints.load_many(saved) if checkpoint
    ]
    assert [[number] for number in range(count)] == [state["list"] for state in loaded]
    newest = [await storage.checkpoints.latest(f"t{number}") for number in range(count)]
    assert [[number, number] for number in range(count)] == [
        checkpoint.state["list"] for checkpoint in newest if checkpoint
    ]


@pytest.mark.seed("3.4", "6.2")
async def test_saves_in_a_row_find_the_door_open(storage: Storage) -> None:
    """Whoever saves one big state behind the other gives way in between, and never in a line."""
    await storage.threads.create(id="t")
    state: dict[str, Any] = {"list": [{"text": f"{n} " * 400} for n in range(2_000)]}
    turns, found_open = 0, 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    for _ in range(6):
        before = turns
        await storage.checkpoints.save("t", state)
        assert turns > before
        found_open += DOOR.is_open()
    counting.cancel()
    # One that ends when its turn is nearly over may find it over a moment later.
    assert found_open > 3
