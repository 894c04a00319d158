"""Checkpoints: states saved, found again along the line, listed without being read, cleared."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ropewalk.domain.checkpoint import Checkpoint, CleanupPolicy
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Invalid, NotFound
from ropewalk.services.storage import Storage

pytestmark = [pytest.mark.seed("3.4"), pytest.mark.seed("4.1")]


async def test_a_state_comes_back_with_its_types(storage: Storage) -> None:
    """Sets, tuples, bytes, times, big integers and None keep their types."""
    await storage.threads.create(id="t")
    state = {
        "set": {1, 2},
        "tuple": (1, "x"),
        "bytes": b"\0",
        "when": datetime(2026, 1, 1, tzinfo=UTC),
        "big": 10**40,
        "none": None,
        1: {"nested": [1.5, True]},
    }

    header = await storage.checkpoints.save("t", state, metadata={"step": 1}, workflow_id="w")
    loaded = await storage.checkpoints.load(header.id)

    assert state == loaded.state
    assert (tuple, set) == (type(loaded.state["tuple"]), type(loaded.state["set"]))
    assert ({"step": 1}, "w", header.size) == (loaded.metadata, loaded.workflow_id, loaded.size)


@pytest.mark.parametrize("state", [None, [], "", 0, {"a": {}}, "text"])
async def test_a_state_may_be_anything(storage: Storage, state: object) -> None:
    """A state need not be a dictionary, and None is a state too."""
    await storage.threads.create(id="t")

    header = await storage.checkpoints.save("t", state)
    latest = await storage.checkpoints.latest("t")

    assert latest is not None
    assert (header.id, state) == (latest.id, latest.state)


async def test_a_state_is_taken_as_it_is_at_the_call(storage: Storage) -> None:
    """What the caller does to its object afterwards, or to what it loaded, changes nothing."""
    await storage.threads.create(id="t")
    state = {"list": [1]}

    header = await storage.checkpoints.save("t", state)
    state["list"].append(2)
    (await storage.checkpoints.load(header.id)).state["list"].append(3)

    assert {"list": [1]} == (await storage.checkpoints.load(header.id)).state


async def test_an_unregistered_type_is_named_by_its_path(storage: Storage) -> None:
    """A value that cannot be kept is refused with its place in the state, and nothing is saved."""

    class Secret:
        pass

    await storage.threads.create(id="t")

    with pytest.raises(Invalid, match=r"steps.*1.*payload"):
        await storage.checkpoints.save("t", {"steps": [{}, {"payload": Secret()}]})

    assert await storage.checkpoints.latest("t") is None


async def test_lists_are_newest_first_and_read_no_state(storage: Storage) -> None:
    """Headers come newest first, chained by their parents, in pages, by workflow."""
    await storage.threads.create(id="t")
    ids = [
        (await storage.checkpoints.save("t", {"n": n}, workflow_id="ab"[n % 2])).id
        for n in range(5)
    ]

    first = await storage.checkpoints.list("t", limit=3)
    second = await storage.checkpoints.list("t", limit=3, cursor=first.cursor)
    of_a = await storage.checkpoints.list("t", workflow_id="a")
    latest_b = await storage.checkpoints.latest("t", workflow_id="b")

    listed = [*first, *second]
    assert ids[::-1] == [header.id for header in listed]
    assert [*ids[3::-1], None] == [header.parent_id for header in listed]
    assert [ids[4], ids[2], ids[0]] == [header.id for header in of_a]
    assert latest_b is not None
    assert {"n": 3} == latest_b.state
    assert 2 == await storage.checkpoints.count("t", workflow_id="b")
    assert not hasattr(listed[0], "state")


async def test_a_fork_continues_from_its_checkpoint(storage: Storage) -> None:
    """The fork's latest is the fork point until it saves its own; lists go through."""
    await storage.threads.create(id="t")
    one = await storage.checkpoints.save("t", {"n": 1})
    await storage.checkpoints.save("t", {"n": 2})
    await storage.threads.fork("t", at=one.id, id="f")

    inherited = await storage.checkpoints.latest("f")
    own = await storage.checkpoints.save("f", {"n": "own"})

    assert inherited is not None
    assert (one.id, {"n": 1}) == (inherited.id, inherited.state)
    assert one.id == own.parent_id
    assert [own.id, one.id] == [h.id for h in await storage.checkpoints.list("f")]


async def test_metadata_can_be_filtered_and_merged(storage: Storage) -> None:
    """Metadata is searchable across threads, and merged without touching the state."""
    await storage.threads.create(id="t")
    header = await storage.checkpoints.save("t", {"n": 1}, metadata={"step": 1, "nested": {"a": 1}})
    await storage.checkpoints.save("t", {"n": 2}, metadata={"step": 2})

    after = await storage.checkpoints.set_metadata(header.id, {"good": True})
    found = [h.id async for h in storage.checkpoints.stream(metadata={"nested": {"a": 1}})]

    assert {"step": 1, "nested": {"a": 1}, "good": True} == after.metadata
    assert ([header.id], {"n": 1}) == (found, (await storage.checkpoints.load(header.id)).state)
    with pytest.raises(Conflict):
        await storage.checkpoints.set_metadata(header.id, {"x": 1}, expected_version=1)


