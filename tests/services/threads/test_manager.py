"""Threads: their life, their forks and branches, and lines that cost only what is read."""

from __future__ import annotations

import pytest

from ropewalk.domain.errors import Conflict, Invalid, NotFound
from ropewalk.domain.thread import BranchStatus, ThreadStatus
from ropewalk.services.storage import Storage

pytestmark = [pytest.mark.seed("3.2"), pytest.mark.seed("4.1")]


async def said(storage: Storage, thread_id: str) -> list[str]:
    """Return the texts on the line of a thread."""
    return [message.content for message in await storage.history.messages(thread_id)]


async def say(storage: Storage, thread_id: str, *texts: str) -> None:
    """Append messages whose ids are their texts."""
    for text in texts:
        await storage.history.add_message(thread_id=thread_id, role="user", content=text, id=text)


async def test_what_is_created_is_read_back(storage: Storage) -> None:
    """A thread comes back with everything it was created with, its own root."""
    session = await storage.sessions.create()
    made = await storage.threads.create(
        session_id=session.id, title="trains", graph_id="g", metadata={"a": 1}
    )

    assert made == await storage.threads.get(made.id)
    assert (session.id, "trains", "g", made.id) == (
        made.session_id,
        made.title,
        made.graph_id,
        made.root_id,
    )
    assert (ThreadStatus.ACTIVE, None, {"a": 1}) == (made.status, made.origin, made.metadata)


async def test_a_thread_needs_its_session(storage: Storage) -> None:
    """A thread cannot be put into a session that is not there."""
    with pytest.raises(NotFound, match="no session 'nobody'"):
        await storage.threads.create(session_id="nobody")

    assert {} == await storage.kinds()


async def test_lists_filter_by_everything_given(storage: Storage) -> None:
    """Session, status, graph and metadata narrow a list."""
    await storage.sessions.create(id="s")
    await storage.threads.create(id="a", session_id="s", graph_id="g")
    await storage.threads.create(id="b", session_id="s", metadata={"k": "v"})
    await storage.threads.create(id="c", graph_id="g")
    await storage.threads.update("c", status="completed")

    assert ["b", "a"] == [t.id for t in await storage.threads.list(session_id="s")]
    assert ["c", "a"] == [t.id for t in await storage.threads.list(graph_id="g")]
    assert ["c"] == [t.id for t in await storage.threads.list(status="completed")]
    assert ["b"] == [t.id for t in await storage.threads.list(metadata={"k": "v"})]
    assert 2 == await storage.threads.count(session_id="s")


async def test_a_fork_sees_its_past_and_not_the_other_future(storage: Storage) -> None:
    """Both lines share what was before the fork; what comes later is each line's own."""
    await storage.threads.create(id="main")
    await say(storage, "main", "one", "two")
    checkpoint = await storage.checkpoints.save("main", {"n": 2})
    await say(storage, "main", "three")

    await storage.threads.fork("main", at=checkpoint.id, name="other", id="alt")
    await say(storage, "alt", "other three")

    assert ["one", "two", "three"] == await said(storage, "main")
    assert ["one", "two", "other three"] == await said(storage, "alt")


async def test_a_fork_copies_nothing(storage: Storage) -> None:
    """A fork of a long thread writes one thread and one branch."""
    await storage.threads.create(id="main")
    await say(storage, "main", *(f"m{n}" for n in range(30)))
    await storage.checkpoints.save("main", {"big": "x" * 10_000})
    before = await storage.kinds()

    await storage.threads.fork("main", id="alt")

    assert before | {"thread": 2, "branch": 1} == await storage.kinds()
    assert 30 == len(await said(storage, "alt"))


async def test_editing_a_message_is_a_fork_before_it(storage: Storage) -> None:
    """A fork before message N lacks N and everything behind it, and the original keeps them."""
    await storage.threads.create(id="main")
    await say(storage, "main", "one", "two", "three")

    await storage.threads.fork("main", before="two", id="edit")
    await say(storage, "edit", "two, edited")

    assert ["one", "two, edited"] == await said(storage, "edit")
    assert ["one", "two", "three"] == await said(storage, "main")


async def test_a_fork_after_a_message_keeps_it(storage: Storage) -> None:
    """A fork at a message continues behind it."""
    await storage.threads.create(id="main")
    await say(storage, "main", "one", "two", "three")

    fork = await storage.threads.fork("main", at="two", id="alt")

    assert ["one", "two"] == await said(storage, "alt")
    assert fork.origin is not None
    assert "two" == fork.origin.message_id


