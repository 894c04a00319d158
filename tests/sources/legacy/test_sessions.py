"""Session files become sessions and interactions, with everything that stood in them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.legacy.fields import Times
from ropewalk.domain.legacy.shapes import session_document
from ropewalk.domain.legacy.values import canonical
from ropewalk.domain.session import Interaction, Session, SessionStatus
from ropewalk.domain.thread import Thread
from ropewalk.sources.legacy.sessions import Sessions
from ropewalk.sources.legacy.survey import SESSION, Found
from ropewalk.sources.legacy.visit import Visit
from ropewalk.sources.register import Register

from .reading import Told, read
from .strategies import EXAMPLES, JSON, TIMES, objects
from .writing import MORNING, NOON, ZONE, Tree, interaction

BEGAN = datetime(2025, 11, 7, 2, 0, 0, 1, tzinfo=UTC)
ENDED = datetime(2025, 11, 7, 4, tzinfo=UTC)


@pytest.mark.seed("7.1")
async def test_a_session_brings_its_context_and_its_interactions(tree: Tree) -> None:
    """Owner, status, times and metadata arrive; what we have no field for stays in sight."""
    tree.thread("thread_1")
    tree.session(
        "session_1",
        interaction("i1", "session_1", thread_id="thread_1", metadata={"config": None}),
        interaction("i2", "session_1", interaction_type="error", timestamp=NOON),
        status="archived",
        thread_ids=["thread_1"],
        metadata={"title": "Rome", "request_id": "r"},
    )
    told = await read(tree)
    kept = {
        "context": {"thread_ids": ["thread_1"], "updated_at": MORNING},
        "thread_configs": {},
        "created_at": "2025-11-07T10:00:00.000007",
        "updated_at": NOON,
    }
    assert told.only(Session) == Session(
        id="session_1",
        title="Rome",
        user_id="user@example.com",
        status=SessionStatus.ARCHIVED,
        metadata={"title": "Rome", "request_id": "r", "legacy": kept},
        created_at=BEGAN,
        updated_at=ENDED,
    )
    assert [
        Interaction(
            id="i1",
            session_id="session_1",
            thread_id="thread_1",
            type="user_request",
            content="hello",
            metadata={"config": None},
            created_at=BEGAN,
        ),
        Interaction(
            id="i2", session_id="session_1", type="error", content="hello", created_at=ENDED
        ),
    ] == told.entities(Interaction)
    assert "session_1" == told.only(Thread).session_id
    assert ([], []) == (told.problems(), told.notes())


async def test_interactions_of_one_id_are_told_apart(tree: Tree) -> None:
    """An id that two sessions use is made unique in the second, the same in every run."""
    for session in ("session_1", "session_2"):
        tree.session(session, interaction("i", session))
    for _ in range(2):
        told = await read(tree)
        assert ["i", "i~2"] == told.ids("interaction")
        assert [("i~2", "duplicate_id")] == told.notes()


async def test_call_order_is_kept_where_times_do_not_tell_it(tree: Tree) -> None:
    """Interactions whose times run back carry their index, so that their order can be restored."""
    ids = ["b", "a", "c"]
    tree.session("session_1", *(interaction(id, "session_1") for id in ids))
    told = await read(tree)
    assert ids == told.ids("interaction")
    indexes = [each.metadata["legacy"]["~index"] for each in told.entities(Interaction)]
    assert [0, 1, 2] == indexes


async def test_an_unknown_status_is_kept_beside(tree: Tree) -> None:
    """A status that we have no word for becomes `active`, and is told."""
    tree.session("session_1", status="sleeping")
    told = await read(tree)
    session = told.only(Session)
    assert (SessionStatus.ACTIVE, "sleeping") == (
        session.status,
        session.metadata["legacy"]["context"]["status"],
    )
    assert [("session_1", "unknown_status")] == told.notes()


async def test_threads_that_are_not_there_are_told(tree: Tree) -> None:
    """A session keeps the names of threads that were never written or were deleted."""
    tree.session("session_1", interaction("i", "session_1", thread_id="t2"), thread_ids=["t1"])
    told = await read(tree)
    assert ["t1"] == told.only(Session).metadata["legacy"]["context"]["thread_ids"]
    assert "t2" == told.only(Interaction).thread_id
    assert [("session_1", "dangling_thread"), ("i", "dangling_thread")] == told.notes()


async def test_a_thread_belongs_to_the_first_session_that_names_it(tree: Tree) -> None:
    """The second one keeps the name in its metadata, and is told."""
    tree.thread("thread_1")
    tree.session("session_1", thread_ids=["thread_1"])
    tree.session("session_2", thread_ids=["thread_1"])
    told = await read(tree)
    assert "session_1" == told.only(Thread).session_id
    assert [("session_2", "shared_thread")] == told.notes()


async def test_a_session_in_two_places_is_read_once(tree: Tree) -> None:
    """The very same file twice is one session; another one of that id gets an id of its own."""
    tree.session("s", interaction("i", "s"))
    tree.session("s", interaction("i", "s"), place="history/s.json")
    tree.session("s", interaction("j", "s"), status="paused", place="older/sessions/s.json")
    told = await read(tree)
    assert ["s", "s~2"] == told.ids("session")
    assert [("s", "i"), ("s~2", "j")] == [
        (each.session_id, each.id) for each in told.entities(Interaction)
    ]
    assert [("s~2", "duplicate_id"), ("s", "same_document")] == sorted(
        told.notes(), key=lambda note: note[1]
    )


async def test_times_that_cannot_be_read_are_taken_from_elsewhere(tree: Tree) -> None:
    """A session without a beginning takes the next best time; without any it is a problem."""
    tree.session("a", interaction("i", "a", timestamp="?"), created_at="?")
    tree.document("sessions/b.json", {"context": {"session_id": "b"}, "interactions": []})
    told = await read(tree)
    session, entry = told.only(Session), told.only(Interaction)
    assert [datetime(2025, 11, 7, 2, 0, 0, 7, tzinfo=UTC)] * 2 == [
        session.created_at,
        entry.created_at,
    ]
    assert [("sessions/b.json", "no_time")] == told.problems()
    guesses = [("a", "time_guessed"), ("i", "time_guessed")]
    assert guesses == [note for note in told.notes() if note[1] == "time_guessed"]


async def test_what_is_no_interaction_is_told_and_the_rest_is_read(tree: Tree) -> None:
    """One bad entry does not hide the others, and one bad file not the other files."""
    tree.session("a", interaction("i", "a"), "oops", interaction("j", "a"))  # type: ignore[arg-type]
    tree.path("sessions/b.json").write_bytes(b'{\n  "context": {\n    "session')
    tree.path("sessions/c.json").write_bytes(b'{"context": "\xff"}')
    told = await read(tree)
    assert ["i", "j"] == told.ids("interaction")
    assert [
        ("sessions/b.json:3", "torn"),
        ("sessions/c.json:1", "not_utf8"),
        ("sessions/a.json#interactions[1]", "not_object"),
    ] == told.problems()


ENTRIES = objects(
    interaction_id=st.sampled_from(["a", "b"]) | JSON,
    session_id=JSON,
    thread_id=st.just("thread_1") | JSON,
    interaction_type=JSON,
    content=JSON,
    metadata=objects(legacy=JSON) | JSON,
    timestamp=TIMES,
)

DOCUMENTS = st.fixed_dictionaries(
    {
        "context": objects(
            session_id=st.just("session_1") | JSON,
            user_id=JSON,
            thread_ids=st.lists(st.just("thread_1") | JSON, max_size=2) | JSON,
            status=st.just("archived") | JSON,
            updated_at=TIMES,
            metadata=objects(title=JSON, legacy=JSON) | JSON,
        ).flatmap(lambda context: st.just({**context, "created_at": MORNING})),
        "interactions": st.lists(ENTRIES, max_size=3),
    },
    optional={"thread_configs": JSON, "created_at": TIMES, "updated_at": TIMES},
)


@pytest.mark.seed("7.3")
@EXAMPLES
@given(document=DOCUMENTS)
def test_any_session_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any]
) -> None:
    """Whatever stands in a session's file, its entities give the whole document again."""
    tree = Tree(tmp_path_factory.mktemp("s"))
    path: Path = tree.document("session_1.json", document)
    with Register() as register:
        visit = Visit(Times(ZONE), register)
        visit.files.append(Found(format=SESSION, path=path, place=path.name))
        reader = Sessions(visit)
        told = Told.of([*reader.read(), *reader.read_interactions()])
    stored = sorted(told.entities(Interaction), key=lambda each: (each.created_at, each.id))
    back = session_document(told.only(Session), stored, times=Times(ZONE))
    assert canonical(document) == canonical(back)