async def test_a_copy_is_a_checkpoint_of_its_own(storage: Storage) -> None:
    """A copied checkpoint has its own id on the other thread and outlives the original."""
    await storage.threads.create(id="t")
    await storage.threads.create(id="u")
    header = await storage.checkpoints.save("t", {"n": 1}, workflow_id="w", metadata={"a": 1})

    copied = await storage.checkpoints.copy(header.id, to="u")
    await storage.checkpoints.delete(header.id)

    loaded = await storage.checkpoints.load(copied.id)
    assert ("u", "w", {"a": 1}, {"n": 1}) == (
        loaded.thread_id,
        loaded.workflow_id,
        loaded.metadata,
        loaded.state,
    )


async def test_deleting_takes_the_state_and_spares_fork_points(storage: Storage) -> None:
    """A deleted checkpoint leaves no state behind; one that a fork begins at is protected."""
    await storage.threads.create(id="t")
    one = await storage.checkpoints.save("t", {"n": 1})
    two = await storage.checkpoints.save("t", {"n": 2})
    await storage.threads.fork("t", at=one.id)

    await storage.checkpoints.delete(two.id)
    with pytest.raises(Conflict, match="a fork of thread 't' begins"):
        await storage.checkpoints.delete(one.id)
    with pytest.raises(NotFound):
        await storage.checkpoints.delete(two.id)

    assert 1 == (await storage.kinds())["checkpoint"]


async def test_cleanup_keeps_what_a_rule_keeps_and_says_why(
    storage: Storage, clock: FrozenClock
) -> None:
    """Newest, fork points, age, number and metadata each keep; the dry run deletes nothing."""
    await storage.threads.create(id="t")
    ids: list[str] = []
    for n in range(8):
        metadata = {"keep": True} if n == 1 else {}
        ids.append((await storage.checkpoints.save("t", {"n": n}, metadata=metadata)).id)
        clock.advance(60_000_000)
    await storage.threads.fork("t", at=ids[3], id="f")
    policy = CleanupPolicy(keep_last=2, keep_where={"keep": True})

    dry = await storage.checkpoints.cleanup("t", policy, dry_run=True)
    assert 8 == await storage.checkpoints.count("t")
    real = await storage.checkpoints.cleanup("t", policy)

    assert {ids[7]: "newest", ids[6]: "one of the last 2", ids[3]: "a fork begins here",
            ids[1]: "its metadata says so"} == dry.kept  # fmt: skip
    assert (dry.removed, dry.freed_bytes) == (real.removed, real.freed_bytes)
    assert {ids[0], ids[2], ids[4], ids[5]} == set(real.removed)
    assert real.freed_bytes > 0
    assert 4 == await storage.checkpoints.count("t")
    latest = await storage.checkpoints.latest("f")
    assert latest is not None
    assert {"n": 3} == latest.state

    by_age = CleanupPolicy(keep_for=timedelta(minutes=3))
    left = await storage.checkpoints.cleanup("t", by_age)
    assert {ids[7], ids[6], ids[3]} == left.kept.keys()


async def test_a_policy_without_a_rule_is_refused() -> None:
    """An empty policy, which would delete everything, cannot be made."""
    with pytest.raises(Invalid, match="needs keep_last, keep_for or keep_where"):
        CleanupPolicy()
    with pytest.raises(Invalid, match="keep_last must be 1 or more"):
        CleanupPolicy(keep_last=0)
    with pytest.raises(Invalid, match="keep_for must be a positive duration"):
        CleanupPolicy(keep_for=timedelta(0))


async def test_a_parent_must_exist(storage: Storage) -> None:
    """A parent of one's own choice has to be there."""
    await storage.threads.create(id="t")
    one = await storage.checkpoints.save("t", 1)
    await storage.checkpoints.save("t", 2)

    with pytest.raises(NotFound, match="'nothing'"):
        await storage.checkpoints.save("t", 3, parent_id="nothing")
    chosen = await storage.checkpoints.save("t", 3, parent_id=one.id)

    assert one.id == chosen.parent_id


async def test_checkpoints_made_elsewhere_keep_ids_and_times(storage: Storage) -> None:
    """Adopted checkpoints are ordered by their own times."""
    await storage.threads.create(id="t")
    when = datetime(2025, 1, 1, tzinfo=UTC)
    old = Checkpoint(id="a", thread_id="t", created_at=when, updated_at=when, state={"n": 1})

    await storage.checkpoints.adopt(replace(old, id="b", created_at=when + timedelta(1)), old)

    latest = await storage.checkpoints.latest("t")
    assert latest is not None
    assert ("b", {"n": 1}) == (latest.id, latest.state)
    assert when == (await storage.checkpoints.get("a")).created_at
