"""Question 8: a message into a history, and a small state, beside what other programs write."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

import ropewalk

from . import slicing
from .keepers import ROPEWALK
from .plots import plot
from .scale import Scale
from .slicing import Found, times
from .tables import Requirement, Section, number, table
from .text import Message, Writer
from .workloads import SEED

MESSAGE: Final = "message"
STATE: Final = "state"
OPENAI: Final = "OpenAI Agents' SQLiteSession"
LANGGRAPH: Final = "LangGraph's AsyncSqliteSaver"

_TASKS: Final = (1, 10, 100, 1_000)
_MESSAGES: Final = 1_000
_SYNCS: Final = ("normal", "full")
_HOW: Final = (
    "Every task has a thread, or a session, of its own in one file. *message*: "
    "`history.add_message` beside `add_items` with one item. *state*: `checkpoints.save` of a "
    "state of one message and two numbers, every time another, beside `aput`. Both others come "
    "with `synchronous=FULL`; with NORMAL they are told so on each connection. OpenAI's class "
    "opens a connection in every thread of the loop's executor. Calls a second and quartiles; "
    "*late* as above. `add_message` also checks the thread and writes times, an id and a log of "
    "commits; `aput` writes the whole state, here a small one."
)


class Talker(Protocol):
    """A store in which each of so many tasks has a conversation of its own."""

    async def open(self, path: Path, sync: str, tasks: int) -> None:
        """Open a new store, and begin the conversations."""
        ...

    async def close(self) -> None:
        """Close it."""
        ...

    async def call(self, task: int, n: int) -> None:
        """Write what call `n` of this task has to say."""
        ...


class _Said:
    """`history.add_message` of Ropewalk."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages
        self._closing = AsyncExitStack()

    async def open(self, path: Path, sync: str, tasks: int) -> None:
        opening = ropewalk.open(f"sqlite:///{path}?sync={sync}")
        self.storage = await self._closing.enter_async_context(opening)
        async with self.storage.unit() as unit:
            for task in range(tasks):
                await unit.threads.create(id=f"t-{task}")

    async def close(self) -> None:
        await self._closing.aclose()

    async def call(self, task: int, n: int) -> None:
        content = self._messages[n % len(self._messages)]
        await self.storage.history.add_message(
            role="user", content=content["content"], thread_id=f"t-{task}"
        )


class _Saved(_Said):
    """`checkpoints.save` of Ropewalk."""

    async def call(self, task: int, n: int) -> None:
        await self.storage.checkpoints.save(f"t-{task}", self.state(n))

    def state(self, n: int) -> dict[str, object]:
        message = dict(self._messages[n % len(self._messages)])
        return {"messages": [message], "step": n, "budget": n % 977}


class _OpenAi:
    """`SQLiteSession.add_items`, a session for each task, all in one file."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = messages

    async def open(self, path: Path, sync: str, tasks: int) -> None:
        kept = import_module("agents.memory.sqlite_session").SQLiteSession

        def get_connection(session: Any) -> sqlite3.Connection:  # noqa: ANN401 (a class of theirs)
            connection: sqlite3.Connection = kept._get_connection(session)  # noqa: SLF001
            # A connection belongs to a session and a thread, and there is no other place for it.
            if not hasattr(session._local, "told"):  # noqa: SLF001
                connection.execute(f"pragma synchronous={sync}")
                session._local.told = True  # noqa: SLF001
            return connection

        told = type("Told", (kept,), {"_get_connection": get_connection})
        self._sessions: list[Any] = [told(f"t-{task}", path) for task in range(tasks)]

    async def close(self) -> None:
        for session in self._sessions:
            session.close()

    async def call(self, task: int, n: int) -> None:
        content = self._messages[n % len(self._messages)]["content"]
        await self._sessions[task].add_items([{"role": "user", "content": content}])


class _LangGraph(_Saved):
    """`AsyncSqliteSaver.aput`, a thread for each task."""

    async def open(self, path: Path, sync: str, tasks: int) -> None:
        opening = AsyncSqliteSaver.from_conn_string(str(path))
        self._saver = await self._closing.enter_async_context(opening)
        await self._saver.setup()
        await self._saver.conn.execute(f"PRAGMA synchronous={sync}")
        self._last: list[str | None] = [None] * tasks

    async def call(self, task: int, n: int) -> None:
        state = self.state(n)
        versions: dict[str, str | int | float] = dict.fromkeys(state, f"{n:032}")
        checkpoint = Checkpoint(
            v=4,
            id=str(uuid6(clock_seq=n % 16_384)),
            ts=datetime.now(UTC).isoformat(),
            channel_values=state,
            channel_versions=versions,
            versions_seen={},
            updated_channels=sorted(state),
        )
        place = {"thread_id": f"t-{task}", "checkpoint_ns": ""}
        if (last := self._last[task]) is not None:
            place["checkpoint_id"] = last
        metadata: CheckpointMetadata = {"source": "loop", "step": n, "parents": {}}
        config: RunnableConfig = {"configurable": place}
        await self._saver.aput(config, checkpoint, metadata, versions)
        self._last[task] = checkpoint["id"]


_Maker: TypeAlias = Callable[[Sequence[Message]], Talker]
_TALKERS: Final[Mapping[str, Mapping[str, _Maker]]] = {
    MESSAGE: {ROPEWALK: _Said, OPENAI: _OpenAi},
    STATE: {ROPEWALK: _Saved, LANGGRAPH: _LangGraph},
}


def ropewalk_talker(what: str, messages: Sequence[Message]) -> Talker:
    """Return Ropewalk's own writer of messages, or of states."""
    return _TALKERS[what][ROPEWALK](messages)


