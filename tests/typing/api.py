"""The public API as programs use it: never run, checked by both type checkers."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, assert_type

import ropewalk
from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Batch, Commit
from ropewalk.domain.clock import FrozenClock, SystemClock
from ropewalk.domain.health import Health, State
from ropewalk.domain.ports import Backend, Capability, Clock, Sealer
from ropewalk.layers.base import Layer
from ropewalk.layers.switch import Moved, SwitchLayer


async def first_steps() -> None:
    """Open, write, read, fork, count."""
    async with ropewalk.open("sqlite:///agent.db") as storage:
        assert_type(storage, ropewalk.Storage)
        session = await storage.sessions.create(title="Rome", user_id="u1", metadata={"a": 1})
        assert_type(session, ropewalk.Session)
        assert_type(session.status, ropewalk.SessionStatus)
        thread = await storage.threads.create(session_id=session.id, title="trains")
        assert_type(thread, ropewalk.Thread)
        message = await storage.history.add_message(
            thread_id=thread.id, role="user", content="find me a train"
        )
        assert_type(message, ropewalk.Message)
        await storage.history.add_token_usage(
            thread_id=thread.id, model="m", provider="p", prompt_tokens=820, completion_tokens=120
        )
        header = await storage.checkpoints.save(
            thread.id, {"plan": ["search"]}, workflow_id="planner", metadata={"step": 1}
        )
        assert_type(header, ropewalk.CheckpointHeader)
        assert_type(await storage.checkpoints.load(header.id), ropewalk.Checkpoint)
        assert_type(await storage.checkpoints.latest(thread.id), ropewalk.Checkpoint | None)
        assert_type(await storage.sessions.find("nobody"), ropewalk.Session | None)
        page = await storage.sessions.list(limit=10)
        assert_type(page, ropewalk.Page[ropewalk.Session])
        assert_type([item.title for item in page], list[str])
        assert_type(page.cursor, str | None)


async def handles(storage: ropewalk.Storage) -> None:
    """Spaces, plain records, health, the feed, and moving house."""
    other = storage.space("workflow-b")
    assert_type(other, ropewalk.Storage)
    assert_type(other.capabilities, frozenset[Capability])
    await storage.records.save({"id": "x", "type": "note", "data": {"a": 1}})
    assert_type(await storage.records.count({"type": "note"}), int)
    health = await storage.ping()
    assert_type(health, Health)
    assert_type(health.state, State)
    async for commit in storage.feed(after=3):
        assert_type(commit, Commit)
    await storage.switch("file:///store")
    await storage.close()


async def ways_to_open() -> None:
    """By URL, by configuration, by parts; with a block or by hand."""
    config = ropewalk.Config.load("memory://").changed(space="s", layers=["logs", "retry"])
    assert_type(config, ropewalk.Config)
    assert_type(config.url, str | None)
    assert_type(config.origin("url"), str)
    assert_type(await ropewalk.open(config), ropewalk.Storage)
    assert_type(await ropewalk.open(), ropewalk.Storage)
    clock: Clock = FrozenClock()
    backend: Backend = MemoryBackend(clock=clock)
    async with ropewalk.open(backend=backend, clock=clock, codecs=("crc32",)) as storage:
        assert_type(storage, ropewalk.Storage)
    ropewalk.open("memory://", options={"a": 1, "b": 0.5, "c": "d", "e": True})
    ropewalk.open(3)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    ropewalk.open("memory://", "x")  # type: ignore[call-arg,arg-type] # pyright: ignore[reportCallIssue]


class OwnBackend(MemoryBackend):
    """A back end of the program's own."""


class OwnLayer(Layer):
    """A layer of the program's own."""

    def __init__(self, below: Backend, *, speed: float = 1.0) -> None:
        super().__init__(below)
        self.speed = speed


@ropewalk.register_type
class Colour(enum.Enum):
    """Something that may stand in a state."""

    RED = 1


@ropewalk.register_type(tag="my.Point")
@dataclass
class Point:
    """Something else."""

    x: int


def extending() -> None:
    """Classes of the program's own, and the names there are."""
    ropewalk.register_backend("own", OwnBackend)
    ropewalk.register_layer("own", OwnLayer, replace=True)
    ropewalk.register_backend("no", SystemClock)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert_type(ropewalk.available_backends(), tuple[str, ...])
    assert_type(Colour.RED, Literal[Colour.RED])
    assert_type(Point(1).x, int)


async def moving(layer: SwitchLayer, target: Backend, batch: Batch) -> None:
    """A layer is a backend, and says what it moved."""
    backend: Backend = layer
    await backend.apply(batch)
    assert_type(await layer.switch(target), Moved)


def errors(error: ropewalk.RopewalkError) -> str:
    """Every error carries a code and facts, and is what Python would expect."""
    assert_type(error.code, str)
    assert_type(error.retryable, bool)
    assert_type(error.facts, dict[str, object])
    lookup: LookupError = ropewalk.NotFound("x")
    value: ValueError = ropewalk.Invalid("x")
    permission: PermissionError = ropewalk.Denied("x")
    old: type[ropewalk.RopewalkError] = ropewalk.StorageTransactionError
    return f"{lookup}{value}{permission}{old}"


def money(cost: ropewalk.Cost, sealer: Sealer) -> Any:  # noqa: ANN401 (what a state holds is anything)
    """Money is exact."""
    assert_type(cost.total_cost, ropewalk.Money)
    assert_type(cost.total_cost.amount, Decimal)
    return sealer