async def test_forks_of_forks_read_through(storage: Storage) -> None:
    """A line across five forks reads each thread's part once, in order, in pages."""
    await storage.threads.create(id="t0")
    await say(storage, "t0", "m0")
    for n in range(1, 6):
        await storage.threads.fork(f"t{n - 1}", id=f"t{n}")
        await say(storage, f"t{n}", f"m{n}")
        await say(storage, f"t{n - 1}", f"late {n}")

    assert [f"m{n}" for n in range(6)] == await said(storage, "t5")
    for newest_first in (False, True):
        seen: list[str] = []
        cursor = None
        while True:
            page = await storage.history.page(
                thread_id="t5", newest_first=newest_first, limit=2, cursor=cursor
            )
            seen += [entry.id for entry in page]
            cursor = page.cursor
            if cursor is None:
                break
        assert sorted((f"m{n}" for n in range(6)), reverse=newest_first) == seen


async def test_a_point_must_be_on_the_line(storage: Storage) -> None:
    """What another line wrote is no place to fork from, and unknown ids are named."""
    await storage.threads.create(id="main")
    await say(storage, "main", "one")
    await storage.threads.fork("main", id="alt")
    await say(storage, "alt", "elsewhere")

    with pytest.raises(Invalid, match="not on the line of thread 'main'"):
        await storage.threads.fork("main", at="elsewhere")
    with pytest.raises(NotFound, match="'nothing'"):
        await storage.threads.fork("main", at="nothing")
    with pytest.raises(Invalid, match="not both"):
        await storage.threads.fork("main", at="one", before="one")
    assert {"thread": 2, "branch": 1, "message": 2} == await storage.kinds()


async def test_a_fork_may_begin_in_an_inherited_part(storage: Storage) -> None:
    """A fork of a fork at a point of the common past shares only that past."""
    await storage.threads.create(id="main")
    await say(storage, "main", "one", "two")
    await storage.threads.fork("main", id="alt")
    await say(storage, "alt", "three")

    await storage.threads.fork("alt", at="one", id="early")

    assert ["one"] == await said(storage, "early")


async def test_branches_have_names_and_a_fate(storage: Storage) -> None:
    """A fork makes a named branch, found from its source, whose status can change."""
    await storage.threads.create(id="main")
    checkpoint = await storage.checkpoints.save("main", {})
    await storage.threads.fork("main", at=checkpoint.id, name="cheaper", id="alt")
    await storage.threads.fork("main", name="faster", id="alt2")

    first, second = await storage.threads.branches("main")
    await storage.threads.update_branch(first.id, status="abandoned", metadata={"why": "price"})

    assert ("cheaper", "main", "alt", checkpoint.id) == (
        first.name,
        first.source_thread_id,
        first.thread_id,
        first.checkpoint_id,
    )
    assert ["faster"] == [b.name for b in await storage.threads.branches("main", status="active")]
    [gone] = await storage.threads.branches("main", status=BranchStatus.ABANDONED)
    assert ({"why": "price"}, "faster") == (gone.metadata, second.name)


async def test_the_tree_shows_the_whole_family(storage: Storage) -> None:
    """The tree of any member starts at the root and nests forks, oldest first."""
    await storage.threads.create(id="root")
    await storage.threads.create(id="stranger")
    await storage.threads.fork("root", id="a", name="a")
    await storage.threads.fork("root", id="b", name="b")
    await storage.threads.fork("a", id="aa", name="aa")

    tree = await storage.threads.tree("aa")

    assert "root" == tree.thread.id
    assert ["a", "b"] == [child.thread.id for child in tree.children]
    assert ["aa"] == [child.thread.id for child in tree.children[0].children]
    assert tree.children[1].branch is not None
    assert "b" == tree.children[1].branch.name
    assert ["root", "a", "aa"] == [t.id for t in await storage.threads.lineage("aa")]


async def test_a_rollback_deletes_nothing(storage: Storage) -> None:
    """After a rollback the line ends earlier and goes on; an older fork still sees it all."""
    await storage.threads.create(id="main")
    await say(storage, "main", "one")
    checkpoint = await storage.checkpoints.save("main", {"n": 1})
    await say(storage, "main", "two")
    await storage.checkpoints.save("main", {"n": 2})
    await storage.threads.fork("main", id="before rollback")

    await storage.threads.rollback("main", to=checkpoint.id)
    await say(storage, "main", "two again")
    await storage.threads.fork("main", id="after rollback")

    assert ["one", "two again"] == await said(storage, "main")
    assert ["one", "two"] == await said(storage, "before rollback")
    assert ["one", "two again"] == await said(storage, "after rollback")
    latest = await storage.checkpoints.latest("main")
    assert latest is not None
    assert {"n": 1} == latest.state
    assert "two" == getattr(await storage.history.get("two"), "content", None)


