"""`stats`: what states take, what they share, and what whole ones would take."""

from __future__ import annotations

from typing import Any

import pytest

from ropewalk.domain.checkpoint import CleanupPolicy, Write
from ropewalk.domain.errors import NotFound
from ropewalk.services.storage import Storage

pytestmark = pytest.mark.seed("3.4")


def state(steps: int, name: str = "t") -> dict[str, Any]:
    """Return a state with so many messages."""
    return {"messages": [{"role": "user", "content": f"{name} {n} " * 60} for n in range(steps)]}


async def test_sums_agree_and_sharing_shows(storage: Storage) -> None:
    """Own and shared bytes add up; many states of one thread take little more than one."""
    await storage.threads.create(id="t")
    for steps in range(1, 21):
        await storage.checkpoints.save("t", state(steps))
    await storage.threads.create(id="alone")
    await storage.checkpoints.save("alone", state(3, "alone"))
    one = (await storage.checkpoints.stats("t")).threads[0]
    assert (20, 0) == (one.checkpoints, one.shared_bytes)
    assert one.ratio > 2

    fork = await storage.threads.fork("t", id="fork")
    await storage.checkpoints.save(fork.id, state(21))
    space = await storage.checkpoints.stats()
    by_id = {thread.thread_id: thread for thread in space.threads}
    assert {"t", "fork", "alone"} == by_id.keys()
    shared = by_id["fork"].shared_bytes
    assert shared > 0
    assert shared == by_id["t"].shared_bytes
    assert 0 == by_id["alone"].shared_bytes
    own = sum(thread.node_bytes for thread in space.threads)
    assert space.node_bytes == own + shared
    parts = space.node_bytes + space.header_bytes + space.dictionary_bytes
    assert space.stored_bytes == parts + space.write_bytes + space.garbage_bytes
    assert space.whole_bytes == sum(thread.whole_bytes for thread in space.threads)
    assert space.ratio == space.whole_bytes / space.stored_bytes


async def test_whole_is_what_a_state_takes_by_itself(storage: Storage) -> None:
    """The same state saved by itself elsewhere takes what was counted for it."""
    for name in ("one", "two"):
        await storage.threads.create(id=name)
        await storage.checkpoints.save(name, state(30))
    space = await storage.checkpoints.stats()
    first, second = space.threads
    assert first.whole_bytes == first.own_bytes
    assert second.whole_bytes == second.own_bytes


async def test_writes_and_garbage_are_counted(storage: Storage) -> None:
    """Pending writes have their own bytes; what pruning left behind is garbage until collected."""
    await storage.threads.create(id="t")
    for steps in (5, 40, 3):
        await storage.checkpoints.save("t", state(steps, str(steps)))
    [newest] = (await storage.checkpoints.list("t", limit=1)).items
    write = Write(task_id="a", index=0, channel="x", value="v" * 2_000)
    await storage.states.put_writes(newest.id, "t", [write], replace=False)
    await storage.checkpoints.prune("t", CleanupPolicy(keep_last=1))
    space = await storage.checkpoints.stats()
    assert (1, True) == (space.threads[0].writes, space.write_bytes > 0)
    assert space.garbage > 0
    collected = await storage.checkpoints.collect()
    assert (space.garbage, space.garbage_bytes) == (collected.removed, collected.freed_bytes)
    after = await storage.checkpoints.stats()
    assert (0, 0) == (after.garbage, after.garbage_bytes)
    assert space.node_bytes == after.node_bytes


async def test_an_unknown_thread_is_named(storage: Storage) -> None:
    """And one without checkpoints takes nothing."""
    await storage.threads.create(id="t")
    [empty] = (await storage.checkpoints.stats("t")).threads
    assert (0, 0) == (empty.own_bytes, empty.whole_bytes)
    with pytest.raises(NotFound, match="'nobody'"):
        await storage.checkpoints.stats("nobody")
