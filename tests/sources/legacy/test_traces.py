"""Branches and snapshots are rebuilt from the traces that they left in thread files."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ropewalk.domain.moment import to_micros
from ropewalk.domain.thread import Branch, Position, Snapshot

from .reading import read
from .writing import NOON, Tree, stored

BEGAN = datetime(2025, 11, 7, 2, 0, 0, 1, tzinfo=UTC)
LATER = datetime(2025, 11, 7, 4, tzinfo=UTC)

MARKS = {
    "branch_name": "hot-fix/1",
    "source_thread_id": "root",
    "source_checkpoint_id": "c1",
    "branch_type": "fork",
}


@pytest.mark.seed("7.1")
async def test_a_branch_is_rebuilt_from_its_thread(tree: Tree) -> None:
    """Name, source, checkpoint and the caller's own metadata are there; the status is not."""
    info = {**MARKS, "branch_id": "branch_1"}
    tree.nested("forked", {**MARKS, "why": "试验", "total_steps": 1}, branch_info=info)
    tree.thread("root", session_id="session_1")
    tree.session("session_1")
    tree.checkpoints(stored("root", "c1", NOON, {}))
    told = await read(tree)
    assert told.only(Branch) == Branch(
        id="branch_1",
        name="hot-fix/1",
        source_thread_id="root",
        thread_id="forked",
        session_id="session_1",
        checkpoint_id="c1",
        metadata={"why": "试验"},
        created_at=BEGAN,
        updated_at=BEGAN,
    )
    assert [] == told.notes()


async def test_a_branch_without_its_id_gets_one(tree: Tree) -> None:
    """The next save of a fork drops `branch_info`; the marks in the metadata are enough."""
    tree.nested("forked", MARKS)
    told = await read(tree)
    assert ["branch~forked"] == told.ids("branch")
    codes = [("branch~forked", "dangling_checkpoint"), ("branch~forked", "dangling_thread")]
    assert codes == told.notes()[1:]


async def test_a_source_thread_alone_makes_no_branch(tree: Tree) -> None:
    """A caller's own metadata may hold a key of that name."""
    tree.thread("t", source_thread_id="root")
    told = await read(tree)
    assert (["t"], []) == (told.ids("thread"), told.ids("branch"))


@pytest.mark.seed("7.1")
async def test_the_last_snapshot_is_rebuilt_from_its_thread(tree: Tree) -> None:
    """Id, thread and time are there; the name is the id, as the real one was never stored."""
    tree.thread("t", last_snapshot="snapshot_1", last_snapshot_at=NOON)
    told = await read(tree)
    assert told.only(Snapshot) == Snapshot(
        id="snapshot_1",
        thread_id="t",
        name="snapshot_1",
        until=Position(to_micros(LATER), ""),
        created_at=LATER,
    )


async def test_a_snapshot_without_a_time_takes_that_of_its_thread(tree: Tree) -> None:
    """The thread's last change is the best guess, and is told."""
    tree.thread("t", last_snapshot="snapshot_1")
    told = await read(tree)
    assert LATER == told.only(Snapshot).created_at
    assert [("snapshot_1", "time_guessed")] == told.notes()


async def test_references_to_nothing_are_told(tree: Tree) -> None:
    """Merges, rollbacks, shares and restores name things that may be gone; the names stay."""
    shared = [{"source_thread_id": "gone", "checkpoint_id": "c9"}, "oops", {}]
    tree.thread(
        "t",
        merged_from="gone",
        rollback_checkpoint="c9",
        last_restored_snapshot="snapshot_9",
        shared_states=shared,
    )
    told = await read(tree)
    assert [
        ("t", "dangling_thread"),
        ("t", "dangling_checkpoint"),
        ("t", "dangling_thread"),
        ("t", "dangling_checkpoint"),
        ("t", "dangling_snapshot"),
    ] == told.notes()
    tree.checkpoints(stored("t", "c9", NOON, {}))
    assert 4 == len((await read(tree)).notes())
