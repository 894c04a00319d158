"""Open a SQLite file without changing a byte of it, and find out what it holds."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol, TypeAlias, cast

import apsw

from ..domain.errors import Corrupt

MAGIC: Final = b"SQLite format 3\0"

COMPANIONS: Final = ("-wal", "-journal")
"""Files beside a database that hold changes not yet, or no longer, in it. `-shm` holds nothing."""

_TRIES: Final = 3


Value: TypeAlias = int | float | str | bytes | None
"""What a column may hold."""


class Database(Protocol):
    """An open SQLite connection, as far as it is used here."""

    def execute(
        self, statements: str, bindings: Sequence[Value] = ()
    ) -> Iterator[tuple[Value, ...]]:
        """Run statements and go through the rows; a change is made when its rows are fetched."""
        ...

    def close(self, *, force: bool = False) -> None:
        """End the connection."""
        ...


def connect(name: str, *, flags: int) -> Database:
    """Open a connection."""
    return cast("Database", apsw.Connection(name, flags=flags))


def pending(path: Path) -> list[Path]:
    """Return the companions of a database that hold something."""
    beside = (path.with_name(path.name + suffix) for suffix in COMPANIONS)
    return [file for file in beside if file.is_file() and file.stat().st_size]


def is_database(path: Path) -> bool:
    """Tell whether a file is a SQLite database, perhaps one whose content is all in its WAL."""
    with path.open("rb") as file:
        head = file.read(len(MAGIC))
    return head == MAGIC or (not head and bool(pending(path)))


@contextmanager
def opened(path: Path) -> Generator[Database, None, None]:
    """Open a database for reading, with the rows that stand only in its WAL.

    Without companions the file itself is opened as immutable: SQLite then neither locks it nor
    makes files beside it. Otherwise a copy is opened, into which SQLite brings the WAL (or from
    which it rolls an unfinished transaction back); `-shm` is left behind, so that SQLite makes the
    index of the WAL anew from what is there. Raises `Corrupt` where this is no database or is
    being written to.
    """
    if not pending(path):
        uri = f"{path.resolve().as_uri()}?immutable=1"
        with _connected(uri, apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI) as db:
            yield db
        return
    with TemporaryDirectory(prefix="ropewalk-") as folder:
        copy = _copy(path, Path(folder))
        with _connected(str(copy), apsw.SQLITE_OPEN_READWRITE) as db:
            yield db


@contextmanager
def _connected(name: str, flags: int) -> Generator[Database, None, None]:
    try:
        db = connect(name, flags=flags)
    except apsw.Error as error:
        message = f"SQLite cannot open it: {error}"
        raise Corrupt(message, code="bad_database") from error
    try:
        # A table may be a view in disguise: it gets no functions with side effects.
        list(db.execute("PRAGMA trusted_schema = OFF"))
        # Of a file that was cut off, what is left can be read: SQLite refuses it otherwise.
        list(db.execute("PRAGMA writable_schema = ON"))
        yield db
    except apsw.Error as error:
        message = f"SQLite cannot read it: {error}"
        raise Corrupt(message, code="bad_database") from error
    finally:
        db.close(force=True)


def _copy(path: Path, folder: Path) -> Path:
    for _ in range(_TRIES):
        before = _state(path)
        for file in (path, *pending(path)):
            shutil.copyfile(file, folder / file.name)
        if _state(path) == before:
            return folder / path.name
    message = "is being written to; stop the program that uses it, then read it again"
    raise Corrupt(message, code="busy")


def _state(path: Path) -> list[tuple[str, int, int]]:
    stats = ((file.name, file.stat()) for file in (path, *pending(path)))
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


def columns(db: Database) -> dict[str, set[str]]:
    """Return the tables of a database with their columns."""
    text = (
        "SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c "
        "WHERE m.type = 'table'"
    )
    tables: dict[str, set[str]] = {}
    for table, column in db.execute(text):
        tables.setdefault(cast("str", table), set()).add(cast("str", column))
    return tables


def count(db: Database, table: str) -> int:
    """Count the rows of a table."""
    quoted = table.replace('"', '""')
    [[rows]] = db.execute(f'SELECT count(*) FROM "{quoted}"')  # noqa: S608 (quoted)
    return cast("int", rows)
