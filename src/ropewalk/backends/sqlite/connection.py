"""One connection to the file: the few things of apsw that are used here, with their types."""

# The type stubs of apsw name a class that Python has from 3.12 on only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol, TypeAlias, cast

import apsw

from .declared import DeclaredIndexes
from .indexes import Indexes
from .names import Names
from .patience import Patience

Value: TypeAlias = str | int | float | bytes | None
Row: TypeAlias = tuple[Any, ...]
"""What a file says: whoever relies on the type of a column has looked at it."""

# A connection is used by one thread at a time, so that SQLite need not lock it.
_FLAGS: Final = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOMUTEX

_STATEMENTS: Final = 256
"""How many compiled statements a connection keeps at hand."""


_PAGES_AT_ONCE: Final = 1_024


class Sum(Protocol):
    """An aggregate function while it adds up."""

    def step(self, *values: object) -> None:
        """Take the arguments of one more row."""
        ...

    def final(self) -> float | None:
        """Return the outcome."""
        ...


class Connection:
    """Run statements on the file at `path`, with values that are bound and never written in.

    Every method may raise errors of apsw. With `create` a missing file is made, empty, at the
    first write.

    `data_version` returns a number that every commit changes, seen by this connection or its own;
    `last_row` the row number that the last insert gave.
    """

    __slots__ = (
        "_apsw",
        "_cursor",
        "_handler",
        "_is_patient",
        "data_version",
        "declared",
        "indexes",
        "last_row",
        "names",
    )

    def __init__(self, path: str, patience: Patience, *, create: bool = False) -> None:
        flags = _FLAGS | (apsw.SQLITE_OPEN_CREATE if create else 0)
        self._apsw = apsw.Connection(path, flags=flags, statementcachesize=_STATEMENTS)
        # Without this SQLite looks at the values that are bound, and compiles many a statement anew
        # whenever others are: for a page of records that takes longer than to read a third of it.
        self._apsw.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        # One for all statements that are run to their end: making a cursor takes a while.
        self._cursor = self._apsw.cursor()
        self._handler = patience.handler
        self._is_patient = False
        self.be_patient()
        self.indexes = Indexes(self.rows)
        self.names = Names(self.rows, self.indexes)
        # These two are asked for every batch, and are as they come.
        self.data_version: Callable[[], int] = self._apsw.data_version
        self.last_row: Callable[[], int] = self._apsw.last_insert_rowid
        self.declared = DeclaredIndexes(self.rows, self.names)

    def run(self, statement: str, values: Sequence[Value] = ()) -> None:
        """Run a statement, or a script of several, to its end."""
        try:
            self._cursor.execute(statement, values)
        except BaseException:
            self._begin_anew()
            raise

    def rows(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        """Return all rows of a statement."""
        try:
            found: list[Row] = self._cursor.execute(statement, values).fetchall()
        except BaseException:
            self._begin_anew()
            raise
        return found

    def _begin_anew(self) -> None:
        # What stopped half-way would hold its snapshot.
        self._cursor.close(force=True)
        self._cursor = self._apsw.cursor()

    def walk(self, statement: str, values: Sequence[Value] = ()) -> Generator[Row]:
        """Go through the rows of a statement, which ends when the iterator is closed."""
        cursor = self._apsw.execute(statement, values)
        try:
            yield from cast("Iterator[Row]", cursor)
        finally:
            # A statement left half-way would hold its snapshot, and the WAL could never shrink.
            cursor.close()

    def some(
        self, statement: str, values: Sequence[Value], *, column: int, most: int
    ) -> list[Row] | None:
        """Return all rows, `None` where one column of them has more bytes than `most` in all."""
        rows: list[Row] = []
        size = 0
        cursor = self._apsw.execute(statement, values)
        try:
            for row in cast("Iterator[Row]", cursor):
                rows.append(row)
                value = row[column]
                size += len(value) if isinstance(value, bytes) else 0
                if size > most:
                    return None
        finally:
            cursor.close()
        return rows

    def integer(self, statement: str) -> int:
        """Return the one integer that a statement gives."""
        ((value,),) = self._apsw.execute(statement).fetchall()
        return cast("int", value)

    @property
    def page_size(self) -> int:
        """The size of each page of the file, in bytes."""
        return self.integer("pragma page_size")

    def cache_use(self) -> tuple[int, int]:
        """Return how many pages were found in memory since it was opened, and how many read."""
        hits, _ = self._apsw.status(apsw.SQLITE_DBSTATUS_CACHE_HIT)
        misses, _ = self._apsw.status(apsw.SQLITE_DBSTATUS_CACHE_MISS)
        return hits, misses

    def pragma(self, name: str, value: int | str | None = None) -> object:
        """Ask for a setting or set it; return what it then is."""
        # To apsw `None` is a value, and not the lack of one.
        answer: object = (
            self._apsw.pragma(name) if value is None else self._apsw.pragma(name, value)
        )
        return answer

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._apsw.in_transaction

    @property
    def read_only(self) -> bool:
        """Whether the file could be opened for reading only."""
        return self._apsw.readonly("main")

    def roll_back(self) -> None:
        """Undo the open transaction, unless SQLite has done so by itself."""
        if self._apsw.in_transaction:
            self._apsw.execute("rollback")

    def checkpoint(self, *, truncate: bool = False) -> None:
        """Copy the WAL into the file as far as nobody is in the way.

        With `truncate`, all of it or raise `apsw.BusyError` at once, and leave the WAL empty.
        """
        if truncate:
            with self.at_once():
                self._apsw.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        else:
            self._apsw.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def be_patient(self) -> None:
        """Wait for locks from now on."""
        if not self._is_patient:
            self._is_patient = True
            self._apsw.set_busy_handler(self._handler)

    def be_impatient(self) -> None:
        """Wait for no lock from now on: raise `apsw.BusyError` at once."""
        if self._is_patient:
            self._is_patient = False
            self._apsw.set_busy_handler(None)

    def give_back(self, pages: int) -> None:
        """Cut up to so many free pages off the file, or raise `apsw.BusyError` at once."""
        with self.at_once():
            self.rows(f"pragma incremental_vacuum({pages:d})")

    @contextmanager
    def at_once(self) -> Generator[None]:
        """Wait for no lock meanwhile: raise `apsw.BusyError` at once."""
        was_patient = self._is_patient
        self.be_impatient()
        try:
            yield
        finally:
            if was_patient:
                self.be_patient()

    def copy_to(self, path: str) -> str:
        """Write the file as it is now into an empty one; return what SQLite finds there, or "ok".

        The copy is safe on the disk, and is one file without others beside it.
        """
        target = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
        try:
            with target.backup("main", self._apsw, "main") as copying:
                while not copying.done:
                    copying.step(_PAGES_AT_ONCE)
            target.pragma("journal_mode", "delete")
            ((found,),) = target.execute("pragma integrity_check(1)").fetchall()
            return str(found)
        finally:
            target.close()

    def after_commit(self, tell: Callable[[int], None]) -> None:
        """Tell the pages in the WAL after each commit; nothing checkpoints by itself then."""

        def hook(_connection: apsw.Connection, _database: str, pages: int) -> int:
            tell(pages)
            return apsw.SQLITE_OK

        self._apsw.set_wal_hook(hook)

    def while_running(self, stop: Callable[[], bool], steps: int) -> None:
        """Ask `stop` every so many steps of a statement, and interrupt it where it says so."""
        self._apsw.set_progress_handler(stop, steps)

    def define(self, name: str, function: Callable[..., Value]) -> None:
        """Let SQL call a pure function of one argument."""
        self._apsw.create_scalar_function(name, function, 1, deterministic=True)

    def define_sum(self, name: str, factory: Callable[[], Sum]) -> None:
        """Let SQL call an aggregate function of one argument."""
        self._apsw.create_aggregate_function(name, factory, 1)

    def close(self) -> None:
        """Close the connection; closing twice is no error."""
        self._apsw.close()
