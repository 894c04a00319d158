"""A small legacy folder with everything in it: two months, both shapes, forks and damage."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from .damage.agents import CHANGES, SNAPSHOTS, as_json, change, put_rows, snapshot
from .writing import (
    MORNING,
    NOON,
    Tree,
    cost,
    interaction,
    line_of,
    message,
    pack,
    stored,
)


def write_whole(root: Path) -> Tree:
    """Write the folder; its ground truth names everything that is intact."""
    tree = Tree(root)
    _sessions(tree)
    _threads(tree)
    _history(tree)
    _checkpoints(tree)
    _agents(tree)
    _adjacent(tree)
    branch = {
        "branch_id": "branch_1",
        "source_thread_id": "thread_root",
        "source_checkpoint_id": "checkpoint_2",
        "branch_name": "hot-fix/1",
        "metadata": {"why": "试验"},
        "new_thread_id": "thread_a_fork",
        "status": "active",
    }
    tree.write_truth(
        branches_in_memory_only={"items": [branch]},
        adjacent_formats={
            "data/sessions/metadata.db": {"rows": 1},
            "data/history": {"records": 2},
            "storage/state_history": {"rows": 1},
            "storage/state_snapshots": {"rows": 1},
            "history/tui_replay_session.json": {"events": 2},
            "sessions": {"older": 3},
            "storage/graph_checkpoints.db": {"checkpoints_rows": 1, "writes_rows": 0},
        },
    )
    return tree


def _sessions(tree: Tree) -> None:
    tree.session(
        "session_1",
        interaction("interaction_1", "session_1", thread_id="thread_flat"),
        interaction("interaction_2", "session_1", timestamp=NOON, content="长文本🐉"),
        # The clock was set back: the order of the file is not that of the times.
        interaction("interaction_3", "session_1", metadata={"config": {"a": [1, None]}}),
        thread_ids=["thread_flat", "thread_root"],
    )
    tree.session(
        "session_2",
        interaction("interaction_1", "session_2", content=None, user="an unknown key"),
        user_id=None,
        status="archived",
        metadata={"title": "Rome", "legacy": "the user's own"},
    )
    tree.session("session_3", created_at="2025-11-07T02:00:00+00:00")


def _threads(tree: Tree) -> None:
    tree.thread("thread_flat", session_id="session_1", thread_name="research", owner=None)
    tree.nested("thread_root", {"title": "trains", "total_steps": 2}, total_steps=2)
    # Its name sorts before that of its source.
    mark = {"source_thread_id": "thread_root", "source_checkpoint_id": "checkpoint_2"}
    fork = {**mark, "branch_name": "hot-fix/1", "branch_type": "fork", "why": "试验"}
    info = {**mark, "branch_id": "branch_1", "branch_name": "hot-fix/1"}
    tree.nested("thread_a_fork", fork, branch_info=info, total_steps=1)
    tree.nested(
        "thread_snapped",
        {"total_steps": 3, "tag": ""},
        total_steps=4,
        last_snapshot="snapshot_1",
        last_snapshot_at=NOON,
    )


def _history(tree: Tree) -> None:
    tree.record(message("record_1", timestamp="2025-10-31T23:59:59.999999"), month="202510")
    tree.record(
        message("record_2", content="sep\u2028para\u2029nel\x85vt\x0b nul\x00 end"),
        message("record_3", content=None, metadata={"score": float("nan"), "n": 10**40}),
        message("record_4", content="half a pair \ud83d"),
        cost("record_5", total_cost=0.30000000100000007, prompt_cost=0, currency="CNY"),
        message("record_5", content="the same id in another kind"),
        message("record_2", content="the same id again"),
    )
    torn = line_of(message("record_6", content="a message that was cut off"))[:120]
    tree.lines("session_1", torn)
    tree.record(message("record_7", content="glued behind a torn one"))
    tree.record(message("record_8", "session_2"), end=b"\r\n")
    tree.record(message("record_9", "session_2", timestamp="2025-11-08T08:00:01+08:00"))
    tree.lines("session_2", b'{"record_id": "record_10", "session_id": "sess')


def _checkpoints(tree: Tree) -> None:
    tree.checkpoints(
        stored("thread_root", "checkpoint_3", "2025-11-07T10:05:03.000003", {"step": 3}),
        stored("thread_root", "checkpoint_1", "2025-11-07T10:05:01", {"plan": ["search"]}, note=1),
        stored("thread_root", "checkpoint_2", "2025-11-07T10:05:02", None),
        stored("thread_flat", "checkpoint_4", MORNING, [1, float("inf"), "nul\x00", 10**30]),
    )


def _agents(tree: Tree) -> None:
    row = change("change_1", metadata='{"thread_id": "thread_flat"}')
    saved = snapshot("saved_1", compressed_data=b"\x00\xff", size_bytes=2)
    put_rows(tree, row)
    put_rows(tree, saved)
    tree.tell("state_change", "change_1", CHANGES, as_json(row))
    tree.tell("state_snapshot", "saved_1", SNAPSHOTS, as_json(saved))


def _adjacent(tree: Tree) -> None:
    old = {"workflow_id": "react", "created_at": MORNING}
    first, second, third = ({**old, "session_id": f"1f73e8b{n}"} for n in (1, 2, 3))
    tree.document("sessions/react-1.json", {"metadata": first, "state": {}, "workflow_config": {}})
    tree.document("sessions/react-2.json", {"metadata": second, "state": {}})
    tree.document("sessions/react-3.json", {"metadata": {**third, "thread_info": {}}, "state": {}})
    event: dict[str, object] = {
        "timestamp": MORNING,
        "event_type": "node_start",
        "data": {},
        "session_id": "session_3",
    }
    replay = {"session_id": "session_3", "events": [event, event], "created_at": MORNING}
    tree.document("history/replay.json", replay)
    api = [line_of(message(f"api_{n}", "session_3", extra=n)) + b"\n" for n in (1, 2)]
    tree.path("data/history/202511/session_3.jsonl").write_bytes(b"".join(api))
    recovery: dict[str, object] = {"session_id": "session_1", "error_type": "timeout"}
    lines = [line_of({**recovery, "timestamp": MORNING, "recovery_attempts": n}) for n in (1, 2)]
    log = tree.path("sessions/recovery_logs/session_1_recovery.log")
    log.write_bytes(b"\n".join(lines) + b"\n")
    tree.path("data/history/old.pkl").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    tree.path("sessions/session_torn.tmp").write_bytes(b'{"context": {"sess')
    graph = pack(1763164961.52, {"state": {"a": 1}}, id="graph_1")
    row = ("thread_flat", "", "graph_1", None, "msgpack", graph, b'{"trigger_reason": "x"}')
    tree.checkpoints(row, place="storage/graphs.db")
    tables = {
        "storage/other.db": "other (a TEXT, b TEXT)",
    }
    with closing(sqlite3.connect(tree.path("data/sessions/metadata.db"))) as db, db:
        db.execute("CREATE TABLE sessions (session_id, workflow_config_path, created_at, metadata)")
        api_row = ("session_api", "react.yaml", MORNING, '{"owner": "rest"}')
        db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", api_row)
    for place, table in tables.items():
        with closing(sqlite3.connect(tree.path(place))) as db, db:
            db.execute(f"CREATE TABLE {table}")
            name = table.partition(" ")[0]
            db.execute(f"INSERT INTO {name} VALUES (NULL, '{{}}')")  # noqa: S608 (our own names)
