"""Damage to databases: checkpoints in one, each in a row of its own, and whole files beside it."""

from __future__ import annotations

import base64
import json
import os
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import ormsgpack

from ropewalk.sources.text import HEAD_BYTES

from ..writing import MORNING, NOON, SCHEMA, Row, Tree, compact, metadata_of, pack, stored
from .kinds import Brought, Damage, Outcome, Refused

DATABASE: Final = "storage/checkpoints.db"
THREAD: Final = "thread_rows"
"""The thread of all damaged rows."""

GOOD: Final = pack(MORNING, {"__root__": compact({"a": 1}), "workflow_id": "w"})
OWN: Final = {"workflow_id": "w", "state_data": {"a": 1}, "created_at": NOON}


def row(id: str, blob: bytes | None, column: bytes | None, *, type: str | None = "msgpack") -> Row:
    """Make a row."""
    return THREAD, "", id, None, type, blob, column


def written(row: Row) -> bytes:
    """Write down a row as the rejects have it."""
    thread, namespace, id, parent, type, blob, column = row
    value = {
        "thread_id": thread,
        "checkpoint_id": id,
        "checkpoint_ns": namespace,
        "parent_checkpoint_id": parent,
        "type": type,
        "checkpoint": None if blob is None else base64.b64encode(blob).decode(),
        "metadata": None if column is None else column.decode("utf-8", "backslashreplace"),
    }
    return json.dumps(value, ensure_ascii=False).encode()


