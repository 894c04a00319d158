"""Many letters are opened in slices of time, between which the event loop has its turn."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.domain.record import Key, Record
from ropewalk.stores import letter
from ropewalk.stores.letter import Letter, open_letters


@pytest.mark.seed("4.2", "6.2")
async def test_the_loop_turns_while_many_letters_are_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A quarter of a millisecond each: some eight are opened in each turn, and all in order."""
    looks = count()
    monkeypatch.setattr(letter, "perf_counter", lambda: next(looks) * 0.000_25)
    sealer, key = make_pipeline(), Key("main", "note", "a")
    sealed = await Letter({"n": 1}, {}).seal(sealer, key)
    records = [
        Record.bare(key, n, times=(0, 0), seal=sealed.seal, body=sealed.body) for n in range(1, 101)
    ]
    task = asyncio.create_task(open_letters(sealer, records))
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    assert records == [record for record, _ in await task]
    # Three turns for everybody else each time.
    assert 3 * 100 / 10 <= turns <= 3 * 100 / 5
