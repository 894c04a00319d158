"""`ISessionStore`: each method as the legacy program documents it, for those who cannot await."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ropewalk
from ropewalk.compat import (
    FileSessionStore,
    ISessionStore,
    MemorySessionStore,
    SessionStore,
    SessionStoreFactory,
    UnifiedStorage,
)
from ropewalk.domain.errors import Invalid
from ropewalk.domain.legacy.values import canonical

from ..sources.legacy.strategies import OBJECTS

pytestmark = pytest.mark.seed("7.2")


def document(session_id: str = "session_1a2b3c4d", **context: object) -> dict[str, Any]:
    """Return a session as the last generation of the program wrote it."""
    return {
        "context": {
            "session_id": session_id,
            "user_id": "ada",
            "thread_ids": ["thread_11112222"],
            "status": "active",
            "created_at": "2025-11-10T09:00:00.000001",
            "updated_at": "2025-11-10T09:00:00.000002",
            "metadata": {"request_id": "r", "initial_content": "plan a trip 🧵"},
            **context,
        },
        "interactions": [
            interaction("interaction_00000001", "user_request", "2025-11-10T09:00:01"),
            interaction("interaction_00000002", "error", "2025-11-10T09:00:02.5"),
        ],
        "thread_configs": {"main": {"name": "main", "graph_id": "g"}},
        "created_at": "2025-11-10T09:00:00.000003",
        "updated_at": "2025-11-10T09:00:02.600000",
    }


def interaction(id: str, type: str, at: str) -> dict[str, Any]:
    """Return an interaction as it stood in the document of its session."""
    return {
        "interaction_id": id,
        "session_id": "session_1a2b3c4d",
        "thread_id": None,
        "interaction_type": type,
        "content": "…",
        "metadata": {"config": {"n": 1}},
        "timestamp": at,
    }


@pytest.fixture
def store(unified: UnifiedStorage) -> SessionStore:
    """Return a session store, which is called on the loop that its tests run on."""
    return SessionStore(unified)


def test_a_document_comes_back_as_it_was(store: SessionStore) -> None:
    """`save_session` and `get_session`: the whole document, replaced as a whole, a fresh copy."""
    first = document()
    assert store.save_session("session_1a2b3c4d", first)
    found = store.get_session("session_1a2b3c4d")
    assert first == found
    assert found is not None
    found["context"]["status"] = "changed"
    assert first == store.get_session("session_1a2b3c4d")
    second = document(status="of our own", user_id=None)
    second["interactions"] = [interaction("interaction_00000002", "error", "2025-11-10T08:00:00")]
    assert store.save_session("session_1a2b3c4d", second)
    assert second == store.get_session("session_1a2b3c4d")
    assert store.get_session("nobody") is None


async def test_the_house_knows_what_is_in_a_document(store: SessionStore) -> None:
    """Owner, status, times and interactions are the session's, not a blob's."""
    store.save_session("session_1a2b3c4d", document(status="paused"))
    storage = store.storage.storage
    session = await storage.sessions.get("session_1a2b3c4d")
    assert ("ada", "paused") == (session.user_id, session.status)
    page = await storage.sessions.interactions("session_1a2b3c4d")
    assert ["user_request", "error"] == [each.type for each in page.items]


async def test_a_session_of_the_house_is_a_document(store: SessionStore) -> None:
    """Old programs see what new ones write, with the keys that they ask for."""
    storage = store.storage.storage
    session = await storage.sessions.create(title="Rome", user_id="ada")
    thread = await storage.threads.create(session_id=session.id)
    await storage.sessions.add_interaction(session.id, "user_input", "go")
    found = store.get_session(session.id)
    assert found is not None
    assert {"context", "interactions", "thread_configs", "created_at", "updated_at"} == set(found)
    assert [thread.id] == found["context"]["thread_ids"]
    assert {"title": "Rome"} == found["context"]["metadata"]
    assert ["go"] == [each["content"] for each in found["interactions"]]


def test_what_is_no_json_is_not_written(store: SessionStore) -> None:
    """`save_session` answers False, and what was there stays."""
    store.save_session("s", document())
    assert not store.save_session("s", {"context": {"when": threading.Lock()}})
    assert not store.save_session("", document())
    assert document() == store.get_session("s")


def test_any_name_is_a_name(store: SessionStore) -> None:
    """Slashes and dots lead nowhere: an id is an id, also one of another generation."""
    for name in ("a/b", "../x", "a.b.c", "会话"):
        assert store.save_session(name, document(name))
        assert document(name) == store.get_session(name)


def test_delete_says_whether_it_was_there(store: SessionStore) -> None:
    """`delete_session`, `session_exists`: once there, then no more, with its interactions."""
    store.save_session("s", document())
    assert store.session_exists("s")
    assert store.delete_session("s")
    assert not store.session_exists("s")
    assert not store.delete_session("s")
    assert store.get_session("s") is None
    assert store.save_session("s", {**document(), "interactions": []})
    assert [] == (store.get_session("s") or {})["interactions"]


def test_a_list_reads_every_generation(store: SessionStore) -> None:
    """`list_sessions`: summaries out of `context`, out of `metadata`, or of nothing at all."""
    old = {
        "metadata": {
            "session_id": "old",
            "workflow_config_path": "configs/w.yaml",
            "created_at": "2025-10-25T10:00:00",
            "updated_at": "2025-10-25T11:00:00",
            "status": "completed",
        },
        "state": {},
    }
    store.save_session("old", old)
    store.save_session("new", document("new"))
    store.save_session("odd", {"anything": [1, None]})
    listed = {each["session_id"]: each for each in store.list_sessions()}
    assert {"session_id": "old", **old["metadata"]} == listed["old"]
    assert {
        "session_id": "new",
        "workflow_config_path": None,
        "created_at": "2025-11-10T09:00:00.000001",
        "updated_at": "2025-11-10T09:00:02.600000",
        "status": "active",
    } == listed["new"]
    assert "unknown" == listed["odd"]["status"]
    assert {"anything": [1, None]} == store.get_session("odd")


def test_interactions_of_one_id_stay_apart(store: SessionStore) -> None:
    """Ids of interactions are the caller's, within a session and across sessions."""
    twice = document()
    twice["interactions"] = [
        interaction("i", "user_input", "2025-11-10T09:00:03"),
        interaction("i", "system_response", "2025-11-10T09:00:01"),
    ]
    assert store.save_session("a", twice)
    assert store.save_session("b", twice)
    assert store.save_session("a", {**twice, "more": 1})
    assert {**twice, "more": 1} == store.get_session("a")
    assert twice == store.get_session("b")


