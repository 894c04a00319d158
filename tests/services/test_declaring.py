"""Declarations: what a space has declared, for every handle, with what filters need beside."""

from __future__ import annotations

import pytest

from ropewalk.domain.change import Batch, Put
from ropewalk.domain.declared import DECLARED, DeclaredIndex
from ropewalk.domain.errors import Denied, Invalid, NotFound
from ropewalk.domain.labels import PARTIAL
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key
from ropewalk.services.storage import Storage


@pytest.mark.seed("6.3")
async def test_declare_list_and_drop(storage: Storage) -> None:
    """A declaration is there once, is listed, and goes; what is not there is said to be missing."""
    for _ in range(2):
        assert DeclaredIndex("note", "topic") == await storage.declare_index("note", "topic")
    await storage.declare_index("note", "metadata.price")
    named = [(index.kind, index.label) for index in await storage.indexes()]
    assert {("note", "topic"), ("note", "metadata.price")} == set(named)
    await storage.drop_index("note", "topic")
    with pytest.raises(NotFound, match=r"storage\.indexes"):
        await storage.drop_index("note", "topic")
    assert 1 == len(await storage.indexes())


@pytest.mark.seed("6.3")
async def test_metadata_is_declared_with_what_labels_cannot_hold(
    storage: Storage, backend: Backend
) -> None:
    """Filters on metadata find, too, what only the body tells: that has an index of its own."""
    long = "x" * 5_000
    await storage.records.save({"type": "note", "id": "a", "metadata": {"topic": "x"}})
    await storage.records.save({"type": "note", "id": "b", "metadata": {"topic": long}})
    await storage.records.save({"type": "note", "id": "c", "metadata": {"topic": "z"}})
    for label in ("metadata.topic", "metadata.price"):
        await storage.declare_index("note", label)
    key = DeclaredIndex("note", PARTIAL).key("default")
    assert [True] == [found is not None for found in await backend.get([key])]
    found = await storage.records.list({"type": "note", "metadata.topic": "x"})
    assert ["a"] == [record["id"] for record in found]
    found = await storage.records.list({"type": "note", "metadata.topic": long})
    assert ["b"] == [record["id"] for record in found]
    await storage.drop_index("note", "metadata.topic")
    assert [True] == [found is not None for found in await backend.get([key])]
    await storage.drop_index("note", "metadata.price")
    assert [None] == await backend.get([key])


@pytest.mark.seed("7.1")
async def test_a_declaration_is_of_its_space(storage: Storage) -> None:
    """A confined handle declares for its space alone, and deleting the space takes it along."""
    inner = storage.space("lab")
    await inner.declare_index("note", "topic")
    assert (1, 0) == (len(await inner.indexes()), len(await storage.indexes()))
    await storage.spaces.delete("lab")
    left = Query(space=None, kinds=(DECLARED,))
    assert [] == [record async for record in storage.migrations.backend.scan(left)]
    for asked in (inner.metrics(), inner.overview()):
        with pytest.raises(Denied):
            await asked


@pytest.mark.seed("6.3")
async def test_bad_names_are_refused(storage: Storage) -> None:
    """A kind or a label that no record could have is named, and plain records are no way in."""
    for kind, label in (("", "topic"), ("note", ""), ("note", "x" * 300)):
        with pytest.raises(Invalid):
            await storage.declare_index(kind, label)
    with pytest.raises(Invalid, match="declare_index"):
        await storage.records.save({"type": DECLARED, "data": {}})
    with pytest.raises(Invalid, match="metrics"):
        await storage.metrics()
    assert () == await storage.indexes()


@pytest.mark.seed("6.3")
async def test_a_damaged_declaration_declares_nothing(storage: Storage, backend: Backend) -> None:
    """A record of that kind without the labels of a declaration is passed over."""
    await backend.apply(Batch((Put(key=Key("default", DECLARED, "odd"), labels={"kind": 1}),)))
    await storage.declare_index("note", "topic")
    assert 1 == len(await storage.indexes())