async def measure(scale: Scale, folder: Path) -> Section:
    """Let everybody write at 1, 10, 100 and 1,000 tasks, in turns, and return the tables."""
    messages = Writer(SEED).messages(_MESSAGES)
    absent = () if find_spec("agents") else (OPENAI,)
    lanes: list[slicing.Tasks] = []
    everybody: list[Talker] = []
    for sync in _SYNCS:
        for what, makers in _TALKERS.items():
            for place, (name, make) in enumerate(makers.items()):
                if name in absent:
                    continue
                talker = make(messages)
                await talker.open(folder / f"{sync}-{what}-{place}.db", sync, max(_TASKS))
                everybody.append(talker)
                lanes += [
                    slicing.Tasks((sync, what, str(tasks), name), talker.call, tasks)
                    for tasks in _TASKS
                ]
    found = await slicing.run(lanes, rounds=scale.rounds, seconds=scale.slice)
    for talker in everybody:
        await talker.close()
    blocks = [_HOW]
    if absent:
        blocks.append(f"Not installed, and so not measured: {', '.join(absent)}.")
    plots: dict[str, str] = {}
    for sync in _SYNCS:
        for what in _TALKERS:
            blocks += [f"### {what}, `synchronous={sync}`", _table(found, sync, what)]
            plots[f"{what}-{sync}"] = _plot(found, sync, what)
    title = "Messages and small states beside other stores of agents"
    return Section(
        "conversations",
        title,
        tuple(blocks),
        _required(found),
        plots,
        slicing.said(scale.rounds, scale.slice),
    )


def _names(found: Found, sync: str, what: str) -> list[str]:
    return list(dict.fromkeys(place[-1] for place in found if place[:2] == (sync, what)))


def _other(what: str) -> str:
    return OPENAI if what == MESSAGE else LANGGRAPH


def _table(found: Found, sync: str, what: str) -> str:
    rows: list[list[str]] = []
    for tasks in map(str, _TASKS):
        mine, theirs = ((sync, what, tasks, name) for name in (ROPEWALK, _other(what)))
        figures = [found[place] for place in (mine, theirs) if place in found]
        rows.append(
            [
                f"{int(tasks):,} tasks",
                *[each.spread() for each in figures],
                number(times(found, mine, theirs)),
                *[number(each.lateness()) for each in figures],
            ]
        )
    names = [name for name in (ROPEWALK, _other(what)) if name in _names(found, sync, what)]
    late = [f"late, {name}" for name in names]
    return table(("", *names, "times", *late), rows)


def _plot(found: Found, sync: str, what: str) -> str:
    lines = {
        name: [(float(n), found[sync, what, str(n), name].rate()) for n in _TASKS]
        for name in _names(found, sync, what)
    }
    title = f"{what}, synchronous={sync}: calls a second"
    return plot(title, lines, below="tasks at once")


def _required(found: Found) -> tuple[Requirement, ...]:
    faster = [
        Requirement(
            f"{what}, 100 tasks, {sync}",
            times(found, (sync, what, "100", ROPEWALK), (sync, what, "100", _other(what))),
            least=5,
        )
        for sync in _SYNCS
        for what in _TALKERS
    ]
    late = [
        Requirement(f"late, {what}, {tasks} tasks, {sync}", figures.lateness(), most=10, unit="ms")
        for (sync, what, tasks, name), figures in found.items()
        if name == ROPEWALK
    ]
    return (*faster, *late)