@given(context=OBJECTS, rest=OBJECTS, interactions=st.lists(OBJECTS, max_size=3))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_any_document_comes_back_as_it_was(
    context: dict[str, Any], rest: dict[str, Any], interactions: list[dict[str, Any]]
) -> None:
    """Whatever JSON a program puts into a session, it gets it back."""
    async with ropewalk.open("memory://") as storage:
        store = SessionStore(UnifiedStorage(storage))
        whole = {**rest, "context": context, "interactions": interactions}
        if store.save_session("s", whole):
            assert canonical(whole) == canonical(store.get_session("s"))


def test_several_threads_save_at_once(store: SessionStore) -> None:
    """Threads without a loop write different sessions at the same time; none is lost."""

    def save(number: int) -> bool:
        return store.save_session(f"s{number}", document(f"s{number}"))

    with ThreadPoolExecutor(4) as pool:
        saved = list(pool.map(save, range(12)))
    assert [True] * 12 == saved
    assert 12 == len(store.list_sessions())


def test_the_old_classes_and_their_factory(tmp_path: Path) -> None:
    """`file` keeps sessions in a folder, `memory` does not, and any other type is a ValueError."""
    place = tmp_path / "sessions"
    for written in (True, False):
        store = SessionStoreFactory.create_store("file", storage_path=place)
        assert isinstance(store, FileSessionStore)
        if written:
            assert store.save_session("s", document())
        assert document() == store.get_session("s")
        store.close()
    memory = SessionStoreFactory.create_store("memory")
    assert isinstance(memory, MemorySessionStore)
    assert isinstance(memory, ISessionStore)
    memory.save_session("s", document())
    memory.clear()
    assert [] == memory.list_sessions()
    memory.close()
    with pytest.raises(ValueError, match="unknown type of session store") as told:
        SessionStoreFactory.create_store("redis")
    assert isinstance(told.value, Invalid)
