"""The newest checkpoint is remembered where it was put, and looked for where somebody moved it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

import ropewalk

if TYPE_CHECKING:
    from pathlib import Path

    from ropewalk.services.storage import Storage

pytestmark = [pytest.mark.seed("3.4"), pytest.mark.seed("4.1")]


async def _newest(storage: Storage, workflow_id: str | None = None) -> object:
    found = await storage.checkpoints.latest("t", workflow_id=workflow_id)
    return None if found is None else found.state


async def test_another_handle_may_have_saved_meanwhile(tmp_path: Path) -> None:
    """Who saved last through one handle sees at once what was saved through another one."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    async with ropewalk.open(url) as here, ropewalk.open(url) as there:
        await here.threads.create(id="t")
        for step in range(5):
            await here.checkpoints.save("t", {"here": step})
            assert {"here": step} == await _newest(here)
            assert {"here": step} == await _newest(there)
            await there.checkpoints.save("t", {"there": step})
            assert {"there": step} == await _newest(there)
            assert {"there": step} == await _newest(here)


async def test_what_became_of_the_newest_is_seen(storage: Storage) -> None:
    """Its metadata, its tags and its pin are as they are now, and the caller's own."""
    await storage.threads.create(id="t")
    header = await storage.checkpoints.save("t", {"a": 1}, metadata={"step": 1})
    header.metadata["step"] = 7  # type: ignore[index]
    await storage.checkpoints.set_metadata(header.id, {"more": [2]})
    await storage.checkpoints.tag(header.id, "good")
    await storage.checkpoints.pin(header.id)
    found = await storage.checkpoints.latest_header("t")
    assert found is not None
    assert ({"step": 1, "more": [2]}, ("good",), True) == (
        found.metadata,
        found.tags,
        found.pinned,
    )
    found.metadata["more"].append(3)
    again = await storage.checkpoints.latest_header("t")
    assert again is not None
    assert {"step": 1, "more": [2]} == again.metadata


async def test_the_newest_may_be_deleted_or_taken_back(storage: Storage) -> None:
    """Behind a deletion, and behind a rollback, the one before it is the newest."""
    await storage.threads.create(id="t")
    headers = [await storage.checkpoints.save("t", step) for step in range(4)]
    await storage.checkpoints.delete(headers[3].id)
    assert 2 == await _newest(storage)
    await storage.checkpoints.save("t", "again")
    assert await _newest(storage) == "again"
    await storage.threads.rollback("t", to=headers[1].id)
    assert 1 == await _newest(storage)
    assert [1, 0] == [
        (await storage.checkpoints.load(header.id)).state
        for header in (await storage.checkpoints.list("t")).items
    ]


async def test_one_that_the_caller_dated_is_the_newest_only_by_its_date(storage: Storage) -> None:
    """What was saved last under an older date stands where lists have it."""
    await storage.threads.create(id="t")
    await storage.checkpoints.save("t", "now")
    await storage.checkpoints.save("t", "old", created_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert await _newest(storage) == "now"
    later = datetime.now(UTC) + timedelta(days=1)
    await storage.checkpoints.save("t", "later", created_at=later)
    assert await _newest(storage) == "later"
    await storage.checkpoints.save("t", "behind")
    assert await _newest(storage) == "behind"
    assert ["behind", "later", "now", "old"] == [
        (await storage.checkpoints.load(header.id)).state
        for header in (await storage.checkpoints.list("t")).items
    ]


async def test_the_newest_of_a_workflow_may_be_another(storage: Storage) -> None:
    """Who asks for a workflow's newest gets it, whatever was saved last."""
    await storage.threads.create(id="t")
    await storage.checkpoints.save("t", "a", workflow_id="a")
    await storage.checkpoints.save("t", "b", workflow_id="b")
    assert ["a", "b", "b", None] == [
        await _newest(storage, workflow_id) for workflow_id in ("a", "b", None, "c")
    ]
