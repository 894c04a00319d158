"""Ropewalk's own checkpoints, handed over in four ways."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import ormsgpack

import ropewalk
from ropewalk import CleanupPolicy
from ropewalk.services.checkpoints.manager import Checkpoints

from .workloads import Put, State, renewed

if TYPE_CHECKING:
    from ropewalk import CheckpointHeader, Storage


class _Tree(Protocol):
    """What the benchmarks ask of checkpoints beyond `save` and `load`."""

    async def save(
        self, thread_id: str, state: object, *, trust_identity: bool
    ) -> CheckpointHeader: ...

    async def append(self, thread_id: str, delta: State) -> CheckpointHeader: ...

    async def get_path(self, checkpoint_id: str, path: str) -> object: ...

    async def collect(self) -> object: ...


class Saved:
    """`save`: the whole state at every step, the same objects, which may have been changed."""

    def __init__(self) -> None:
        """Begin closed."""
        self._closing = AsyncExitStack()
        self._known: set[str] = set()
        self._ids: dict[str, list[str]] = {}

    @property
    def _checkpoints(self) -> Checkpoints:
        return self._storage.checkpoints

    @property
    def _tree(self) -> _Tree:
        return cast("_Tree", self._storage.checkpoints)

    async def open(self, path: Path) -> None:
        """Open the store; its options are the defaults."""
        url = f"sqlite:///{path}"
        self._storage: Storage = await self._closing.enter_async_context(ropewalk.open(url))

    async def close(self) -> None:
        """Close the store."""
        await self._closing.aclose()

    def prepare(self, put: Put) -> Callable[[], Awaitable[object]]:
        """Return the call that keeps the state."""
        begins = put.thread not in self._known

        async def call() -> None:
            if begins:
                await self._storage.threads.create(id=put.thread)
                self._known.add(put.thread)
                header = await self._checkpoints.save(put.thread, put.state)
            else:
                header = await self._call(put)
            self._ids.setdefault(put.thread, []).append(header.id)

        return call

    async def _call(self, put: Put) -> CheckpointHeader:
        return await self._checkpoints.save(put.thread, put.state)

    async def fork(self, thread: str, *, source: str, after: int) -> None:
        """Fork the thread; nothing is copied."""
        await self._storage.threads.fork(source, at=self._ids[source][after - 1], id=thread)
        self._known.add(thread)

    async def latest(self, thread: str) -> State:
        """Load the newest state of the thread's line."""
        found = await self._checkpoints.latest(thread)
        return {} if found is None else cast("State", found.state)

    async def tail(self, thread: str, count: int) -> Sequence[object]:
        """Read the end of the list and nothing else, where this version can."""
        if not hasattr(Checkpoints, "get_path"):
            return cast("list[object]", (await self.latest(thread))["messages"])[-count:]
        newest = self._ids[thread][-1]
        found = await self._tree.get_path(newest, f"messages[-{count}:]")
        return cast("list[object]", found)

    async def headers(self, thread: str, count: int) -> int:
        """List headers; no state is touched."""
        return len((await self._checkpoints.list(thread, limit=count)).items)

    async def prune(self, thread: str, keep: int) -> int | None:
        """Clean up, then collect what nothing refers to."""
        report = await self._checkpoints.cleanup(thread, CleanupPolicy(keep_last=keep))
        if hasattr(Checkpoints, "collect"):
            await self._tree.collect()
        return report.freed_bytes


class Fresh(Saved):
    """`save` of a state of which every object is new, as after a network or a graph's copy."""

    def prepare(self, put: Put) -> Callable[[], Awaitable[object]]:
        """Copy the state first, then return the call that keeps it."""
        copied = cast("State", ormsgpack.unpackb(ormsgpack.packb(put.state)))
        return super().prepare(Put(copied, put.delta, put.thread))


class Trusted(Saved):
    """`save` where the caller vouches that an object which is the same was not changed.

    So a list that has grown is a new list, of which the old messages are the same objects.
    """

    @staticmethod
    def is_there() -> bool:
        """Tell whether this version of Ropewalk can do it."""
        return "trust_identity" in inspect.signature(Checkpoints.save).parameters

    def prepare(self, put: Put) -> Callable[[], Awaitable[object]]:
        """Make the containers anew, then return the call that keeps them."""
        return super().prepare(Put(renewed(put.state), put.delta, put.thread))

    async def _call(self, put: Put) -> CheckpointHeader:
        return await self._tree.save(put.thread, put.state, trust_identity=True)


class Appended(Saved):
    """`append`: the caller names what changed, and the rest is never looked at."""

    @staticmethod
    def is_there() -> bool:
        """Tell whether this version of Ropewalk can do it."""
        return hasattr(Checkpoints, "append")

    async def _call(self, put: Put) -> CheckpointHeader:
        if put.delta is None:
            return await super()._call(put)
        return await self._tree.append(put.thread, put.delta)
