"""Thread files in both shapes become threads, each after the one it was forked from."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.legacy.fields import Times
from ropewalk.domain.legacy.shapes import thread_document
from ropewalk.domain.legacy.values import canonical
from ropewalk.domain.moment import to_micros
from ropewalk.domain.thread import Fork, Position, Thread, ThreadStatus
from ropewalk.sources.legacy.survey import THREAD, Found
from ropewalk.sources.legacy.threads import Threads, parents_first
from ropewalk.sources.legacy.visit import Visit
from ropewalk.sources.register import Register

from .reading import Told, read
from .strategies import EXAMPLES, JSON, TIMES, objects
from .writing import MORNING, NOON, ZONE, Tree, stored

BEGAN = datetime(2025, 11, 7, 2, 0, 0, 1, tzinfo=UTC)
LATER = datetime(2025, 11, 7, 4, tzinfo=UTC)


def fork(source: str, checkpoint: str = "ghost", **more: object) -> dict[str, object]:
    """Make the metadata of a fork."""
    marks = {"source_thread_id": source, "source_checkpoint_id": checkpoint}
    return {"branch_name": "b", "branch_type": "fork", **marks, **more}


@pytest.mark.seed("7.1")
async def test_a_flat_file_spreads_its_metadata(tree: Tree) -> None:
    """Every key at the top that is not one of the five is metadata; its session is a link."""
    tree.session("session_1")
    tree.thread("t", session_id="session_1", thread_name="research", owner=None)
    thread = (await read(tree)).only(Thread)
    assert thread == Thread(
        id="t",
        session_id="session_1",
        title="research",
        graph_id="graph_x",
        root_id="t",
        metadata={
            "checkpoint_count": 0,
            "total_steps": 0,
            "session_id": "session_1",
            "thread_name": "research",
            "owner": None,
            "legacy": {"shape": "flat", "updated_at": NOON},
        },
        created_at=BEGAN,
        updated_at=LATER,
    )


@pytest.mark.seed("7.1")
async def test_a_nested_file_has_metadata_on_two_levels(tree: Tree) -> None:
    """The keys of both levels are metadata; where they differ, that of the top stands beside."""
    tree.nested("t", {"title": "trains", "total_steps": 2, "n": 1}, total_steps=3, n=1, last="x")
    thread = (await read(tree)).only(Thread)
    kept = {
        "shape": "nested",
        "top_level": ["last"],
        "both_levels": ["n"],
        "top_level_values": {"total_steps": 3},
        "updated_at": NOON,
    }
    expected = {"title": "trains", "total_steps": 2, "n": 1, "last": "x", "legacy": kept}
    assert ("trains", expected) == (thread.title, thread.metadata)


async def test_files_with_missing_keys_are_read(tree: Tree) -> None:
    """Older files have no status, no graph, no times but one, or not even an id."""
    place = "storage/threads/thread_metadata/old.json"
    tree.document(place, {"thread_id": "old", "created_at": MORNING, "checkpoint_count": 0})
    tree.thread("strange", status="sleeping", created_at="?", title=7)
    tree.thread("timeless", created_at=None, updated_at="?")
    told = await read(tree)
    old, strange = told.entities(Thread)
    assert (ThreadStatus.ACTIVE, None, BEGAN) == (old.status, old.graph_id, old.updated_at)
    assert (ThreadStatus.ACTIVE, "", LATER) == (strange.status, strange.title, strange.created_at)
    assert {"status": "sleeping", "created_at": "?"}.items() <= strange.metadata["legacy"].items()
    assert {"unknown_status", "time_guessed", "odd_value"} == {code for _, code in told.notes()}
    assert [("storage/threads/thread_metadata/timeless.json", "no_time")] == told.problems()


@pytest.mark.seed("7.1")
async def test_a_fork_begins_behind_its_checkpoint(tree: Tree) -> None:
    """A fork leaves its source right behind the checkpoint that it was made at."""
    tree.nested("a_fork", fork("root", "c2"))
    tree.thread("root")
    tree.checkpoints(
        stored("root", "c1", "2025-11-07T10:05:01", {}),
        stored("root", "c2", "2025-11-07T10:05:02.000003", {}),
    )
    told = await read(tree)
    root, forked = told.entities(Thread)
    at = to_micros(datetime(2025, 11, 7, 2, 5, 2, 3, tzinfo=UTC))
    until = Position(at, "c2").behind()
    assert Fork(thread_id="root", until=until, checkpoint_id="c2") == forked.origin
    assert ("root", "root", None) == (root.root_id, forked.root_id, root.origin)


async def test_a_fork_at_nothing_begins_at_its_own_time(tree: Tree) -> None:
    """A checkpoint that is not there is kept as a name, and the thread's own time counts."""
    tree.nested("a_fork", fork("root"))
    tree.thread("root")
    told = await read(tree)
    origin = told.entities(Thread)[1].origin
    until = Position(to_micros(BEGAN), "")
    assert Fork(thread_id="root", until=until, checkpoint_id="ghost") == origin
    assert ("branch~a_fork", "dangling_checkpoint") in told.notes()


