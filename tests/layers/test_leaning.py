"""What leans on a dictionary is written only where that is, and sealed anew where it is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Batch, Check, Delete, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict
from ropewalk.domain.record import Key, Record
from ropewalk.layers import leaning
from ropewalk.layers.leaning import LeaningLayer

pytestmark = pytest.mark.seed("6.4")

SEAL = "raw|lean:x"
PLACE = Key("s", "dictionary", "x")


class Guide:
    """Tells by the end of a seal what it leans on."""

    def leans_on(self, seal: str) -> str:
        """Return what stands behind the colon."""
        return seal.partition(":")[2]

    def plain(self, put: Put) -> Put:
        """Leave that away."""
        return replace(put, seal="raw")


class Counting(MemoryBackend):
    """Counts the looks at headers."""

    def __init__(self) -> None:
        super().__init__(clock=FrozenClock())
        self.looks = 0

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Count it, and do it."""
        self.looks += not bodies
        return await super().get(keys, bodies=bodies)


@pytest.fixture
async def store() -> AsyncIterator[Counting]:
    """An open store."""
    backend = Counting()
    await backend.open()
    yield backend
    await backend.close()


def put(id: str, *, seal: str = SEAL, space: str = "s") -> Put:
    """Return a change of a note."""
    return Put(key=Key(space, "note", id), body=b"b", seal=seal)


async def _seals(store: MemoryBackend, *ids: str) -> list[str]:
    found = await store.get([Key("s", "note", id_) for id_ in ids])
    return ["" if record is None else record.seal for record in found]


async def test_it_looks_now_and_then(store: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for many batches, again after half a second; never for what leans on nothing."""
    now = 1_000.0
    monkeypatch.setattr(leaning, "monotonic", lambda: now)
    layer = LeaningLayer(store, Guide())
    await layer.apply(Batch((put("plain", seal="raw"), Put(key=PLACE))))
    assert 0 == store.looks
    for n in range(5):
        await layer.apply(Batch((put(f"{n}"), put(f"{n}+"), put(f"{n}-", seal="raw"))))
    assert 1 == store.looks
    now += 0.6
    await layer.apply(Batch((put("late"),)))
    assert 2 == store.looks
    assert [SEAL, SEAL, "raw", SEAL] == await _seals(store, "4", "4+", "4-", "late")


async def test_what_leans_on_nothing_that_is_there_is_sealed_anew(store: Counting) -> None:
    """The others of a batch stay as they are, and so do its answer and its expectations."""
    layer = LeaningLayer(store, Guide())
    await store.apply(Batch((Put(key=Key("s", "dictionary", "y")),)))
    batch = Batch((put("a"), put("b", seal="raw|lean:y"), put("c", seal="raw|other")))
    applied = await layer.apply(batch)
    assert ((1, 1, 1), (0, 0, 0)) == (applied.versions, applied.previous)
    assert ["raw", "raw|lean:y", "raw|other"] == await _seals(store, "a", "b", "c")
    assert (await layer.apply(batch)).replayed
    with pytest.raises(Conflict):
        await layer.apply(Batch((replace(put("a"), expect=5),)))


async def test_each_space_has_its_own(store: Counting) -> None:
    """A dictionary of one space is none of another."""
    layer = LeaningLayer(store, Guide())
    await store.apply(Batch((Put(key=PLACE),)))
    await layer.apply(Batch((put("a"), put("a", space="other"))))
    [other] = await store.get([Key("other", "note", "a")])
    assert other is not None
    assert ([SEAL], "raw") == (await _seals(store, "a"), other.seal)


async def test_it_may_come_with_the_batch(store: Counting) -> None:
    """What brings a dictionary and what leans on it may be one batch."""
    layer = LeaningLayer(store, Guide())
    await layer.apply(Batch((put("a"), Put(key=PLACE))))
    assert [SEAL] == await _seals(store, "a")


async def test_who_deletes_one_knows_it_is_gone(store: Counting) -> None:
    """The next batch looks, however sure it was."""
    layer = LeaningLayer(store, Guide())
    await layer.apply(Batch((Put(key=PLACE),)))
    await layer.apply(Batch((put("a"),)))
    await layer.apply(Batch((Delete(key=PLACE), Check(key=put("a").key, expect=1))))
    await layer.apply(Batch((put("b"),)))
    assert [SEAL, "raw"] == await _seals(store, "a", "b")