async def test_a_rollback_may_reach_behind_the_fork(storage: Storage) -> None:
    """A fork that is rolled back into its inherited part ends there."""
    await storage.threads.create(id="main")
    await say(storage, "main", "one", "two")
    await storage.threads.fork("main", id="alt")
    await say(storage, "alt", "three")

    await storage.threads.rollback("alt", to="one")
    await say(storage, "alt", "new two")

    assert ["one", "new two"] == await said(storage, "alt")
    assert ["one", "two"] == await said(storage, "main")


async def test_rollbacks_can_follow_each_other(storage: Storage) -> None:
    """Three rollbacks leave exactly what was never rolled back."""
    await storage.threads.create(id="t")
    await say(storage, "t", "a", "b", "c")
    await storage.threads.rollback("t", before="c")
    await say(storage, "t", "d", "e")
    await storage.threads.rollback("t", to="d")
    await say(storage, "t", "f")
    await storage.threads.rollback("t", before="b")
    await say(storage, "t", "g")

    assert ["a", "g"] == await said(storage, "t")


async def test_a_snapshot_brings_a_thread_back(storage: Storage) -> None:
    """Restoring a snapshot by id or name restores messages and state."""
    await storage.threads.create(id="t")
    await say(storage, "t", "one")
    await storage.checkpoints.save("t", {"n": 1})
    snapshot = await storage.threads.snapshot("t", "good", description="works", metadata={"a": 1})
    await say(storage, "t", "two")
    await storage.checkpoints.save("t", {"n": 2})

    await storage.threads.restore("t", "good")

    latest = await storage.checkpoints.latest("t")
    assert latest is not None
    assert ({"n": 1}, ["one"]) == (latest.state, await said(storage, "t"))
    assert (snapshot,) == await storage.threads.snapshots("t")
    assert (latest.id, "works", {"a": 1}) == (
        snapshot.checkpoint_id,
        snapshot.description,
        snapshot.metadata,
    )
    await storage.threads.delete_snapshot(snapshot.id)
    with pytest.raises(NotFound, match="good"):
        await storage.threads.restore("t", "good")


async def test_deleting_refuses_while_there_are_forks(storage: Storage) -> None:
    """A fork protects what it continues; `all` takes the forks along, `detach` is refused."""
    await storage.threads.create(id="main")
    await storage.threads.create(id="other")
    await say(storage, "main", "one")
    await say(storage, "other", "x")
    await storage.checkpoints.save("main", {})
    await storage.threads.fork("main", id="alt")
    await storage.threads.fork("alt", id="alt2")
    await storage.threads.snapshot("alt2", "s")

    with pytest.raises(Conflict, match="1 forks, 'alt' among them"):
        await storage.threads.delete("main")
    with pytest.raises(Invalid, match="use restrict or all"):
        await storage.threads.delete("main", cascade="detach")
    assert ["one"] == await said(storage, "alt2")

    await storage.threads.delete("main", cascade="all")

    await storage.checkpoints.collect()
    assert {"thread": 1, "message": 1, "secret": 1} == await storage.kinds()


async def test_deleting_a_fork_leaves_its_source_alone(storage: Storage) -> None:
    """With the fork its branch goes, and nothing of the source."""
    await storage.threads.create(id="main")
    await say(storage, "main", "one")
    await storage.threads.fork("main", id="alt")
    await say(storage, "alt", "two")

    await storage.threads.delete("alt")

    assert {"thread": 1, "message": 1} == await storage.kinds()
    assert () == await storage.threads.branches("main")


async def test_an_unknown_thread_is_named(storage: Storage) -> None:
    """Every verb names the thread that is not there."""
    for call in (
        storage.threads.get("nobody"),
        storage.threads.fork("nobody"),
        storage.threads.delete("nobody"),
        storage.threads.tree("nobody"),
        storage.threads.update("nobody", title="x"),
        storage.history.add_message(thread_id="nobody", role="user"),
        storage.history.page(thread_id="nobody"),
        storage.checkpoints.save("nobody", {}),
        storage.checkpoints.latest("nobody"),
    ):
        with pytest.raises(NotFound, match="no thread 'nobody'"):
            await call
    assert {} == await storage.kinds()
