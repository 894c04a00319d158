"""`LangGraphSource`: what a checkpointer of LangGraph kept, read without changing it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Final

from ...domain.errors import Corrupt, Invalid, Unavailable
from ...domain.source import Finding, FormatCount, Inventory, Problem, Skipped
from ..pump import Steps, stream
from . import items
from .forms import PICKLE
from .order import parents_first
from .sqlite import SQLiteTables, opened_tables

_MEMORIES: Final = "langgraph-store"
_BUSY: Final = "busy"
_FILE: Final = "sqlite:///"


class LangGraphSource:
    """Reads threads, checkpoints and pending writes out of the database of a LangGraph saver.

    `place` is the file of `SqliteSaver` or `AsyncSqliteSaver`, of any generation. Values stay in
    the form in which they were written; LangGraph need not be installed. The graphs go on from
    what is brought under `RopewalkSaver`, whose layout it is.

    The file is opened as immutable or, where rows stand in a WAL, as a copy in a temporary folder.
    Memory holds one row at a time, and the ids of checkpoints that stand before their parents.
    """

    def __init__(self, place: str | Path) -> None:
        """Take the file; nothing is read yet. Raises `Invalid` for the URL of a server."""
        name = str(place)
        if "://" in name and not name.startswith(_FILE):
            message = (
                "of LangGraph's databases the SQLite files are read, and no servers: what a server "
                "has can be brought through LangGraph's own saver, by "
                "`ropewalk.frontends.langgraph.bring`"
            )
            raise Invalid(message, code="unsupported", field="place")
        self._path: Final = Path(name.removeprefix(_FILE))

    async def scan(self) -> Inventory:
        """Count what is there by kind; which rows are damaged, only `read` can tell."""
        found: AsyncGenerator[Inventory, None] = stream(self._scan)
        async with aclosing(found):
            return await anext(found)

    def read(self) -> AsyncGenerator[Finding, None]:
        """Go through all threads, then all checkpoints, then what was written at them."""
        return stream(self._read)

    def _scan(self) -> Steps[Inventory]:
        try:
            with self._opened() as tables:
                yield _inventory(tables)
        except Corrupt as error:
            told = Problem(code=error.code, place=self._path.name, reason=error.message)
            yield Inventory(place=str(self._path), problems=(told,), problem_count=1)

    def _read(self) -> Steps[Finding]:
        try:
            with self._opened() as tables:
                yield from _findings(tables)
        except Corrupt as error:
            yield Problem(code=error.code, place=self._path.name, reason=error.message)

    @contextmanager
    def _opened(self) -> Generator[SQLiteTables, None, None]:
        try:
            with opened_tables(self._path) as tables:
                yield tables
        except Corrupt as error:
            if error.code != _BUSY:
                raise
            message = f"{self._path} {error.message}"
            raise Unavailable(message, code=_BUSY, place=str(self._path)) from error


def _inventory(tables: SQLiteTables) -> Inventory:
    kinds = tables.counts()
    memories = tables.memories()
    formats = [
        FormatCount(
            format=tables.generation,
            files=tables.files,
            items=sum(kinds.values()),
            size=tables.size,
            read=True,
        )
    ]
    if memories:
        formats.append(FormatCount(format=_MEMORIES, files=1, items=memories, size=0, read=False))
    problems = [
        Problem(
            code=PICKLE if form == PICKLE else "encrypted",
            place="checkpoints",
            reason=f"{count} checkpoints are kept as {form}, which is not read",
        )
        for form, count in tables.forms().items()
        if form is not None and (form == PICKLE or "+" in form)
    ]
    return Inventory(
        place=tables.place,
        kinds=kinds,
        formats=tuple(formats),
        problems=tuple(problems),
        problem_count=len(problems),
    )


def _findings(tables: SQLiteTables) -> Steps[Finding]:
    memories = tables.memories()
    if memories:
        yield Skipped(
            format=_MEMORIES,
            place=tables.place,
            items=memories,
            reason="long-term memory of LangGraph's store, which is not read from its tables",
        )
    for thread in tables.threads():
        if isinstance(thread, Problem):
            yield thread
        else:
            yield from items.thread_of(*thread)
    for row in parents_first(tables.checkpoints(), tables):
        if isinstance(row, Problem):
            yield row
        else:
            yield from items.checkpoint_of(row)
    for write in tables.writes():
        if isinstance(write, Problem):
            yield write
        else:
            yield from items.write_of(write)
