"""A store as a source: every record once, sealed as it is, what states consist of before them."""

from __future__ import annotations

import pytest

from ropewalk.domain.errors import NotFound
from ropewalk.domain.source import Note, SourceRecord
from ropewalk.factory import open, source_of


async def test_every_record_is_brought_once() -> None:
    """Each has its key for an id and a hash of all that it holds; nodes come before states."""
    async with open("memory://") as storage:
        await storage.sessions.create(id="s")
        await storage.threads.create(id="t", session_id="s")
        await storage.checkpoints.save("t", {"rows": [str(n) * 90 for n in range(200)]})
        source = source_of(storage)
        counted = (await source.scan()).kinds

        found = [each async for each in source.read()]
        again = [each async for each in source.read()]
        await storage.sessions.update("s", title="Rome")
        changed = [each async for each in source.read()]

    assert found == again
    items = [each for each in found if isinstance(each, SourceRecord)]
    assert len(found) == len(items) == sum(counted.values())
    kinds = [item.kind for item in items]
    assert kinds.index("secret") < kinds.index("node") < kinds.index("checkpoint")
    assert all(item.record.body is not None for item in items)
    differing = [new for new, old in zip(changed, found, strict=True) if new != old]
    assert [("session", "s")] == [
        (i.kind, i.source_id) for i in differing if isinstance(i, SourceRecord)
    ]


async def test_the_journal_stays_where_it_is() -> None:
    """What a store knows of migrations into it is about that store: a note tells that it stays."""
    from ropewalk.domain.migration import Plan

    async with open("memory://") as first, open("memory://") as second, open("memory://") as third:
        await first.sessions.create(id="s")
        await second.migrations.run(source_of(first), Plan(name="copy"))
        report = await third.migrations.run(source_of(second), Plan(name="copy"))

        assert ({"session": 1}, True) == (report.brought, report.is_complete)
        assert ["journal_stays"] == [note.code for note in report.notes]
        assert [Note] == [
            type(f) async for f in source_of(second).read() if not isinstance(f, SourceRecord)
        ]


async def test_an_empty_space_is_no_source() -> None:
    """A wrong name of a space is not taken for one in which there is nothing to do."""
    async with open("memory://") as storage:
        with pytest.raises(NotFound, match="nothing in space 'default'"):
            await source_of(storage).scan()
