"""LangGraph's savers: its own one over SQLite, and the one over Ropewalk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TypeAlias, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
)
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

import ropewalk

from .workloads import Put, State, renewed

Saver: TypeAlias = BaseCheckpointSaver[str]

_HOME: Final = "ropewalk.frontends.langgraph"
_BENEATH: Final = "ropewalk.services.states"


class _Graph:
    """Does what a graph does with a saver: a checkpoint a superstep, its new versions named."""

    def __init__(self) -> None:
        """Begin closed."""
        self._closing = AsyncExitStack()
        self._ids: dict[str, list[str]] = {}
        self._lines: dict[str, tuple[str, str | None]] = {}
        self._versions: ChannelVersions = {}
        self._step = 0
        self._saver: Saver

    async def close(self) -> None:
        """Close the store."""
        await self._closing.aclose()

    @property
    def saver(self) -> Saver:
        """What is measured, while it is open."""
        return self._saver

    def prepare(self, put: Put) -> Callable[[], Awaitable[object]]:
        """Make the checkpoint as a graph makes it, and return the call that keeps it."""
        self._step += 1
        changed = put.state if put.delta is None or not self._versions else put.delta
        new: ChannelVersions = dict.fromkeys(changed, self._version())
        self._versions = {**self._versions, **new}
        checkpoint = Checkpoint(
            v=4,
            id=str(uuid6(clock_seq=self._step % 16_384)),
            ts=datetime.now(UTC).isoformat(),
            channel_values=renewed(put.state),
            channel_versions=dict(self._versions),
            versions_seen={"__input__": {}, "agent": dict(self._versions)},
            updated_channels=sorted(new),
        )
        home, parent = self._lines.get(put.thread, (put.thread, None))
        metadata: CheckpointMetadata = {"source": "loop", "step": self._step, "parents": {}}
        config = config_of(home, parent)

        async def call() -> None:
            await self._saver.aput(config, checkpoint, metadata, new)
            self._lines[put.thread] = (home, checkpoint["id"])
            self._ids.setdefault(put.thread, []).append(checkpoint["id"])

        return call

    async def fork(self, thread: str, *, source: str, after: int) -> None:
        """Go on from an old checkpoint of the same thread: LangGraph writes at the next step."""
        self._lines[thread] = (self._lines[source][0], self._ids[source][after - 1])

    async def latest(self, thread: str) -> State:
        """Load the newest state."""
        home, _ = self._lines.get(thread, (thread, None))
        found = await self._saver.aget_tuple(config_of(home))
        return {} if found is None else found.checkpoint["channel_values"]

    async def tail(self, thread: str, count: int) -> Sequence[object]:
        """Load the newest state and cut: a saver has no other way."""
        return cast("list[object]", (await self.latest(thread))["messages"])[-count:]

    async def headers(self, thread: str, count: int) -> int:
        """List the newest checkpoints, which brings their states."""
        return len([found async for found in self._saver.alist(config_of(thread), limit=count)])

    def _version(self) -> str:
        return f"{self._step:032}.{(self._step * 2_654_435_761) % 10**16:016}"


class Peer(_Graph):
    """AsyncSqliteSaver with `synchronous=NORMAL`, as Ropewalk has it."""

    synchronous = "NORMAL"

    async def open(self, path: Path) -> None:
        """Open the file in WAL mode, which is what the saver does by itself."""
        opening = AsyncSqliteSaver.from_conn_string(str(path))
        self._saver = self._sqlite = await self._closing.enter_async_context(opening)
        await self._sqlite.setup()
        await self._sqlite.conn.execute(f"PRAGMA synchronous={self.synchronous}")

    async def prune(self, thread: str, keep: int) -> int | None:
        """Delete rows and vacuum in SQL: this saver can only delete whole threads."""
        statement = (
            "DELETE FROM checkpoints WHERE thread_id = ? AND checkpoint_id NOT IN (SELECT"
            " checkpoint_id FROM checkpoints WHERE thread_id = ? ORDER BY checkpoint_id DESC"
            " LIMIT ?)"
        )
        await self._sqlite.conn.execute(statement, (thread, thread, keep))
        await self._sqlite.conn.commit()
        await self._sqlite.conn.execute("VACUUM")
        return None


class DefaultPeer(Peer):
    """AsyncSqliteSaver as it comes: SQLite's default is `synchronous=FULL`."""

    synchronous = "FULL"


class OnRopewalk(_Graph):
    """RopewalkSaver over a store with default options."""

    @staticmethod
    def is_there() -> bool:
        """Tell whether this version of Ropewalk has the saver."""
        return all(find_spec(place) for place in (_HOME, f"{_HOME}.saver", _BENEATH))

    async def open(self, path: Path) -> None:
        """Open the store and the saver on it."""
        self._storage = await self._closing.enter_async_context(ropewalk.open(f"sqlite:///{path}"))
        saver = cast("Callable[[object], Saver]", import_module(_HOME).RopewalkSaver)
        self._saver = saver(self._storage)

    async def prune(self, thread: str, keep: int) -> int | None:
        """Let the store clean up and collect: the saver's checkpoints are the store's."""
        policy = ropewalk.CleanupPolicy(keep_last=keep)
        report = await self._storage.checkpoints.cleanup(thread, policy)
        await self._storage.checkpoints.collect()
        return report.freed_bytes


def config_of(thread: str, checkpoint_id: str | None = None) -> RunnableConfig:
    """Return the configuration that names a thread, or one checkpoint of it."""
    configurable = {"thread_id": thread, "checkpoint_ns": ""}
    if checkpoint_id is not None:
        configurable["checkpoint_id"] = checkpoint_id
    return {"configurable": configurable}
