"""States by agent as the legacy program kept them, and damage to their rows and their databases."""

from __future__ import annotations

import base64
import json
import os
import pickle
import shutil
import sqlite3
import zlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from ..writing import MORNING, NOON, Tree
from .kinds import Brought, Damage, Outcome, Refused

AgentRow = dict[str, object]

CHANGES: Final = "storage/state_history"
SNAPSHOTS: Final = "storage/state_snapshots"

SCHEMAS: Final = {
    "state_history": (
        "history_id TEXT PRIMARY KEY, agent_id TEXT NOT NULL, timestamp TEXT NOT NULL, "
        "action TEXT NOT NULL, state_diff TEXT, metadata TEXT, compressed_diff BLOB"
    ),
    "snapshots": (
        "snapshot_id TEXT PRIMARY KEY, agent_id TEXT NOT NULL, domain_state TEXT NOT NULL, "
        "timestamp TEXT NOT NULL, snapshot_name TEXT, metadata TEXT, compressed_data BLOB, "
        "size_bytes INTEGER"
    ),
}
_PACKED: Final = ("compressed_diff", "compressed_data")
_LIVE: Final = "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF"


def change(id: object, **more: object) -> AgentRow:
    """Make the row of a change, with the packed copy of it that the program wrote beside."""
    diff = {"modified_a": {"old": 0, "new": 1}, "added_新": "x", "removed_gone": 1}
    return {
        "history_id": id,
        "agent_id": "agent_0",
        "timestamp": MORNING,
        "action": "message_added",
        "state_diff": json.dumps(diff),
        "metadata": json.dumps({"old_state_keys": ["a", "gone"]}),
        "compressed_diff": zlib.compress(pickle.dumps(diff)),
        **more,
    }


def snapshot(id: object, **more: object) -> AgentRow:
    """Make the row of a snapshot."""
    return {
        "snapshot_id": id,
        "agent_id": "agent_1",
        "domain_state": json.dumps({"messages": ["你好"], "i": 0}),
        "timestamp": NOON,
        "snapshot_name": "快照",
        "metadata": json.dumps({"k": None}),
        "compressed_data": None,
        "size_bytes": 0,
        **more,
    }


def put_rows(tree: Tree, *rows: AgentRow, place: str = "", strict: bool = True) -> int:
    """Add rows of one table to its database; return the number of the last one."""
    table = "state_history" if "history_id" in rows[0] else "snapshots"
    place = place or (CHANGES if table == "state_history" else SNAPSHOTS)
    schema = SCHEMAS[table] if strict else SCHEMAS[table].replace(" NOT NULL", "")
    with closing(sqlite3.connect(tree.path(place))) as db, db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute(f"CREATE TABLE IF NOT EXISTS {table} ({schema})")
        return _insert(db, table, rows)


def _insert(db: sqlite3.Connection, table: str, rows: Sequence[AgentRow]) -> int:
    number = 0
    for row in rows:
        marks = ", ".join("?" for _ in row)
        values = tuple(row.values())
        text = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})"  # noqa: S608
        number = db.execute(text, values).lastrowid or 0
    return number


def as_json(row: AgentRow) -> AgentRow:
    """Return a row in which bytes are texts in base64."""
    return {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for name, value in row.items()
    }


def _written(row: AgentRow) -> bytes:
    """Write down a row as the rejects have it."""
    shown = {
        name: None if value is None else value if isinstance(value, str) else str(value)
        for name, value in as_json(row).items()
    }
    names = [name for name in _ORDER if name in shown]
    return json.dumps({name: shown[name] for name in names}, ensure_ascii=False).encode()


_ORDER: Final = (
    *("history_id", "snapshot_id", "agent_id", "timestamp", "metadata"),
    *("action", "state_diff", "compressed_diff"),
    *("domain_state", "snapshot_name", "size_bytes", "compressed_data"),
)


def _kind(row: AgentRow) -> str:
    return "state_change" if "history_id" in row else "state_snapshot"


def _comes(id: str, what: str, note: str | None, row: AgentRow) -> Damage:
    """Make a row that comes all the same, and gives itself back whole."""

    def plant(tree: Tree) -> Sequence[Outcome]:
        put_rows(tree, row)
        return [Brought(_kind(row), id, row, note)]

    return Damage(id, what, plant)


def _lost(id: str, what: str, code: str, row: AgentRow) -> Damage:
    """Make a row of which nothing can be brought, in a database of its own."""

    def plant(tree: Tree) -> Sequence[Outcome]:
        table = "state_history" if "history_id" in row else "snapshots"
        number = put_rows(tree, row, place=f"storage/{id}", strict=False)
        return [Refused(code, f"storage/{id}:{table}/{number}", _written(row))]

    return Damage(id, what, plant)


def _odd_time(tree: Tree) -> Sequence[Outcome]:
    row = change("k-time", timestamp="soon")
    put_rows(tree, change("k-time-before"), row, place="storage/k-time")
    first = Brought("state_change", "k-time-before", change("k-time-before"))
    return [first, Brought("state_change", "k-time", row, "time_guessed")]


def _unnamed(tree: Tree) -> Sequence[Outcome]:
    row = change(None, action="k-unnamed")
    put_rows(tree, row)
    return [Brought("state_change", "~k-unnamed", row, "replaced_id")]


