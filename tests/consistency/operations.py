"""The operations that are cancelled at every point, each with what it must have done, or not."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, empty_checkpoint

from ropewalk.frontends.langgraph import RopewalkSaver
from ropewalk.services.storage import Storage

Begin = Callable[[Storage, str], Coroutine[Any, Any, object]]


@dataclass(frozen=True, slots=True)
class Operation:
    """Something to do under a new name each time, on a store that was prepared.

    `begin` does it; `kinds` are those of the records that its one commit touches, nodes of trees
    aside, or empty where it writes nothing; `answer` is what it returns, where that is known.
    """

    begin: Begin
    kinds: frozenset[str] = frozenset()
    answer: object = None


def waits(url: str) -> int:
    """Return how often anything waits at least; what SQLite does at once, waits for nothing."""
    return 0 if url.endswith(".db") else 2


async def prepare(storage: Storage) -> None:
    """Write what the operations begin with."""
    await storage.threads.create(id="root")
    for n in range(3):
        await storage.history.add_message(thread_id="root", role="user", content=f"message {n}")
    await storage.checkpoints.save(
        "root", {"messages": [f"message {n}" for n in range(50)]}, id="at"
    )
    await storage.threads.create(id="other")
    await storage.checkpoints.save("other", {"messages": ["first"]})
    await storage.records.save_many(
        {"id": f"row{n:03}", "type": "row", "data": {"n": n}} for n in range(40)
    )

    await keep(storage, "first")


async def save(storage: Storage, name: str) -> None:
    """Write one record."""
    await storage.records.save({"id": name, "type": "note", "data": {"name": name}})


async def save_many(storage: Storage, name: str) -> None:
    """Write many records at once."""
    await storage.records.save_many(
        {"id": f"{name}-{n}", "type": kind, "data": {"n": n}}
        for n in range(30)
        for kind in ("left", "right")
    )


async def update(storage: Storage, name: str) -> None:
    """Merge into a record that is there."""
    await storage.records.update("row000", {"data": {"by": name}}, type="row")


async def unit(storage: Storage, name: str) -> None:
    """Read and write in all modules."""
    async with storage.unit() as unit:
        session = await unit.sessions.create(id=name)
        thread = await unit.threads.create(id=name, session_id=session.id)
        await unit.history.add_message(thread_id=thread.id, role="user", content="hello")
        rows = await unit.records.list({"type": "row"}, limit=3)
        await unit.records.save({"id": name, "type": "note", "data": {"rows": len(rows)}})


async def fork(storage: Storage, name: str) -> None:
    """Begin a branch at a checkpoint."""
    await storage.threads.fork("root", at="at", id=name)


async def append(storage: Storage, name: str) -> None:
    """Make a bigger state out of the newest one."""
    await storage.checkpoints.append("other", {"messages": [name]})


async def checkpoint(storage: Storage, name: str) -> None:
    """Save a whole state."""
    await storage.checkpoints.save("other", {"messages": ["first", name] * 20})


async def scan(storage: Storage, name: str) -> int:
    """Go through many records in pages."""
    del name
    rows = storage.records.stream({"type": "row"}, batch_size=15)
    return len([row async for row in rows])


async def load(storage: Storage, name: str) -> int:
    """Open a state."""
    del name
    return len((await storage.checkpoints.load("at")).state["messages"])


async def keep(storage: Storage, name: str) -> None:
    """Keep a checkpoint of a graph."""
    config: RunnableConfig = {"configurable": {"thread_id": "graph", "checkpoint_ns": ""}}
    values = {"messages": [name, "and so on"], "count": 1}
    new: Checkpoint = {
        **empty_checkpoint(),
        "channel_values": values,
        "channel_versions": dict.fromkeys(values, "1"),
    }
    await RopewalkSaver(storage).aput(config, new, {"source": "loop", "step": 1}, {})


async def feed(storage: Storage, name: str) -> int:
    """Go through all commits."""
    del name
    first = 0
    async for commit in storage.feed():
        first = first or len(commit.changes)
    return first


OPERATIONS: dict[str, Operation] = {
    "save": Operation(save, frozenset({"note"})),
    "save_many": Operation(save_many, frozenset({"left", "right"})),
    "update": Operation(update, frozenset({"row"})),
    "unit": Operation(unit, frozenset({"session", "thread", "message", "note"})),
    "fork": Operation(fork, frozenset({"thread", "branch", "checkpoint"})),
    "append": Operation(append, frozenset({"checkpoint", "head"})),
    "checkpoint": Operation(checkpoint, frozenset({"checkpoint", "head"})),
    "keep": Operation(keep, frozenset({"checkpoint", "head"})),
    "scan": Operation(scan, answer=40),
    "load": Operation(load, answer=50),
    "feed": Operation(feed, answer=1),
}