def _insert(tree: Tree, *rows: Row, place: str = DATABASE) -> int:
    """Add rows to a database; return the number of the last one."""
    path = tree.path(place)
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(f"PRAGMA synchronous = OFF; {SCHEMA}")
        db.executemany("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        [[number]] = db.execute("SELECT max(rowid) FROM checkpoints")
    return int(number)


def _comes(  # noqa: PLR0917 (the columns of a table)
    id: str, what: str, note: str | None, blob: bytes | None, column: bytes | None, state: object
) -> Damage:
    """Make damage to a row that comes all the same, with this state."""

    def plant(tree: Tree) -> Sequence[Outcome]:
        _insert(tree, row(id, blob, column))
        return [Brought("checkpoint", id, [state], note)]

    return Damage(id, what, plant)


def _lost(
    id: str,
    what: str,
    code: str,
    blob: bytes | None,
    column: bytes | None,
    *,
    type: str | None = "msgpack",
) -> Damage:
    """Make damage to a row that leaves nothing to bring."""

    def plant(tree: Tree) -> Sequence[Outcome]:
        bad = row(id, blob, column, type=type)
        number = _insert(tree, bad)
        return [Refused(code, f"{DATABASE}:checkpoints/{number}", written(bad))]

    return Damage(id, what, plant)


def _no_thread(tree: Tree) -> Sequence[Outcome]:
    bad: Row = ("", "", "c-no-thread", None, "msgpack", GOOD, metadata_of(OWN))
    number = _insert(tree, bad)
    return [Refused("bad_thread_id", f"{DATABASE}:checkpoints/{number}", written(bad))]


def _no_id(tree: Tree) -> Sequence[Outcome]:
    _insert(tree, ("thread_no_id", "", "", None, "msgpack", GOOD, metadata_of(OWN)))
    return [Brought("checkpoint", "~thread_no_id", [{"a": 1}], "replaced_id")]


def _dangling(tree: Tree) -> Sequence[Outcome]:
    _insert(tree, stored("thread_nowhere", "c-dangling", MORNING, {"b": 2}))
    return [Brought("checkpoint", "c-dangling", [{"b": 2}], "dangling_thread")]


def _id_taken(tree: Tree) -> Sequence[Outcome]:
    _insert(tree, stored(THREAD, "c-id-taken", MORNING, {"first": 1}))
    _insert(tree, stored(THREAD, "c-id-taken", NOON, {"second": 2}), place="storage/test/more.db")
    second = Brought("checkpoint", "c-id-taken~2", [{"second": 2}], "duplicate_id")
    return [Brought("checkpoint", "c-id-taken"), second]


def _odd_text(tree: Tree) -> Sequence[Outcome]:
    _insert(tree)
    text = "INSERT INTO checkpoints VALUES (?, '', CAST(? AS TEXT), NULL, 'msgpack', ?, ?)"
    with closing(sqlite3.connect(tree.path(DATABASE))) as db, db:
        db.execute(text, (THREAD, b"c-odd-\xff", GOOD, metadata_of(OWN)))
    return [Brought("checkpoint", "c-odd-\\xff", [{"a": 1}])]


def _file(id: str) -> str:
    return f"storage/{id}.db"


def _many(tree: Tree, id: str) -> tuple[Path, list[Row]]:
    """Write a database of a hundred rows, each with a page to itself."""
    rows = [
        stored(THREAD, f"{id}-{n:03}", MORNING, {"n": n, "fill": "x" * 2_000}) for n in range(100)
    ]
    _insert(tree, *rows, place=_file(id))
    return tree.path(_file(id)), rows


def _head(path: Path, most: int) -> tuple[bytes, int]:
    """Return how a file begins that is longer than that, and how long it is."""
    data = path.read_bytes()
    assert len(data) > most
    return data[:most], len(data)


def _cut_file(tree: Tree) -> Sequence[Outcome]:
    path, rows = _many(tree, "d-cut")
    os.truncate(path, path.stat().st_size // 4 * 3)
    kept = [
        Brought("checkpoint", row[2], [json.loads(row[6] or b"")["state_data"]])
        for row in rows[:50]
    ]
    # It is told twice: behind the rows that can be read, and that there is no way from the end.
    return [*(Refused("bad_database", f"{_file('d-cut')}:checkpoints") for _ in range(2)), *kept]


def _overwritten(tree: Tree) -> Sequence[Outcome]:
    path, _ = _many(tree, "d-overwritten")
    path.write_bytes(b"\0" * 4096 + path.read_bytes()[4096:])
    return [Refused("unknown", _file("d-overwritten"), head=_head(path, HEAD_BYTES // 16))]


def _header(tree: Tree) -> Sequence[Outcome]:
    path, _ = _many(tree, "d-schema")
    data = path.read_bytes()
    path.write_bytes(data[:100] + b"\xff" * 300 + data[400:])
    return [Refused("bad_database", _file("d-schema"), head=_head(path, HEAD_BYTES))]


def _empty(tree: Tree) -> Sequence[Outcome]:
    tree.path(_file("d-empty")).touch()
    return [Refused("unknown", _file("d-empty"), head=(b"", None))]


def _foreign(tree: Tree) -> Sequence[Outcome]:
    with closing(sqlite3.connect(tree.path(_file("d-foreign")))) as db, db:
        db.execute("CREATE TABLE checkpoints (id TEXT, data BLOB)")
        db.execute("INSERT INTO checkpoints VALUES ('a', 'b')")
    return [Refused("unknown", _file("d-foreign"))]


_LIVE: Final = """
PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF;
"""


def _killed(tree: Tree, id: str) -> Path:
    """Write two rows in two transactions that stand in the WAL alone, as of a killed writer."""
    whole, path = tree.path(f"storage/{id}-live.db"), tree.path(_file(id))
    with closing(sqlite3.connect(whole)) as db:
        db.executescript(f"{_LIVE}{SCHEMA}")
        for number in (1, 2):
            values = stored(THREAD, f"{id}-{number}", MORNING, {"n": number})
            db.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            db.commit()
        # The state of the disk at this moment is what a killed process leaves behind.
        shutil.copyfile(whole, path)
        shutil.copyfile(f"{whole}-wal", f"{path}-wal")
    whole.unlink()
    return path


def _in_wal(tree: Tree) -> Sequence[Outcome]:
    _killed(tree, "d-wal")
    return [Brought("checkpoint", f"d-wal-{n}", [{"n": n}]) for n in (1, 2)]


def _torn_wal(tree: Tree) -> Sequence[Outcome]:
    wal = Path(f"{_killed(tree, 'd-torn-wal')}-wal")
    os.truncate(wal, wal.stat().st_size - 1_000)
    # The second transaction never ended: SQLite itself takes it back.
    return [Brought("checkpoint", "d-torn-wal-1", [{"n": 1}])]


_STRANGE: Final = {"__root__": {"at": ormsgpack.Ext(99, b"\xc1")}, "workflow_id": "w"}

ROWS: Final = (
    _comes("c-bad-blob", "the blob is damaged, the metadata is not", "blob_lost",
        b"\xc1\xff", metadata_of(OWN), {"a": 1}),
    _comes("c-cut-blob", "the blob was cut off", "blob_lost", GOOD[:30], metadata_of(OWN),
        {"a": 1}),
    _comes("c-null-blob", "the blob is missing", "blob_lost", None, metadata_of(OWN), {"a": 1}),
    _comes("c-list-blob", "the blob is a list", "blob_lost", ormsgpack.packb([1]),
        metadata_of(OWN), {"a": 1}),
    _comes("c-cut-metadata", "the metadata was cut off", "metadata_lost", GOOD, b'{"workf',
        {"a": 1}),
    _comes("c-metadata-utf8", "the metadata is no UTF-8", "metadata_lost", GOOD, b'{"w": "\xff"}',
        {"a": 1}),
    _comes("c-metadata-list", "the metadata is a list", "metadata_lost", GOOD, b"[1]", {"a": 1}),
    _comes("c-null-metadata", "the metadata is missing", None, GOOD, None, {"a": 1}),
    _comes("c-differs", "the two copies of the state differ", "state_differs", GOOD,
        metadata_of({**OWN, "state_data": {"a": 2}}), {"a": 2}),
    _comes("c-root-text", "the text of the state is no JSON", "odd_value",
        pack(MORNING, {"__root__": "{'a'", "workflow_id": "w"}), metadata_of({"workflow_id": "w"}),
        "{'a'"),
    _comes("c-extension", "the state holds what nobody knows", None, pack(MORNING, _STRANGE),
        metadata_of({"workflow_id": "w"}), {"at": {"ext": 99, "data": b"\xc1"}}),
    _comes("c-bad-time", "a time that is none", "time_guessed",
        pack("soon", {"__root__": "1", "workflow_id": "w"}), metadata_of(OWN), {"a": 1}),
    _comes("c-nan-state", "a bare NaN in the state", None, pack(MORNING, {"workflow_id": "w"}),
        b'{"workflow_id": "w", "state_data": [NaN, -Infinity]}', [float("nan"), float("-inf")]),
    _lost("c-both-bad", "blob and metadata are damaged", "bad_blob", b"\xc1", b"{"),
    _lost("c-null-both", "blob and metadata are missing", "no_time", None, None),
    _lost("c-no-time", "no time that can be read", "no_time",
        pack("soon", {"__root__": "1", "workflow_id": "w"}), b"{}"),
    _lost("c-no-state", "no state in either place", "no_state", pack(MORNING, {}),
        b'{"workflow_id": "w"}'),
    _lost("c-pickle", "a pickle for a blob", "no_time", b"cos\nsystem\n(S'x'\ntR.", b"{}",
        type="pickle"),
    Damage("c-no-thread", "no thread", _no_thread),
    Damage("c-no-id", "no id", _no_id),
    Damage("c-odd-text", "an id that is no UTF-8", _odd_text),
    Damage("c-dangling", "a thread that is not there", _dangling),
    Damage("c-id-taken", "two databases have one id", _id_taken),
    Damage("d-cut", "a database was cut off", _cut_file),
    Damage("d-overwritten", "the beginning of a database was overwritten", _overwritten),
    Damage("d-schema", "the schema of a database is damaged", _header),
    Damage("d-empty", "a database without a byte", _empty),
    Damage("d-foreign", "a table of the same name with other columns", _foreign),
    Damage("d-wal", "the writer was killed, and its rows stand in the WAL alone", _in_wal),
    Damage("d-torn-wal", "the last transaction in the WAL was cut off", _torn_wal),
)  # fmt: skip
