"""`SQLiteTables`: the rows of a file that `SqliteSaver` or `AsyncSqliteSaver` wrote."""

from __future__ import annotations

from array import array
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

import apsw

from ...domain.errors import Corrupt, NotFound
from ...domain.source import Problem
from ..databases import Database, columns, count, is_database, opened, pending
from .order import Read
from .rows import Blob, CheckpointRow, WriteRow
from .schema import ABSENT, CHECKPOINTS, STORE, WRITES, Layout, layout_of


@contextmanager
def opened_tables(path: Path) -> Generator[SQLiteTables, None, None]:
    """Open a file without changing it, and find out how it is laid out.

    Raises `NotFound` where there is no such file, or it is none of LangGraph's, and `Corrupt`
    where SQLite cannot open it.
    """
    try:
        if not is_database(path):
            message = f"{path} is no SQLite database: name the file of LangGraph's saver"
            raise NotFound(message, code="no_source", place=str(path))
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror}): name the file of LangGraph's saver"
        raise NotFound(message, code="no_source", place=str(path)) from error
    with opened(path) as db:
        yield SQLiteTables(db, layout_of(columns(db), str(path)), path)


class SQLiteTables:
    """Goes through the tables by their keys, and reads each row by itself.

    So a damaged page costs the rows that lie on it, and no others.
    """

    def __init__(self, db: Database, layout: Layout, path: Path) -> None:
        """Read from an open database."""
        self._db = db
        self._layout = layout
        self._name: Final = path.name
        self.place: Final = str(path)
        self.generation: Final = f"langgraph-sqlite-{layout.generation}"
        beside = pending(path)
        self.files: Final = 1 + len(beside)
        self.size: Final = sum(file.stat().st_size for file in (path, *beside))

    def counts(self) -> dict[str, int]:
        """Count threads, checkpoints and writes."""
        return {
            "thread": sum(1 for _ in self._db.execute(self._threads_sql())),
            "checkpoint": count(self._db, CHECKPOINTS),
            "write": count(self._db, WRITES) if self._layout.has_writes else 0,
        }

    def forms(self) -> dict[str | None, int]:
        """Count the checkpoints by the name of their form."""
        sql = f"SELECT {self._layout.form}, count(*) FROM checkpoints GROUP BY 1"  # noqa: S608 (ours)
        return dict(cast("Iterator[tuple[str | None, int]]", self._db.execute(sql)))

    def memories(self) -> int:
        """Count the entries of a long-term store in the same file."""
        return count(self._db, STORE) if self._layout.has_store else 0

    def threads(self) -> Iterator[tuple[str, str, str] | Problem]:
        """Go through the threads: each with its first checkpoint, and the place."""
        last = b""
        for hint in ("", "NOT INDEXED"):
            try:
                for row in self._db.execute(self._threads_sql(hint)):
                    thread, first = cast("tuple[bytes | None, bytes | None]", row)
                    if hint and (thread or b"") <= last:
                        continue
                    last = thread or b""
                    yield from self._thread(thread, first)
            except apsw.Error as error:
                reason = f"SQLite cannot go through the threads: {error}"
                yield self._problem(CHECKPOINTS, "bad_database", reason)
            else:
                return

    def _thread(
        self, thread: bytes | None, first: bytes | None
    ) -> Iterator[tuple[str, str, str] | Problem]:
        try:
            yield _text(thread), _text(first), f"{self._name}:{CHECKPOINTS}"
        except Corrupt as error:
            yield self._problem(CHECKPOINTS, error.code, error.message)

    def _threads_sql(self, hint: str = "") -> str:
        own = self._layout
        both = f"SELECT thread_id AS t, min({own.id}) AS c FROM checkpoints {hint} GROUP BY 1"  # noqa: S608 (ours)
        if own.has_writes:
            both += (
                f" UNION ALL SELECT thread_id, min({own.write_id}) FROM writes {hint} GROUP BY 1"  # noqa: S608 (ours)
            )
        return f"SELECT CAST(t AS BLOB), CAST(min(c) AS BLOB) FROM ({both}) GROUP BY t ORDER BY t"  # noqa: S608 (ours)

    def checkpoints(self) -> Iterator[Read]:
        """Go through the checkpoints by thread, namespace and id."""
        own = self._layout
        for number in self._numbers(CHECKPOINTS, ("thread_id", own.namespace, own.id)):
            if isinstance(number, Problem):
                yield number
            else:
                yield from self._checkpoint("rowid = ?", (number,))

    def has(self, thread: str, namespace: str, id: str) -> bool:
        """Tell whether there is such a checkpoint."""
        return bool(self._has(thread.encode(), namespace.encode(), id.encode()))

    def _has(self, *key: bytes | None) -> bool | None:
        """Tell whether there is such a checkpoint; `None` where a damaged index hides that."""
        own = self._layout
        sql = (
            "SELECT 1 FROM checkpoints WHERE thread_id = CAST(?1 AS TEXT) "  # noqa: S608 (ours)
            f"AND {own.namespace} = CAST(?2 AS TEXT) AND {own.id} = CAST(?3 AS TEXT)"
        )
        try:
            return any(True for _ in self._db.execute(sql, key))
        except apsw.Error:  # the rows themselves are read one by one
            return None

    def fetch(self, thread: str, namespace: str, id: str) -> Iterator[Read]:
        """Read one checkpoint again."""
        own = self._layout
        where = (
            f"thread_id = CAST(?1 AS TEXT) AND {own.namespace} = CAST(?2 AS TEXT) "
            f"AND {own.id} = CAST(?3 AS TEXT)"
        )
        yield from self._checkpoint(where, (thread.encode(), namespace.encode(), id.encode()))

    def _checkpoint(self, where: str, key: tuple[bytes | int, ...]) -> Iterator[Read]:
        own = self._layout
        sql = (
            f"SELECT rowid, CAST(thread_id AS BLOB), CAST({own.namespace} AS BLOB), "  # noqa: S608 (ours)
            f"CAST({own.id} AS BLOB), CAST({own.parent} AS BLOB), CAST({own.form} AS BLOB), "
            f"CAST(checkpoint AS BLOB), CAST({own.metadata} AS BLOB) FROM checkpoints WHERE {where}"
        )
        shown = str(key[-1]) if isinstance(key[-1], int) else key[-1].decode()
        try:
            for found in self._db.execute(sql, key):
                shown = str(found[0])
                thread, namespace, id_, parent, form, checkpoint, metadata = cast(
                    "tuple[bytes | None, ...]", found[1:]
                )
                yield CheckpointRow(
                    place=f"{self._name}:{CHECKPOINTS}/{shown}",
                    thread=_text(thread),
                    namespace=_text(namespace),
                    id=_text(id_),
                    parent=_text(parent) or None,
                    form=_text(form) or None,
                    checkpoint=checkpoint,
                    metadata=metadata,
                )
        except apsw.Error as error:
            reason = f"SQLite cannot read this row: {error}"
            yield self._problem(f"{CHECKPOINTS}/{shown}", "bad_database", reason)
        except Corrupt as error:
            yield self._problem(f"{CHECKPOINTS}/{shown}", error.code, error.message)

    def writes(self) -> Iterator[WriteRow | Problem]:
        """Go through the pending writes by thread, namespace, checkpoint, task and place."""
        own = self._layout
        if not own.has_writes:
            return
        columns = ("thread_id", own.write_namespace, own.write_id, "task_id", "idx")
        known: tuple[tuple[bytes | None, ...], bool] | None = None
        for number in self._numbers(WRITES, columns):
            if isinstance(number, Problem):
                yield number
                continue
            try:
                for row in self._db.execute(self._write_sql(), (number,)):
                    key = cast("tuple[bytes | None, ...]", row[:3])
                    if known is None or known[0] != key:
                        known = key, self._has(*key) is False
                    yield self._write(number, row, is_orphan=known[1])
            except apsw.Error as error:
                reason = f"SQLite cannot read this row: {error}"
                yield self._problem(f"{WRITES}/{number}", "bad_database", reason)
            except Corrupt as error:
                yield self._problem(f"{WRITES}/{number}", error.code, error.message)

    def _write_sql(self) -> str:
        own = self._layout
        return (
            f"SELECT CAST(thread_id AS BLOB), CAST({own.write_namespace} AS BLOB), "  # noqa: S608 (ours)
            f"CAST({own.write_id} AS BLOB), CAST(task_id AS BLOB), CAST({own.path} AS BLOB), "
            f"CAST(channel AS BLOB), CAST({own.write_form} AS BLOB), CAST(value AS BLOB), "
            "CAST(idx AS INTEGER) FROM writes WHERE rowid = ?"
        )

    def _write(self, number: int, row: tuple[object, ...], *, is_orphan: bool) -> WriteRow:
        *texts, value, index = row
        thread, namespace, id_, task, path, channel, form = (
            _text(cast("bytes | None", text)) for text in texts
        )
        return WriteRow(
            place=f"{self._name}:{WRITES}/{number}",
            thread=thread,
            namespace=namespace,
            checkpoint=id_,
            task=task,
            path=path,
            index=cast("int | None", index) or 0,
            value=Blob(channel=channel, form=form or None, data=cast("bytes | None", value)),
            is_orphan=is_orphan,
        )

    def _numbers(self, table: str, columns: Sequence[str]) -> Iterator[int | Problem]:
        """Go through the numbers of rows in the order of their keys.

        Behind a damaged page of the index come the others as they lie in the table.
        """
        last: int | None = None
        order = ", ".join(column for column in columns if column != ABSENT)
        try:
            for [number] in self._db.execute(f"SELECT rowid FROM {table} ORDER BY {order}"):  # noqa: S608 (ours)
                last = cast("int", number)
                yield last
        except apsw.Error as error:
            reason = f"SQLite cannot read on by the index: {error}; the rest is read without it"
            yield self._problem(table, "bad_database", reason)
        else:
            return
        if last is None:
            yield from self._unsorted(table, "")
        else:
            key = f"SELECT {order} FROM {table} NOT INDEXED WHERE rowid = {last}"  # noqa: S608 (ours)
            yield from self._unsorted(table, f"WHERE ({order}) > ({key})")

    def _unsorted(self, table: str, where: str) -> Iterator[int | Problem]:
        """Go through rows as they lie, from both ends where a page between them is damaged."""
        text = f"SELECT rowid FROM {table} NOT INDEXED {where} ORDER BY rowid"  # noqa: S608 (ours)
        last: int | None = None
        try:
            for [number] in self._db.execute(text):
                last = cast("int", number)
                yield last
        except apsw.Error as error:
            yield self._problem(table, "bad_database", f"SQLite cannot read on: {error}")
        else:
            return
        behind = array("q")
        try:
            for [number] in self._db.execute(f"{text} DESC"):
                if number == last:
                    break
                behind.append(cast("int", number))
        except apsw.Error as error:
            yield self._problem(table, "bad_database", f"nor back from the end: {error}")
        yield from reversed(behind)

    def _problem(self, where: str, code: str, reason: str) -> Problem:
        return Problem(code=code, place=f"{self._name}:{where}", reason=reason)


def _text(raw: bytes | None) -> str:
    """Return text that stands in a column, empty for none; raise `Corrupt` where it is no text."""
    try:
        return (raw or b"").decode()
    except UnicodeDecodeError as error:
        message = f"a key is no text: {raw!r}"
        raise Corrupt(message, code="bad_text") from error
