"""SQLite files are read with every row that counts, and not a byte of them changes."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from ropewalk.domain.errors import Corrupt
from ropewalk.sources.databases import opened

from .legacy.reading import read
from .legacy.writing import MORNING, SCHEMA, Tree, stored

WRITER: Final = """
import os, signal, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.executescript(sys.argv[2])
os.kill(os.getpid(), signal.SIGKILL)
"""
"""Writes without a checkpoint of the WAL and dies, so that the rows stand in the WAL alone."""

LEAVE_WAL: Final = """
PRAGMA journal_mode = WAL;
PRAGMA wal_autocheckpoint = 0;
BEGIN;
INSERT INTO checkpoints SELECT thread_id, '', 'wal_' || checkpoint_id, NULL, type, checkpoint,
  metadata FROM checkpoints;
COMMIT;
"""

LEAVE_JOURNAL: Final = """
PRAGMA journal_mode = DELETE;
PRAGMA cache_size = 1;
PRAGMA cache_spill = 1;
BEGIN;
UPDATE checkpoints SET metadata = zeroblob(200000);
"""


def die_writing(path: Path, script: str) -> None:
    """Run a script in a process that kills itself behind it."""
    command = [sys.executable, "-c", WRITER, str(path), script]
    assert -9 == subprocess.run(command, check=False, capture_output=True).returncode


def everything(root: Path) -> dict[str, tuple[int, bytes]]:
    """Return every file below a folder with its time and its bytes."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


@pytest.mark.seed("7.1")
async def test_rows_of_a_killed_writer_are_read_from_its_wal(tree: Tree) -> None:
    """Rows that stand in the WAL alone are there, and database, WAL and index stay as they are."""
    tree.thread("t")
    path = tree.checkpoints(stored("t", "c", MORNING, {"a": 1}))
    die_writing(path, LEAVE_WAL)
    assert path.with_name("checkpoints.db-wal").stat().st_size
    before = everything(tree.root)
    told = await read(tree)
    assert (["c", "wal_c"], []) == (told.ids("checkpoint"), told.problems())
    assert before == everything(tree.root)


async def test_an_unfinished_transaction_is_not_read(tree: Tree) -> None:
    """A journal that a killed writer left takes its half-written pages back, in a copy."""
    tree.thread("t")
    path = tree.checkpoints(*(stored("t", f"c{n}", MORNING, {"a": "x" * 9000}) for n in range(9)))
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
    die_writing(path, LEAVE_JOURNAL)
    assert path.with_name("checkpoints.db-journal").stat().st_size
    before = everything(tree.root)
    told = await read(tree)
    assert (9, []) == (len(told.ids("checkpoint")), told.problems())
    assert before == everything(tree.root)


async def test_a_database_that_is_all_wal_is_read(tree: Tree) -> None:
    """Even where the file itself is empty still."""
    tree.thread("t")
    path = tree.checkpoints(stored("t", "c", MORNING, {"a": 1}))
    die_writing(path, LEAVE_WAL)
    assert ["c", "wal_c"] == (await read(tree)).ids("checkpoint")


def test_an_immutable_database_gets_no_files_beside_it(tmp_path: Path) -> None:
    """Without a WAL the file is opened as it is, whatever its name, and nothing is made."""
    path = tmp_path / "odd name?#%41.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(SCHEMA)
    path.chmod(0o400)
    before = everything(tmp_path)
    with opened(path) as database:
        [[tables]] = database.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'table'")
        assert 2 == tables
    assert before == everything(tmp_path)


def test_a_database_that_is_being_written_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that was taken while the file changed would be torn: it is not used."""
    path = tmp_path / "busy.db"
    path.write_bytes(b"SQLite format 3\0")
    wal = tmp_path / "busy.db-wal"
    wal.write_bytes(b"x")
    copyfile = shutil.copyfile

    def copy_while_writing(source: Path, target: Path) -> None:
        copyfile(source, target)
        with wal.open("ab") as file:
            file.write(b"x")

    monkeypatch.setattr(shutil, "copyfile", copy_while_writing)
    with pytest.raises(Corrupt, match="being written to"), opened(path):
        pytest.fail("a torn copy was opened")


async def test_rows_behind_a_damaged_page_are_reached(tree: Tree) -> None:
    """Where a page is garbage, the rows before and behind it are read, and the place is told."""
    tree.thread("t")
    rows = [stored("t", f"c{n:03}", MORNING, {"n": n, "pad": "x" * 700}) for n in range(200)]
    path = tree.checkpoints(*rows)
    with closing(sqlite3.connect(path)) as db:
        text = "SELECT pageno FROM dbstat WHERE name = 'checkpoints' AND pagetype = 'leaf'"
        pages = [page for (page,) in db.execute(text)]
        [[size]] = db.execute("PRAGMA page_size")
    data = bytearray(path.read_bytes())
    begin = (pages[len(pages) // 2] - 1) * size
    data[begin : begin + size] = b"\xff" * size
    path.write_bytes(data)
    told = await read(tree)
    ids = told.ids("checkpoint")
    assert ("c000", "c199") == (ids[0], ids[-1])
    assert 190 < len(ids) < 200
    assert {("storage/checkpoints.db:checkpoints", "bad_database")} == set(told.problems())


@pytest.mark.parametrize("data", [b"SQLite format 3\0", b"SQLite format 3\0" + b"\xff" * 4096])
async def test_a_file_that_only_begins_like_a_database_is_a_problem(
    tree: Tree, data: bytes
) -> None:
    """A ruin is told by its place, and the rest is read."""
    tree.session("session_1")
    tree.path("storage/checkpoints.db").write_bytes(data)
    told = await read(tree)
    assert [("storage/checkpoints.db", "bad_database")] == told.problems()
    assert ["session_1"] == told.ids("session")
