"""A statement is compiled once, whatever values are bound to it."""

from __future__ import annotations

import threading
from pathlib import Path

import apsw

from ropewalk.backends.sqlite.connection import Connection
from ropewalk.backends.sqlite.patience import Patience


def test_other_values_compile_nothing_anew(tmp_path: Path) -> None:
    """Not even those that SQLite would look at for its plan: a limit, and a value in an index."""
    opened: list[apsw.Connection] = []
    apsw.connection_hooks.append(opened.append)
    try:
        patience = Patience(1.0, threading.Event())
        connection = Connection(str(tmp_path / "a.db"), patience, create=True)
    finally:
        apsw.connection_hooks.remove(opened.append)
    asked: list[str | None] = []

    def allow(_code: int, first: str | None, *_others: str | None) -> int:
        # SQLite asks while it compiles, and never else.
        asked.append(first)
        return apsw.SQLITE_OK

    statement = "select a from note where b > ? order by b limit ?"
    try:
        connection.run("create table note (a, b); create index note_b on note (b, a)")
        opened[0].authorizer = allow
        connection.rows(statement, (0, 1))
        assert "note" in asked
        asked.clear()
        for value in range(1, 4):
            connection.rows(statement, (value, value + 1))
    finally:
        connection.close()
    assert [] == asked
