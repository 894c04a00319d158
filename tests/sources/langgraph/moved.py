"""Write with LangGraph's own saver, move in, and look at both through the same eyes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from ropewalk.domain.migration import Plan, RunReport
from ropewalk.domain.source import Finding, Source
from ropewalk.factory import open_source
from ropewalk.services.storage import Storage

PLAN = Plan(name="graphs")


@asynccontextmanager
async def original(
    path: Path | str,
) -> AsyncGenerator[AsyncSqliteSaver | AsyncPostgresSaver, None]:
    """Open LangGraph's own saver on a file, or on the URL of a server, for the block."""
    kind = AsyncSqliteSaver if isinstance(path, Path) else AsyncPostgresSaver
    async with kind.from_conn_string(str(path)) as saver:
        await saver.setup()
        yield saver


def source(path: Path | str) -> Source:
    """Return the file, or the server, as a source."""
    return open_source("langgraph", path)


async def move(path: Path | str, storage: Storage, *, plan: Plan = PLAN) -> RunReport:
    """Bring everything of a file into a store."""
    return await storage.migrations.run(source(path), plan)


async def told(path: Path | str) -> list[Finding]:
    """Return everything that reading a file tells."""
    return [finding async for finding in source(path).read()]


async def listed(saver: BaseCheckpointSaver[Any]) -> list[CheckpointTuple]:
    """Return every checkpoint of every thread, in one order, as LangGraph sees it."""
    found = [each async for each in saver.alist(None)]
    return sorted(found, key=_named)


def _named(found: CheckpointTuple) -> tuple[str, str, str]:
    named = found.config.get("configurable", {})
    return str(named["thread_id"]), str(named["checkpoint_ns"]), str(named["checkpoint_id"])


async def seen(graph: Any, thread: str) -> list[Any]:  # noqa: ANN401 (a compiled graph)
    """Return the state at every checkpoint of a thread, with what comes next and what waits."""
    config: RunnableConfig = {"configurable": {"thread_id": thread}}
    return [
        (
            *(state.values, state.next, state.metadata, state.created_at, state.interrupts),
            [(task.name, task.interrupts, task.error) for task in state.tasks],
        )
        async for state in graph.aget_state_history(config)
    ]
