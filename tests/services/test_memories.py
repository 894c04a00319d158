"""Memories: written together, found by name and namespace, refreshed, swept, and guarded."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Corrupt, Invalid
from ropewalk.domain.memory import Memory, Name, Vectors
from ropewalk.services.storage import Storage

ADA = Name(("users", "ada"), "tastes")
BOB = Name(("users", "bob"), "tastes")
HOUR = timedelta(hours=1)
HOUR_MICROS = 3_600_000_000


def _draft(storage: Storage, name: Name, n: int, ttl: timedelta | None = None) -> Memory:
    return storage.memories.draft(name, {"n": n}, ttl=ttl)


async def test_what_is_written_is_found(storage: Storage) -> None:
    """By name in the order asked, by namespace with the latest first, and counted."""
    memories = storage.memories
    await memories.write([_draft(storage, ADA, 1)])
    await memories.write([_draft(storage, BOB, 2)])
    found = await memories.get([BOB, Name((), "none"), ADA])
    assert [{"n": 2}, None, {"n": 1}] == [m and m.value for m in found]
    assert [BOB, ADA] == [m.name async for m in memories.scan(("users",))]
    assert [ADA] == [m.name async for m in memories.scan(("users",), skip=1, limit=5)]
    assert {("users", "ada"): 1, ("users", "bob"): 1} == await memories.namespaces()
    assert [True, False] == await memories.there([ADA, Name((), "none")])


async def test_vectors_live_with_their_memory(storage: Storage) -> None:
    """They come and go with what is written, and those that are no vectors are `Corrupt`."""
    memories = storage.memories
    vectors = Vectors(name=ADA, dims=2, floats=b"\0" * 16)
    await memories.write([_draft(storage, ADA, 1)], vectors=[vectors])
    assert [[vectors]] == [page async for page in memories.vectors(("users",))]
    assert [True, False] == await memories.found_by([ADA, BOB], dims=2)
    assert [False] == await memories.found_by([ADA], dims=3)
    await memories.write([_draft(storage, ADA, 2)])
    assert [] == [page async for page in memories.vectors()]
    broken = Vectors(name=ADA, dims=3, floats=b"\0" * 16)
    await memories.write([_draft(storage, ADA, 3)], vectors=[broken])
    with pytest.raises(Corrupt, match="no whole vectors"):
        _ = [page async for page in memories.vectors()]
    await memories.write([], forget=[ADA, BOB])
    assert [None] == await memories.get([ADA])
    assert [] == [page async for page in memories.vectors()]


async def test_time_begins_anew_with_a_refresh(storage: Storage, clock: FrozenClock) -> None:
    """What is refreshed lives as long again; what ended meanwhile stays gone."""
    memories = storage.memories
    await memories.write([_draft(storage, ADA, 1, HOUR), _draft(storage, BOB, 2, HOUR)])
    [ada, bob] = await memories.get([ADA, BOB])
    assert ada is not None
    assert bob is not None
    clock.advance(HOUR_MICROS // 2)
    await memories.refresh([ada])
    clock.advance(HOUR_MICROS * 3 // 4)
    await memories.refresh([bob])
    [again, gone] = await memories.get([ADA, BOB])
    assert again is not None
    assert (ada.value, ada.updated_at) == (again.value, again.updated_at)
    assert None is gone


async def test_a_sweep_takes_only_what_has_ended(storage: Storage, clock: FrozenClock) -> None:
    """What was written anew under the same name stays, with its vectors."""
    memories = storage.memories
    await memories.write([_draft(storage, ADA, 1, HOUR), _draft(storage, BOB, 2, HOUR)])
    clock.advance(2 * HOUR_MICROS)
    vectors = Vectors(name=ADA, dims=1, floats=b"\0" * 4)
    await memories.write([_draft(storage, ADA, 3)], vectors=[vectors])
    assert 1 == await memories.sweep()
    assert 0 == await memories.sweep()
    assert [ADA] == [m.name async for m in memories.scan()]
    assert [[vectors]] == [page async for page in memories.vectors()]


@pytest.mark.seed("5.2")
async def test_a_memory_written_during_the_sweep_stays(
    storage: Storage, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking and removing somebody writes one of the names: that one is left alone."""
    memories = storage.memories
    await memories.write([_draft(storage, ADA, 1, HOUR), _draft(storage, BOB, 2, HOUR)])
    clock.advance(2 * HOUR_MICROS)
    sweep = memories._sweep  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    written: list[Name] = []

    async def late(ids: list[str]) -> int:
        if not written:
            written.append(ADA)
            await memories.write([_draft(storage, ADA, 3)])
        return await sweep(ids)

    monkeypatch.setattr(memories, "_sweep", late)
    assert 1 == await memories.sweep()
    assert [ADA] == [m.name async for m in memories.scan()]


async def test_a_unit_of_work_has_memories(storage: Storage) -> None:
    """What a unit remembers is there when it ends, or not at all."""
    async with storage.unit() as unit:
        await unit.memories.write([unit.memories.draft(ADA, {"n": 1})])
        assert [None] == await storage.memories.get([ADA])
    assert 1 == len([m async for m in storage.memories.scan()])


@pytest.mark.seed("3.5")
async def test_plain_records_do_not_write_memories(storage: Storage) -> None:
    """The door for the kinds of memories is `storage.memories`."""
    for kind in ("memory", "vector"):
        with pytest.raises(Invalid, match=r"storage\.memories\.write"):
            await storage.records.save({"type": kind, "data": {}})
