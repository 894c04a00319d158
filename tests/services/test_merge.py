"""Merging branches: three-way, with a chosen answer where both changed the same."""

from __future__ import annotations

import pytest

from ropewalk.domain.errors import Conflict, Invalid
from ropewalk.domain.thread import BranchStatus
from ropewalk.services.storage import Storage

pytestmark = pytest.mark.seed("3.2")


async def _diverge(storage: Storage, ours: object, theirs: object) -> None:
    await storage.threads.create(id="main")
    await storage.checkpoints.save("main", {"plan": ["search"], "budget": 300}, id="base")
    await storage.threads.fork("main", at="base", name="cheaper", id="alt")
    await storage.checkpoints.save("main", ours)
    await storage.checkpoints.save("alt", theirs, workflow_id="w")


async def test_a_merge_is_a_new_checkpoint(storage: Storage) -> None:
    """Both changes are in the merged state; the branch is marked and both lines stay."""
    await _diverge(
        storage,
        {"plan": ["search", "book"], "budget": 300},
        {"plan": ["search"], "budget": 200, "note": "x"},
    )

    header = await storage.threads.merge("alt", into="main")

    state = (await storage.checkpoints.load(header.id)).state
    assert {"plan": ["search", "book"], "budget": 200, "note": "x"} == state
    assert ("main", "alt", "w") == (
        header.thread_id,
        header.metadata["merged_from"],
        header.workflow_id,
    )
    [branch] = await storage.threads.branches("main")
    assert BranchStatus.MERGED == branch.status
    latest = await storage.checkpoints.latest("alt")
    assert latest is not None
    assert 200 == latest.state["budget"]


async def test_a_merge_conflict_names_the_paths_and_writes_nothing(storage: Storage) -> None:
    """By default a conflict is raised; a chosen side resolves it."""
    await _diverge(storage, {"plan": ["a"], "budget": 300}, {"plan": ["b"], "budget": 300})
    before = await storage.kinds()

    with pytest.raises(Conflict, match="both changed plan") as caught:
        await storage.threads.merge("alt", into="main")

    assert ("plan",) == caught.value.facts["paths"]
    assert before == await storage.kinds()
    header = await storage.threads.merge("alt", into="main", strategy="theirs")
    assert ["b"] == (await storage.checkpoints.load(header.id)).state["plan"]


async def test_a_thread_without_a_state_cannot_be_merged(storage: Storage) -> None:
    """There is nothing to merge where nothing was saved."""
    await storage.threads.create(id="main")
    await storage.threads.create(id="empty")

    with pytest.raises(Invalid, match="no checkpoint to merge"):
        await storage.threads.merge("empty", into="main")
