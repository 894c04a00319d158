"""The loop has its turn while thousands of records are read or made."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count, repeat

import pytest

from ropewalk import turns
from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.ports import Sealer
from ropewalk.stores.records import RecordStore
from ropewalk.turns import Turns

pytestmark = pytest.mark.seed("6.4")


def _at(monkeypatch: pytest.MonkeyPatch, moments: Iterator[float]) -> None:
    """Let the clock show these moments, one at each look."""
    monkeypatch.setattr(turns, "perf_counter", moments.__next__)


class _Counter:
    """A task that counts the turns it has."""

    def __init__(self) -> None:
        self.turns = 0
        self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        while True:
            self.turns += 1
            await asyncio.sleep(0)

    async def stop(self) -> int:
        """End it, and return how many turns it had."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        return self.turns


@pytest.mark.parametrize(("moments", "expected"), [((0.0, 0.0014), 0), ((0.0, 0.0016, 9.0), 3)])
async def test_a_turn_is_given_when_the_slice_is_over(
    monkeypatch: pytest.MonkeyPatch, moments: tuple[float, ...], expected: int
) -> None:
    """Within a slice nobody else is let on, afterwards all who wait are."""
    _at(monkeypatch, iter(moments))
    here = Turns()
    counter = _Counter()

    await here.rest()

    assert expected == counter.turns
    await counter.stop()


@pytest.mark.parametrize(
    ("clock", "expected"), [(count(0.0, 1.0), (300, 150)), (repeat(0.0), (0, 0))]
)
async def test_many_records_are_saved_and_loaded_in_turns(
    monkeypatch: pytest.MonkeyPatch,
    sealer: Sealer,
    clock: Iterator[float],
    expected: tuple[int, int],
) -> None:
    """Where each record takes a whole slice, others have turns at each: twice for a saved one."""
    _at(monkeypatch, clock)
    given = [{"id": f"n{n}", "type": "note", "data": {"n": n}} for n in range(50)]
    # Of a memory that never gives way itself.
    backend = MemoryBackend(clock=FrozenClock(), loop_budget=3_600_000)
    await backend.open()
    records = RecordStore(backend, sealer, FrozenClock(), space="here")
    counter = _Counter()

    ids = await records.save_many(given)
    saved = counter.turns
    rows = await records.load_many(ids, type="note")
    loaded = await counter.stop() - saved

    assert expected == (saved, loaded)
    assert [row["data"] for row in given] == [row and row["data"] for row in rows]
    await backend.close()
