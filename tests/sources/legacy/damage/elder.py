"""Damage to older generations, and to what the other interfaces of the legacy program left."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Final

from ..writing import MORNING, NOON, Tree, line_of, message
from .documents import Document, json_of, session
from .kinds import Brought, Damage, Outcome, Refused

API: Final = "data/sessions/metadata.db"
COLUMNS: Final = (
    "session_id TEXT PRIMARY KEY, workflow_config_path TEXT NOT NULL, workflow_id TEXT, "
    "status TEXT DEFAULT 'active', created_at TIMESTAMP, updated_at TIMESTAMP, "
    "agent_config TEXT, metadata TEXT"
)
NAMES: Final = tuple(column.split()[0] for column in COLUMNS.split(", "))


def elder(id: str, generation: str, **metadata: object) -> Document:
    """Make a session file of one of the three older generations."""
    whole: Document = {
        "session_id": id,
        "created_at": MORNING,
        "updated_at": NOON,
        "status": "active",
        "agent_config": {"model": "gpt-4"},
    }
    if generation == "g3":
        info = {"main": {"thread_id": f"thread_of_{id}", "config_path": "react.yaml"}}
        whole |= {"workflow_configs": {"main": "react.yaml"}, "thread_info": info}
    else:
        whole |= {"workflow_config_path": "react.yaml", "workflow_id": "react"}
    said: list[Document] = [{"type": "HumanMessage", "content": "你好", "additional_kwargs": {}}]
    state: Document = {
        "messages": said,
        "tool_results": [],
        "current_step": "end",
        "iteration_count": 2,
    }
    document: Document = {"metadata": {**whole, **metadata}, "state": state}
    return {**document, "workflow_config": {"nodes": {}}} if generation == "g1" else document


def api_row(tree: Tree, *values: object) -> int:
    """Add a row to the table of the REST interface; return its number."""
    with closing(sqlite3.connect(tree.path(API))) as db, db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute(f"CREATE TABLE IF NOT EXISTS sessions ({COLUMNS})")
        cursor = db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        return int(cursor.lastrowid or 0)


def replay(session: str, *events: object, **more: object) -> Document:
    """Make the file of events of a session."""
    rest: Document = {"metadata": {"mode": "live"}, "created_at": MORNING, "updated_at": NOON}
    return {"session_id": session, "events": list(events), **rest, **more}


def event(session: str, **more: object) -> Document:
    """Make an event."""
    whole: Document = {"timestamp": NOON, "event_type": "node_start", "data": {"node": "a"}}
    return {**whole, "session_id": session, **more}


def _elder(id: str, what: str, note: str | None, generation: str, **metadata: object) -> Damage:
    def plant(tree: Tree) -> Sequence[Outcome]:
        document = elder(id, generation, **metadata)
        tree.document(f"sessions/{id}.json", document)
        return [Brought("session", id, document, note)]

    return Damage(id, what, plant)


def _torn(tree: Tree) -> Sequence[Outcome]:
    data = tree.document("sessions/e-torn.json", elder("e-torn", "g1")).read_bytes()[:200]
    tree.path("sessions/e-torn.json").write_bytes(data)
    line = data.count(b"\n") + 1
    return [Refused("torn", f"sessions/e-torn.json:{line}", data)]


def _no_time(tree: Tree) -> Sequence[Outcome]:
    document = elder("e-no-time", "g2", created_at=None, updated_at=None)
    tree.document("sessions/e-no-time.json", document)
    return [Refused("no_time", "sessions/e-no-time.json", json_of(document))]


def _renamed(tree: Tree) -> Sequence[Outcome]:
    document = elder("1f73e8b2-0000", "g1")
    tree.document("sessions/react-251022-163452-1f73e8.json", document)
    return [Brought("session", "1f73e8b2-0000", document)]


def _taken(tree: Tree) -> Sequence[Outcome]:
    later, earlier = session("e-taken"), elder("e-taken", "g2")
    tree.document("sessions/e-taken.json", later)
    tree.document("sessions/old/e-taken.json", earlier)
    first = Brought("session", "e-taken", later)
    return [first, Brought("session", "e-taken~2", earlier, "duplicate_id")]


def _bad_event(tree: Tree) -> Sequence[Outcome]:
    name = "v-bad-event"
    place = f"history/{name}.json"
    tree.document(place, replay(name, event(name), "click", event(name, timestamp="?")))
    return [
        Brought("interaction", f"{name}~replay", None, "dangling_session"),
        Brought("interaction", f"{name}~event~000000"),
        Refused("not_object", f"{place}#events[1]", b'"click"'),
        Brought("interaction", f"{name}~event~000002", None, "time_guessed"),
    ]


def _no_event_time(tree: Tree) -> Sequence[Outcome]:
    document = replay("v-no-time", event("v-no-time", timestamp=None), created_at="?")
    tree.document("history/v-no-time.json", document)
    return [Refused("no_time", "history/v-no-time.json", json_of(document))]


def _event_session(tree: Tree) -> Sequence[Outcome]:
    document = replay("v-session", event("v-session"), session_id=7)
    tree.document("history/v-session.json", document)
    parts = ("replay", "event~000000")
    return [Brought("interaction", f"v-session~{part}") for part in parts]


def _nameless(tree: Tree) -> Sequence[Outcome]:
    number = api_row(tree, None, "", None, "active", None, None, "{}", "{}")
    row = dict(zip(NAMES, (None, "", None, "active", None, None, "{}", "{}"), strict=True))
    return [Refused("no_time", f"{API}:sessions/{number}", json_of(row))]


def _unnamed(tree: Tree) -> Sequence[Outcome]:
    api_row(tree, None, "a.yaml", None, "active", MORNING, NOON, None, '{"a": 1}')
    return [Brought("session", "~a.yaml", {"a": 1}, "replaced_id")]


def _api_text(tree: Tree) -> Sequence[Outcome]:
    api_row(tree, "a-text", "a.yaml", None, "active", MORNING, NOON, None, '{"cut')
    return [Brought("session", "a-text", {})]


def _api_status(tree: Tree) -> Sequence[Outcome]:
    api_row(tree, "a-status", "a.yaml", None, "dozing", MORNING, NOON, None, '{"a": [1]}')
    return [Brought("session", "a-status", {"a": [1]}, "unknown_status")]


def _api_bytes(tree: Tree) -> Sequence[Outcome]:
    name = b"a-bytes-\xff"
    api_row(tree, name, "a.yaml", None, "active", MORNING, NOON, None, b'{"b": "\xe4"}')
    return [Brought("session", "a-bytes-\\xff", {})]


def _api_lines(tree: Tree) -> Sequence[Outcome]:
    name, place = "h-lines", "data/history/202511/h-lines.jsonl"
    good, bad = message("h-lines_1", name), message("h-lines_2", name, record_type="error")
    cut = line_of(message("h-lines_3", name))[:50]
    tree.path(place).write_bytes(b"\n".join((line_of(bad), line_of(good), cut)))
    return [
        Brought("api_record", "h-lines_2", bad),
        Brought("message", "h-lines_1", good),
        Refused("torn", f"{place}:3", cut),
    ]


def _recovery(tree: Tree) -> Sequence[Outcome]:
    name = "r-log"
    place = f"sessions/recovery_logs/{name}_recovery.log"
    first: Document = {"session_id": name, "timestamp": MORNING, "error_type": "timeout"}
    last = {**first, "timestamp": "later", "error_message": "x"}
    cut = line_of(first)[:40]
    tree.path(place).write_bytes(b"\n".join((line_of(first), cut, line_of(last))))
    return [
        Brought("session_recovery", f"{name}~recovery~000001", first, "dangling_session"),
        Refused("torn", f"{place}:2", cut),
        Brought("session_recovery", f"{name}~recovery~000003", last, "time_guessed"),
    ]


ELDERS: Final = (
    Damage("r-log", "a log of recoveries with a torn line, and a time that is none", _recovery),
    Damage("e-torn", "an old session was cut off", _torn),
    Damage("e-no-time", "an old session without a time", _no_time),
    Damage("e-renamed", "an old session was renamed", _renamed),
    Damage("e-taken", "an old session has the id of a new one", _taken),
    _elder("e-bad-time", "an old session with a beginning that is none", "time_guessed", "g2",
        created_at="1st of May"),
    _elder("e-status", "an old session of a status that nobody knows", "unknown_status", "g1",
        status="frozen"),
    _elder("e-threads", "an old session names a thread that is not there", "dangling_thread",
        "g3"),
    _elder("e-info-text", "an old session has a text for its threads", None, "g3",
        thread_info="none"),
    Damage("v-bad-event", "an event that is no object, and one without a time", _bad_event),
    Damage("v-no-time", "events without any time", _no_event_time),
    Damage("v-session", "events name no session but the file's", _event_session),
    Damage("a-nameless", "a row without id and times, as the program made them", _nameless),
    Damage("a-unnamed", "a row without an id", _unnamed),
    Damage("a-text", "the metadata of a row was cut off", _api_text),
    Damage("a-status", "a row of a status that nobody knows", _api_status),
    Damage("a-bytes", "a row whose texts are no UTF-8", _api_bytes),
    Damage("h-lines", "lines of the REST interface: of another type, sound and torn", _api_lines),
)  # fmt: skip
