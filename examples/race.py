"""Hold one conversation on two stores at the same time, a turn here and a turn there."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.figures import file_bytes
from benchmarks.text import Writer, as_objects
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from .assistant import Desk, Graph, Script, assistant
from .figures import Figures, Measured
from .sides import LANGGRAPH, ROPEWALK, Side

_SEED: Final = 20_260_101
_THREAD: Final = "desk"
_DESK: Final[RunnableConfig] = {"configurable": {"thread_id": _THREAD}}


@dataclass(slots=True)
class _Run:
    """One store and the graph on it; `ends` are the checkpoints to be read back."""

    side: Side
    path: Path
    graph: Graph = None
    seconds: list[float] = field(default_factory=list[float])
    busy: list[float] = field(default_factory=list[float])
    interrupts: int = 0
    middle: RunnableConfig | None = None
    ends: list[RunnableConfig] = field(default_factory=list[RunnableConfig])

    async def take(self, turn: Awaitable[None]) -> None:
        """Await a turn, and note the seconds that it took, and those of the processor."""
        started, busy = time.perf_counter(), time.process_time()
        await turn
        self.seconds.append(time.perf_counter() - started)
        self.busy.append(time.process_time() - busy)

    async def ask(self, question: HumanMessage, config: RunnableConfig = _DESK) -> None:
        """Ask something, and agree to what a person is asked."""
        found = await self.graph.ainvoke({"messages": [question]}, config)
        while "__interrupt__" in found:
            self.interrupts += 1
            found = await self.graph.ainvoke(Command(resume=True), _DESK)

    async def here(self) -> RunnableConfig:
        """Return the newest checkpoint's configuration."""
        config: RunnableConfig = (await self.graph.aget_state(_DESK)).config
        return config

    async def go_back(self, question: HumanMessage) -> None:
        """Fork the conversation in its middle: note something there, and ask something else."""
        self.ends.append(await self.here())
        note = {"scratch": {"direction": "another question, from here on"}}
        forked = await self.graph.aupdate_state(self.middle, note, as_node="planner")
        await self.ask(question, forked)
        self.ends.append(await self.here())


async def race(turns: int, folder: Path, *, progress: Callable[[int, float], None]) -> Figures:
    """Ask `turns` questions of a graph on each store, fork, read back, and measure.

    `progress` is told each turn that is done, and the seconds since the start.
    """
    questions, script = _written(turns + 1)
    runs = [_Run(side, folder / side.file) for side in (ROPEWALK, LANGGRAPH)]
    started, middle = time.perf_counter(), turns // 2
    async with AsyncExitStack() as stack:
        await _open(runs, script, stack)
        for turn, question in enumerate(questions[:turns], start=1):
            # Each goes first every second time, so that neither has always the warmer machine.
            for run in runs if turn % 2 else reversed(runs):
                await run.take(run.ask(question))
                if turn == middle:
                    run.middle = await run.here()
            progress(turn, time.perf_counter() - started)
        for run in runs:
            await run.go_back(questions[turns])
    async with AsyncExitStack() as stack:
        counts = await _open(runs, script, stack)
        ours, theirs = [[await _state(run, end) for end in run.ends] for run in runs]
    measured = [
        Measured(run.side.name, file_bytes(run.path), count, run.seconds, run.busy)
        for run, count in zip(runs, counts, strict=True)
    ]
    return Figures(
        turns=turns,
        messages=len(ours[0]["messages"]),
        interrupts=runs[0].interrupts,
        fork_after=middle,
        same=ours == theirs and runs[0].interrupts == runs[1].interrupts,
        ropewalk=measured[0],
        langgraph=measured[1],
    )


async def _open(runs: Iterable[_Run], script: Script, stack: AsyncExitStack) -> list[int]:
    """Open every store, put a graph on it, and count its checkpoints."""
    counts: list[int] = []
    for run in runs:
        saver, count = await stack.enter_async_context(run.side.open(run.path))
        await saver.aget_tuple(_DESK)  # LangGraph's saver makes its tables when first used.
        run.graph = assistant(script, saver)
        counts.append(await count(_THREAD))
    return counts


async def _state(run: _Run, end: RunnableConfig) -> Desk:
    found: Desk = (await run.graph.aget_state(end)).values
    return found


def _written(turns: int) -> tuple[list[HumanMessage], Script]:
    """Return questions, and the script of what follows each; the same every time."""
    writer = Writer(_SEED)
    questions: list[HumanMessage] = []
    script: dict[str, list[AIMessage | ToolMessage]] = {}
    replies: list[AIMessage | ToolMessage] = []
    while len(questions) <= turns:
        match as_objects(writer.message()):
            case HumanMessage() as question:
                questions.append(question)
                replies = script[question.id or ""] = []
            case AIMessage() | ToolMessage() as reply:
                replies.append(reply)
            case other:
                message = f"nobody says {other.type!r} here"
                raise TypeError(message)
    return questions[:turns], script
