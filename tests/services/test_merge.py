"""Merging branches: three-way, with a chosen answer where both changed the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from ropewalk.domain.change import Applied, Batch
from ropewalk.domain.errors import Conflict, Invalid
from ropewalk.domain.policy import FirstWins, LastWins, Merge
from ropewalk.domain.ports import Backend
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
    before = len([commit async for commit in storage.feed()])

    report = await storage.threads.merge("alt", into="main")

    header = report.checkpoint
    assert header is not None
    assert before + 1 == len([commit async for commit in storage.feed()])
    state = (await storage.checkpoints.load(header.id)).state
    assert {"plan": ["search", "book"], "budget": 200, "note": "x"} == state
    assert ("main", "alt", "w") == (
        header.thread_id,
        header.metadata["merged_from"],
        header.workflow_id,
    )
    assert {"plan": "ours", "budget": "theirs", "note": "theirs"} == {
        choice.path: choice.how for choice in report.choices
    }
    [branch] = await storage.threads.branches("main")
    assert BranchStatus.MERGED == branch.status
    latest = await storage.checkpoints.latest("alt")
    assert latest is not None
    assert 200 == latest.state["budget"]


async def test_a_conflict_names_the_paths_and_writes_nothing(storage: Storage) -> None:
    """Without a policy a conflict is raised; a dry run reports it; a chosen side resolves it."""
    await _diverge(storage, {"plan": ["a"], "budget": 300}, {"plan": ["b"], "budget": 300})
    before = await storage.kinds()

    with pytest.raises(Conflict, match="both changed plan") as caught:
        await storage.threads.merge("alt", into="main")
    rehearsed = await storage.threads.merge("alt", into="main", dry_run=True)

    assert ("plan",) == caught.value.facts["paths"] == rehearsed.conflicts
    [choice] = rehearsed.choices
    assert (["search"], ["a"], ["b"], ["a"]) == (
        choice.base,
        choice.ours,
        choice.theirs,
        choice.taken,
    )
    assert rehearsed.is_dry
    assert "plan: ['search'] -> ours ['a'], theirs ['b']; conflict: ['a']" == str(rehearsed)
    assert before == await storage.kinds()
    for policy, plan in ((FirstWins(), ["a"]), (LastWins(), ["b"])):
        report = await storage.threads.merge("alt", into="main", policy=policy, dry_run=True)
        assert (plan, ()) == (report.choices[0].taken, report.conflicts)


async def test_reducers_merge_what_both_have_done(storage: Storage) -> None:
    """Lists, counters and the threads' metadata are merged as the policy names them."""
    await _diverge(
        storage,
        {"plan": ["search", "book"], "budget": 250},
        {"plan": ["search", "pay"], "budget": 280},
    )
    await storage.threads.update("main", metadata={"owner": "ann", "score": 3})
    await storage.threads.update("alt", metadata={"owner": "bob", "score": 5, "own": True})

    policy = Merge(fields={"plan": "append", "budget": "sum", "thread.metadata.score": "max"})
    report = await storage.threads.merge("alt", into="main", policy=policy)

    latest = await storage.checkpoints.latest("main")
    assert latest is not None
    assert {"plan": ["search", "book", "pay"], "budget": 230} == latest.state
    assert {"owner": "ann", "score": 5} == (await storage.threads.get("main")).metadata
    assert {"plan": "append", "budget": "sum", "thread.metadata.score": "max"} == (
        latest.metadata["merge_decided"]
    )
    assert report.checkpoint is not None
    assert report.checkpoint.id == latest.id


async def test_messages_come_along_once(storage: Storage) -> None:
    """What was said on the branch since it parted stands behind the other's, in order."""
    add = storage.history.add_message
    await storage.threads.create(id="main")
    await add(thread_id="main", role="user", content="both")
    await storage.threads.fork("main", id="alt", name="alt")
    for content in ("one", "two"):
        await add(thread_id="alt", role="user", content=content)
    await add(thread_id="main", role="user", content="meanwhile")

    with pytest.raises(Invalid, match="messages='append'"):
        await storage.threads.merge("alt", into="main")
    report = await storage.threads.merge("alt", into="main", messages="append")
    again = await storage.threads.merge("alt", into="main", messages="append")

    said = await storage.history.messages("main")
    assert ["both", "meanwhile", "one", "two"] == [message.content for message in said]
    assert report.messages == tuple(message.id for message in said[2:])
    assert "alt" == said[2].metadata["merged_from"]
    assert () == again.messages
    assert ["both", "one", "two"] == [m.content for m in await storage.history.messages("alt")]


@pytest.mark.seed("5.2")
async def test_a_merge_meets_whoever_goes_on(
    storage: Storage, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state saved while the merge is made is merged as well, and not written over."""
    await _diverge(storage, {"plan": [], "budget": 300}, {"plan": ["b"], "budget": 300})
    apply, late = backend.apply, [1]

    async def meet(batch: Batch) -> Applied:
        if late:
            late.pop()
            await storage.checkpoints.save("main", {"plan": [], "budget": 300, "late": True})
        return await apply(batch)

    monkeypatch.setattr(backend, "apply", meet)
    await storage.threads.merge("alt", into="main", policy=LastWins())

    latest = await storage.checkpoints.latest("main")
    assert latest is not None
    assert {"plan": ["b"], "budget": 300, "late": True} == latest.state


async def test_states_are_raised_before_they_are_merged(storage: Storage) -> None:
    """A merge, as any unit of work, reads old states through the functions that were given."""
    await _diverge(storage, {"plan": 1, "budget": 1}, {"plan": 2, "budget": 3})
    storage.checkpoints.upcast(0, lambda state: {**state, "v": 1})

    policy = Merge(fields={"budget": "sum"}, default="last")
    report = await storage.threads.merge("alt", into="main", policy=policy)

    assert report.checkpoint is not None
    merged = await storage.checkpoints.load(report.checkpoint.id)
    assert {"plan": 2, "budget": 1 + 3 - 300, "v": 1} == merged.state


async def test_what_cannot_be_merged_is_refused(storage: Storage) -> None:
    """No state, the same thread twice and unknown words are named, and change nothing."""
    await storage.threads.create(id="main")
    await storage.threads.create(id="empty")
    merge = cast("Callable[..., Awaitable[object]]", storage.threads.merge)

    with pytest.raises(Invalid, match="no checkpoint to merge"):
        await merge("empty", into="main")
    with pytest.raises(Invalid, match="into itself"):
        await merge("main", into="main")
    with pytest.raises(Invalid, match="leave"):
        await merge("empty", into="main", messages="all")
    with pytest.raises(Invalid, match=r"FirstWins\(\)"):
        await merge("empty", into="main", policy="ours")
