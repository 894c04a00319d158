"""`LangGraphSource`: what a checkpointer of LangGraph kept, read without changing it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractContextManager, aclosing, contextmanager
from pathlib import Path
from typing import Final

from ...domain.address import redacted
from ...domain.errors import Corrupt, Invalid, Unavailable
from ...domain.source import Finding, FormatCount, Inventory, Problem, Skipped
from ..pump import Steps, stream
from . import items
from .forms import PICKLE
from .order import parents_first
from .sqlite import opened_tables
from .tables import Tables

_MEMORIES: Final = "langgraph-store"
_BUSY: Final = "busy"
_FILE: Final = "sqlite:///"
_SERVERS: Final = ("postgresql://", "postgres://")


class LangGraphSource:
    """Reads threads, checkpoints and pending writes out of the database of a LangGraph saver.

    `place` is the file of `SqliteSaver` or `AsyncSqliteSaver`, or the URL of the server where
    `PostgresSaver` or `AsyncPostgresSaver` kept them, of any generation. Values stay in the form in
    which they were written; LangGraph need not be installed. The graphs go on from what is brought
    under `RopewalkSaver`, whose layout it is.

    The file is opened as immutable or, where rows stand in a WAL, as a copy in a temporary folder;
    a server is read in one transaction that sees one moment of it, and can write nothing. Memory
    holds one row at a time, of a server a megabyte of them or one row, and the ids of checkpoints
    that stand before their parents.
    """

    def __init__(self, place: str | Path) -> None:
        """Take the file; nothing is read yet. Raises `Invalid` for the URL of a server."""
        name = str(place)
        self._server: Final = name if name.startswith(_SERVERS) else None
        if "://" in name and not self._server and not name.startswith(_FILE):
            message = (
                f"{redacted(name)}: LangGraph's checkpoints are read from SQLite files and from "
                "postgresql:// servers; what others have can be brought through LangGraph's own "
                "saver, by `ropewalk.frontends.langgraph.bring`"
            )
            raise Invalid(message, code="unsupported", field="place")
        self._path: Final = Path(name.removeprefix(_FILE))
        self._shown: Final = redacted(name) if self._server else str(self._path)

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
            told = Problem(code=error.code, place=self._name, reason=error.message)
            yield Inventory(place=self._shown, problems=(told,), problem_count=1)

    def _read(self) -> Steps[Finding]:
        try:
            with self._opened() as tables:
                yield from _findings(tables)
        except Corrupt as error:
            yield Problem(code=error.code, place=self._name, reason=error.message)

    @property
    def _name(self) -> str:
        return self._shown if self._server else self._path.name

    @contextmanager
    def _opened(self) -> Generator[Tables, None, None]:
        if self._server is not None:
            with _connected(self._server) as tables:
                yield tables
            return
        try:
            with opened_tables(self._path) as tables:
                yield tables
        except Corrupt as error:
            if error.code != _BUSY:
                raise
            message = f"{self._path} {error.message}"
            raise Unavailable(message, code=_BUSY, place=str(self._path)) from error


def _connected(url: str) -> AbstractContextManager[Tables]:
    """Open a server; raise `Invalid` where the package that speaks to it is not there."""
    try:
        from . import postgres
    except ImportError as error:
        message = "reading from PostgreSQL needs a package more: install ropewalk[postgres]"
        raise Invalid(message, code="missing_package", package="psycopg") from error
    return postgres.opened_tables(url)


def _inventory(tables: Tables) -> Inventory:
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


def _findings(tables: Tables) -> Steps[Finding]:
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
