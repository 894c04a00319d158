"""The two stores that keep the same conversation: how each is opened, and what it counts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import quote

import ropewalk

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

Saver: TypeAlias = "BaseCheckpointSaver[str]"
Count: TypeAlias = Callable[[str], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Side:
    """A store: its file, and what opens it as a saver and a count of a thread's checkpoints."""

    name: str
    file: str
    open: Callable[[Path], AbstractAsyncContextManager[tuple[Saver, Count]]]


def url_of(path: Path) -> str:
    """Return the URL of an SQLite file."""
    return f"sqlite:///{quote(path.as_posix(), safe='/')}"


@asynccontextmanager
async def _on_ropewalk(path: Path) -> AsyncGenerator[tuple[Saver, Count]]:
    from ropewalk.frontends.langgraph import RopewalkSaver

    async with ropewalk.open(url_of(path)) as storage:
        yield RopewalkSaver(storage), storage.checkpoints.count


@asynccontextmanager
async def _on_sqlite(path: Path) -> AsyncGenerator[tuple[Saver, Count]]:
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:

        async def count(thread_id: str) -> int:
            query = "SELECT count(*) FROM checkpoints WHERE thread_id = ?"
            async with saver.conn.execute(query, (thread_id,)) as found:
                row = await found.fetchone()
            return int(row[0]) if row else 0

        yield saver, count


ROPEWALK: Final = Side("Ropewalk", "ropewalk.db", _on_ropewalk)
LANGGRAPH: Final = Side("AsyncSqliteSaver", "langgraph.db", _on_sqlite)
