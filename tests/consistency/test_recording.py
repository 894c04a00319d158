"""What is recorded: who, when, what, and how it ended, also by a process that was killed."""

from __future__ import annotations

import asyncio
import io
import json

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Batch, Change, Delete, Ensure, Put
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.errors import Conflict, Invalid
from ropewalk.services.overlay.reads import check_of
from ropewalk.testing.histories import Fate, History, Listing, Read, Write
from ropewalk.testing.recording import Recording, Tape, expecting, item, put

pytestmark = pytest.mark.seed("8.3")


@pytest.fixture
async def store() -> MemoryBackend:
    """Return an open, empty store."""
    store = MemoryBackend(clock=SystemClock(), loop_budget=0)
    await store.open()
    return store


async def test_a_unit_is_one_transaction(store: MemoryBackend) -> None:
    """Reads, listings and writes of a unit are written down in order, with its commit."""
    tape = Tape()
    recording = Recording(store, tape, who="anna")
    await recording.apply(Batch((put("a", "first", tag="red"),)))
    async with recording.unit() as unit:
        await unit.get("a", "b")
        await unit.list("red")
        await unit.put("b", "second")
        await unit.delete("a")
    first, second = History.of(tape.events).transactions

    a, b = str(item("a")), str(item("b"))
    assert (Write(a, "first", None, "red"),) == first.steps
    was = Read(a, 1, "first")
    assert (was, Read(b, 0), Listing("red", (was,)), Write(b, "second"), Write(a, None)) == (
        second.steps
    )
    assert (Fate.DONE, 2, {a: (1, 0), b: (0, 1)}) == (second.fate, second.seq, second.installed)
    assert first.returned is not None
    assert first.called < first.returned < second.called < (second.returned or 0)


@pytest.mark.seed("5.1")
async def test_who_expects_a_record_has_read_it(store: MemoryBackend) -> None:
    """A change made of the very record that was read counts as a read of it, and no other does."""
    tape = Tape()
    recording = Recording(store, tape, who="anna")
    await recording.apply(Batch((put("a", "first"), put("b", "first too"))))
    a, b = await recording.get([item("a"), item("b")])
    await recording.apply(Batch((expecting(put("a", "second"), a), check_of(item("b"), b))))
    await recording.apply(Batch((put("a", "third", expect=2),)))
    *_, second, third = History.of(tape.events).transactions

    assert (
        Read(str(item("a")), 1, "first"),
        Write(str(item("a")), "second", 1),
        Read(str(item("b")), 1, "first too"),
    ) == second.steps
    assert (Write(str(item("a")), "third", 2),) == third.steps


async def test_a_refusal_says_why(store: MemoryBackend) -> None:
    """A refused batch is written down with the key and the version that stood in its way."""
    tape = Tape()
    recording = Recording(store, tape, who="anna")
    with pytest.raises(Conflict):
        await recording.apply(Batch((put("a", "x", expect=3), Delete(key=item("b")))))
    [refused] = History.of(tape.events).transactions
    assert (Fate.REFUSED, (str(item("a")), 0)) == (refused.fate, refused.refused)
    assert "expecting 3" in str(refused)


async def test_what_was_begun_is_known_without_an_end(store: MemoryBackend) -> None:
    """The line of a batch is out before the batch: a death on the way leaves it unknown."""
    file = io.StringIO()
    task = asyncio.ensure_future(
        Recording(store, Tape(file), who="anna").apply(Batch((put("a", "x"),), id="lost"))
    )
    await asyncio.sleep(0)
    [line] = file.getvalue().splitlines()
    task.cancel()
    await asyncio.wait([task])
    [unknown] = History.of([json.loads(line)]).transactions
    assert (Fate.UNKNOWN, "lost", None) == (unknown.fate, unknown.id, unknown.returned)


@pytest.mark.parametrize(
    "change",
    [
        Ensure(key=item("a"), stamp=1),
        Put(key=item("a"), expires_at=1),
        Put(key=item("a"), version=7),
        Delete(key=item("a"), at_most=1),
    ],
)
async def test_what_has_no_meaning_is_refused(store: MemoryBackend, change: Change) -> None:
    """What the checker cannot judge is not recorded, and not done."""
    tape = Tape()
    with pytest.raises(Invalid):
        await Recording(store, tape, who="anna").apply(Batch((change,)))
    assert ([], [None]) == (tape.events, await store.get([item("a")]))