def _taken(tree: Tree) -> Sequence[Outcome]:
    first, second = change("k-taken"), change("k-taken", action="restored")
    put_rows(tree, first)
    put_rows(tree, second, place="storage/test/state_history")
    return [
        Brought("state_change", "k-taken", first),
        Brought("state_change", "k-taken~2", second, "duplicate_id"),
    ]


def _no_text(tree: Tree) -> Sequence[Outcome]:
    put_rows(tree, change("k-bytes", agent_id=b"agent-\xff"))
    return [Brought("state_change", "k-bytes", change("k-bytes", agent_id="agent-\\xff"))]


def _many(tree: Tree, id: str) -> tuple[Path, list[AgentRow]]:
    """Write a hundred rows, each with a page to itself."""
    rows = [
        change(
            f"{id}-{n:03}",
            state_diff=json.dumps({f"added_page_{n:03}": "x" * 3_000}),
            compressed_diff=None,
        )
        for n in range(100)
    ]
    put_rows(tree, *rows, place=f"storage/{id}")
    return tree.path(f"storage/{id}"), rows


def _cut(tree: Tree) -> Sequence[Outcome]:
    path, rows = _many(tree, "k-cut")
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)
    refused = Refused("bad_database", "storage/k-cut:state_history")
    kept = [Brought("state_change", f"k-cut-{n:03}", rows[n]) for n in range(40)]
    # It is told twice: behind the rows that can be read, and that there is no way from the end.
    return [refused, refused, *kept]


def _page(tree: Tree) -> Sequence[Outcome]:
    path, rows = _many(tree, "k-page")
    data = path.read_bytes()
    start = data.index(b"added_page_050") // 4096 * 4096
    path.write_bytes(data[:start] + b"\xff" * 4096 + data[start + 4096 :])
    refused = Refused("bad_database", "storage/k-page:state_history")
    kept = [Brought("state_change", f"k-page-{n:03}", row) for n, row in enumerate(rows) if n != 50]
    return [refused, refused, *kept]


def _in_wal(tree: Tree) -> Sequence[Outcome]:
    whole, path = tree.path("storage/k-wal-live"), tree.path("storage/k-wal")
    rows = [change(f"k-wal-{n}") for n in (1, 2)]
    with closing(sqlite3.connect(whole)) as db:
        db.executescript(f"{_LIVE}; CREATE TABLE state_history ({SCHEMAS['state_history']})")
        _insert(db, "state_history", rows)
        db.commit()
        # The state of the disk at this moment is what a killed process leaves behind.
        shutil.copyfile(whole, path)
        shutil.copyfile(f"{whole}-wal", f"{path}-wal")
    whole.unlink()
    return [Brought("state_change", f"k-wal-{n}", row) for n, row in enumerate(rows, 1)]


AGENTS: Final = (
    _comes("k-null", "a change of which nothing is said", None,
        change("k-null", state_diff=None, compressed_diff=None)),
    _comes("k-prefix", "entries of a change without a known prefix", None,
        change("k-prefix", state_diff='{"added": 1, "moved_a": [NaN], "added_": null}')),
    _comes("k-metadata", "the metadata of a change was cut off", "metadata_lost",
        change("k-metadata", metadata='{"old_st')),
    _comes("k-metadata-list", "the metadata of a change is a list", "metadata_lost",
        change("k-metadata-list", metadata="[1]")),
    _comes("k-agent", "the name of an agent is longer than a label", "odd_value",
        change("k-agent", agent_id="a" * 5_000)),
    _comes("k-thread", "a change names a thread that is not there", "dangling_thread",
        change("k-thread", metadata='{"thread_id": "thread_of_nobody"}')),
    _comes("n-session", "a snapshot names a session that is not there", "dangling_session",
        snapshot("n-session", domain_state='{"session_id": "session_of_nobody"}')),
    _comes("n-nan", "a bare NaN in the state of a snapshot", None,
        snapshot("n-nan", domain_state='[NaN, "half \\ud83d", 1e400]')),
    _comes("n-size", "the size of a snapshot is no number", None,
        snapshot("n-size", size_bytes="big", metadata=None, snapshot_name=None)),
    _lost("k-torn", "a change was cut off", "torn", change("k-torn", state_diff='{"added_a": [1')),
    _lost("k-list", "a change is a list", "not_object", change("k-list", state_diff="[1]")),
    _lost("k-pickle", "a change stands in a packed pickle alone", "pickle",
        change("k-pickle", state_diff=None)),
    _lost("k-no-time", "a change without any time", "no_time",
        change("k-no-time", timestamp="soon")),
    _lost("n-no-json", "the state of a snapshot is no JSON", "not_json",
        snapshot("n-no-json", domain_state="{'a': 1}")),
    _lost("n-no-state", "a snapshot without a state", "no_state",
        snapshot("n-no-state", domain_state=None)),
    _lost("n-pickle", "the state of a snapshot stands in a packed pickle alone", "pickle",
        snapshot("n-pickle", domain_state=None, compressed_data=b"x\x9c")),
    Damage("k-time", "a change with a time that is none", _odd_time),
    Damage("k-unnamed", "a change without an id", _unnamed),
    Damage("k-taken", "two databases have one id", _taken),
    Damage("k-bytes", "the name of an agent is no UTF-8", _no_text),
    Damage("k-cut", "a database of changes was cut off", _cut),
    Damage("k-page", "one page in the middle was overwritten", _page),
    Damage("k-wal", "the writer was killed, and its changes stand in the WAL alone", _in_wal),
)  # fmt: skip
