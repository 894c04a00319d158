"""Whoever looks for an id without its kind does not go through all records for it."""

from __future__ import annotations

import pytest

from ropewalk.backends.file.format import Header
from ropewalk.backends.file.index import Index
from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Batch, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.query import Condition, Query
from ropewalk.domain.record import Key, Record

pytestmark = pytest.mark.seed("6.3")

LOOKED_FOR = Query(space="lab", where=(Condition("id", "eq", "n7"),))


async def test_memory_looks_ids_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The matching is asked about the records of that id alone, not about two thousand."""
    backend = MemoryBackend(clock=FrozenClock())
    await backend.open()
    for kind in ("note", "memo"):
        await backend.apply(Batch(tuple(Put(key=Key("lab", kind, f"n{n}")) for n in range(1_000))))
    asked: list[str] = []
    matches = Query.matches

    def counted(query: Query, record: Record, now: int) -> bool:
        asked.append(record.key.id)
        return matches(query, record, now)

    monkeypatch.setattr(Query, "matches", counted)

    found = [record.key.kind async for record in backend.scan(LOOKED_FOR)]

    assert (["memo", "note"], ["n7", "n7"]) == (sorted(found), asked)


def test_a_folder_looks_ids_up() -> None:
    """The index of a folder offers the headers of that id alone."""
    keys = [Key(space, "note", f"n{n}") for space in ("lab", "other") for n in range(100)]
    index = Index(
        Header(Record(key=key, version=1, created_at=0, updated_at=0), size=0, offset=0, check=0)
        for key in keys
    )

    assert [Key("lab", "note", "n7")] == list(index.walk(LOOKED_FOR))
