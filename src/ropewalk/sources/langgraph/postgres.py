"""`PostgresTables`: the rows of a database that `PostgresSaver` or `AsyncPostgresSaver` wrote."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, Final, LiteralString, cast

import psycopg
from psycopg.rows import TupleRow

from ...domain.address import redacted
from ...domain.source import Problem
from .forms import JSON
from .order import Read
from .postgres_schema import (
    COLUMNS,
    MIGRATIONS,
    SIZE,
    TABLES,
    VERSION,
    Layout,
    Walk,
    layout_of,
)
from .rows import Blob, CheckpointRow, WriteRow
from .schema import CHECKPOINTS, STORE
from .server import TROUBLES, Connection, Trouble, is_damage, opened_server, refusal

_PORTION_BYTES: Final = 1024 * 1024
_PORTION_ROWS: Final = 512


@contextmanager
def opened_tables(url: str) -> Generator[PostgresTables, None, None]:
    """Open a database at one moment of it, and find out how it is laid out.

    Raises `NotFound` where there is no such database, or it is none of LangGraph's, and otherwise
    as `opened_server` does.
    """
    place = redacted(url)
    with opened_server(url) as connection:
        try:
            columns: dict[str, dict[str, str]] = {}
            for table, column, kind in connection.execute(COLUMNS, [list(TABLES)]):
                columns.setdefault(table, {})[column] = kind
            version = None
            if "v" in columns.get(MIGRATIONS, {}):
                [version] = connection.execute(VERSION).fetchone() or (None,)
        except psycopg.Error as error:
            raise refusal(error, place) from error
        yield PostgresTables(connection, layout_of(columns, version, place), place)


class PostgresTables:
    """Goes through the tables by their keys, in portions that a cursor of the server holds.

    A row that the server cannot read is told, and stepped over.
    """

    def __init__(self, connection: Connection, layout: Layout, place: str) -> None:
        """Read within the open transaction of a connection."""
        self._db = connection
        self._layout = layout
        self._name: Final = connection.info.dbname
        self._counter = count()
        self.place: Final = place
        self.generation: Final = layout.generation
        self.files: Final = 1
        self.size: Final = self._number(SIZE, [list(TABLES)])

    def counts(self) -> dict[str, int]:
        """Count threads, checkpoints and writes."""
        threads = self._layout.threads().source
        return {
            "thread": self._number(f"SELECT count(*) FROM ({threads}) AS every"),  # noqa: S608 (ours)
            "checkpoint": self._number("SELECT count(*) FROM checkpoints"),
            "write": self._number("SELECT count(*) FROM checkpoint_writes"),
        }

    def forms(self) -> dict[str | None, int]:
        """Count the checkpoints, which are all JSON; only values apart from them are others."""
        return {JSON: self._number("SELECT count(*) FROM checkpoints")}

    def memories(self) -> int:
        """Count the entries of a long-term store in the same database."""
        if not self._layout.has_store:
            return 0
        return self._number(f"SELECT count(*) FROM {STORE}")  # noqa: S608 (ours)

    def threads(self) -> Iterator[tuple[str, str, str] | Problem]:
        """Go through the threads: each with its first checkpoint, and the place."""
        for row in self._rows(self._layout.threads()):
            if isinstance(row, Problem):
                yield row
            else:
                thread, first = row
                yield thread, first or "", f"{self._name}:{CHECKPOINTS}"

    def checkpoints(self) -> Iterator[Read]:
        """Go through the checkpoints by thread, namespace and id."""
        for row in self._rows(self._layout.checkpoints()):
            yield row if isinstance(row, Problem) else self._checkpoint(row)

    def has(self, thread: str, namespace: str, id: str) -> bool:
        """Tell whether there is such a checkpoint."""
        walk = self._layout.checkpoints()
        found = self._ask(f"SELECT EXISTS ({walk.one()})", [thread, namespace, id])
        return bool(found and found[0])

    def fetch(self, thread: str, namespace: str, id: str) -> Iterator[Read]:
        """Read one checkpoint again."""
        walk, key = self._layout.checkpoints(), (thread, namespace, id)
        try:
            row = self._ask(walk.one(), key)
        except TROUBLES as error:
            yield self._unread(walk, key, error)
        else:
            if row is not None:
                yield self._checkpoint(row)

    def writes(self) -> Iterator[WriteRow | Problem]:
        """Go through the pending writes by thread, namespace, checkpoint, task and place."""
        for row in self._rows(self._layout.writes()):
            if isinstance(row, Problem):
                yield row
                continue
            thread, namespace, id_, task, index, path, channel, form, blob, is_orphan = row
            yield WriteRow(
                place=self._at(self._layout.writes(), row),
                thread=thread,
                namespace=namespace,
                checkpoint=id_,
                task=task,
                path=path,
                index=index,
                value=Blob(channel=channel, form=form, data=blob),
                is_orphan=is_orphan,
            )

    def _checkpoint(self, row: TupleRow) -> CheckpointRow:
        thread, namespace, id_, parent, checkpoint, metadata = row[:6]
        channels, types, blobs, sent, sends = (
            cast("list[Any]", part or []) for part in cast("Sequence[object]", row[6:])
        )
        return CheckpointRow(
            place=self._at(self._layout.checkpoints(), row),
            thread=thread,
            namespace=namespace,
            id=id_,
            parent=parent or None,
            form=JSON,
            checkpoint=checkpoint.encode(),
            metadata=metadata.encode(),
            blobs=tuple(
                Blob(channel=channel, form=form, data=data)
                for channel, form, data in zip(channels, types, blobs, strict=True)
            ),
            sends=tuple(
                Blob(channel="", form=form, data=data)
                for form, data in zip(sent, sends, strict=True)
            ),
        )

    def _rows(self, walk: Walk) -> Iterator[TupleRow | Problem]:
        """Go through a table; where a row cannot be read, tell that, and go on behind it."""
        last: TupleRow = ()
        savepoint = f"rows_{next(self._counter)}"
        self._do(f"SAVEPOINT {savepoint}")
        is_careful = False
        while True:
            try:
                for row in self._portions(walk, last, is_careful=is_careful):
                    last = row[: len(walk.key)]
                    yield row
            except TROUBLES as error:
                if not is_damage(error):
                    raise refusal(error, self.place) from error
                trouble = error
            else:
                return
            self._do(f"ROLLBACK TO SAVEPOINT {savepoint}")
            if is_careful:
                behind, last = last, self._next(walk, last)
                yield self._unread(walk, last or behind, trouble)
                if not last:
                    return
            # Of a portion it cannot be told which row it was.
            is_careful = True

    def _portions(self, walk: Walk, after: TupleRow, *, is_careful: bool) -> Iterator[TupleRow]:
        """Fetch rows behind a key, so many at a time as make a megabyte."""
        name, portion = f"rows_{next(self._counter)}", 1
        with self._db.cursor(name, binary=True) as cursor:
            cursor.execute(_ours(walk.rows(after=bool(after))), after)
            while rows := cursor.fetchmany(portion):
                size = sum(map(_size, rows))
                yield from rows
                if size > _PORTION_BYTES:
                    portion = max(portion // 2, 1)
                elif size < _PORTION_BYTES // 2 and not is_careful:
                    portion = min(portion * 2, _PORTION_ROWS)

    def _next(self, walk: Walk, after: TupleRow) -> TupleRow:
        """Return the key behind a key; an empty one where there is none, or it cannot be read."""
        try:
            return self._ask(walk.next(after=bool(after)), after) or ()
        except TROUBLES as error:
            if not is_damage(error):
                raise refusal(error, self.place) from error
            return ()

    def _ask(self, statement: str, values: Sequence[object] = ()) -> TupleRow | None:
        """Return the first row of an answer; an error takes nothing else with it."""
        with self._db.transaction():
            return self._db.execute(_ours(statement), values, binary=True).fetchone()

    def _number(self, statement: str, values: Sequence[object] = ()) -> int:
        try:
            row = self._ask(statement, values)
        except TROUBLES as error:
            raise refusal(error, self.place) from error
        return cast("int", row[0]) if row else 0

    def _do(self, statement: str) -> None:
        try:
            self._db.execute(_ours(statement))
        except psycopg.Error as error:
            raise refusal(error, self.place) from error

    def _at(self, walk: Walk, key: Sequence[object]) -> str:
        named = "/".join(str(part) for part in key[: len(walk.key)])
        return f"{self._name}:{walk.table}/{named}"

    def _unread(self, walk: Walk, key: Sequence[object], error: Trouble) -> Problem:
        said = " ".join(str(error).split())
        reason = f"PostgreSQL cannot read this row: {said}"
        return Problem(code="bad_database", place=self._at(walk, key), reason=reason)


def _ours(statement: str) -> LiteralString:
    """Vouch for a statement: names in it are ours, and values are bound."""
    literal: LiteralString = statement  # type: ignore[assignment,unused-ignore] # pyright: ignore[reportAssignmentType]
    return literal


def _size(row: TupleRow) -> int:
    """Return about how much room a row takes, in bytes."""
    return sum(
        sum(len(item or b"") for item in cast("list[bytes | str | None]", part))
        if isinstance(part, list)
        else len(part)
        for part in cast("Sequence[object]", row)
        if isinstance(part, list | str | bytes)
    )