async def test_a_fork_of_nothing_is_a_root(tree: Tree) -> None:
    """Without its source a thread begins for itself; the branch keeps the name."""
    tree.nested("orphan", fork("ghost"))
    told = await read(tree)
    thread = told.only(Thread)
    assert (None, "orphan") == (thread.origin, thread.root_id)
    assert ("orphan", "dangling_thread") in told.notes()


async def test_a_line_of_forks_comes_root_first(tree: Tree) -> None:
    """However the files are named, a thread comes after its source, and knows its root."""
    for name, source in (("a", "b"), ("b", "d"), ("c", "b")):
        tree.nested(name, fork(source))
    tree.thread("d")
    threads = (await read(tree)).entities(Thread)
    assert ["d", "b", "a", "c"] == [thread.id for thread in threads]
    assert {"d"} == {thread.root_id for thread in threads}


async def test_threads_that_continue_each_other_are_read(tree: Tree) -> None:
    """A circle of forks, also of one with itself, is broken and told; nothing is lost."""
    for name, source in (("a", "b"), ("b", "a"), ("self", "self")):
        tree.nested(name, fork(source))
    told = await read(tree)
    assert {"a", "b", "self"} == set(told.ids("thread"))
    begun = [thread.id for thread in told.entities(Thread) if thread.origin is None]
    assert ["b", "self"] == begun
    assert {("b", "dangling_thread"), ("self", "dangling_thread")} <= set(told.notes())


async def test_a_thread_in_two_places_is_read_once(tree: Tree) -> None:
    """The very same file twice is one thread; another one of that id gets an id of its own."""
    value = tree.thread("t")
    tree.document("copy/t.json", value)
    tree.document("other/t.json", {**value, "status": "error"})
    told = await read(tree)
    assert ["t", "t~2"] == told.ids("thread")
    assert {("t", "same_document"), ("t~2", "duplicate_id")} == set(told.notes())


THREADS = objects(
    thread_id=st.just("t") | JSON,
    graph_id=JSON,
    status=st.sampled_from(["active", "archived"]) | JSON,
    updated_at=TIMES,
    metadata=objects(a=JSON, legacy=JSON, title=JSON, total_steps=JSON) | JSON,
    total_steps=JSON,
    a=JSON,
    legacy=JSON,
    title=JSON,
    session_id=st.just("session_1") | JSON,
    branch_info=objects(source_thread_id=st.just("ghost") | JSON) | JSON,
    branch_name=JSON,
    source_thread_id=st.just("ghost") | JSON,
    last_snapshot=st.just("snapshot_1") | JSON,
    shared_states=st.lists(objects(source_thread_id=JSON, checkpoint_id=JSON), max_size=2) | JSON,
    merged_from=JSON,
)


@pytest.mark.seed("7.3")
@EXAMPLES
@given(document=THREADS)
def test_any_thread_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any]
) -> None:
    """Whatever stands in a thread's file, the thread gives the whole document again."""
    document = {"thread_id": "t", **document, "created_at": MORNING}
    path = Tree(tmp_path_factory.mktemp("t")).document("t.json", document)
    with Register() as register:
        visit = Visit(Times(ZONE), register)
        visit.files.append(Found(format=THREAD, path=path, place=path.name, id="t"))
        told = Told.of(Threads(visit).read())
    back = thread_document(told.only(Thread), times=Times(ZONE))
    assert canonical(document) == canonical(back)


@given(parents=st.lists(st.integers(0, 9) | st.none(), max_size=10))
def test_parents_come_first_and_each_file_once(
    tmp_path_factory: pytest.TempPathFactory, parents: list[int | None]
) -> None:
    """In any family, with circles and gaps, every file comes once, behind a parent outside them."""
    path = tmp_path_factory.getbasetemp()
    files = [
        Found(
            format=THREAD,
            path=path,
            place=str(index),
            id=str(index),
            parent=None if parent is None else str(parent),
        )
        for index, parent in enumerate(parents)
    ]
    order = [found.id for found in parents_first(files)]
    assert sorted(order, key=str) == sorted((found.id for found in files), key=str)
    for found in files:
        line = [found.id]
        while (last := files[int(line[-1] or 0)].parent) is not None and int(last) < len(files):
            if last in line:
                break
            line.append(last)
        else:
            assert sorted(line, key=order.index) == line[::-1]
