"""Graphs that are run twice: under the saver that they began with, and from there on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command  # pyright: ignore[reportMissingTypeStubs]

from ...frontends.langgraph import graphs

CONFIG: RunnableConfig = {"configurable": {"thread_id": "t"}}
AT = "t"


async def steps(graph: graphs.Graph) -> None:
    """Go through a graph of two steps."""
    await graph.ainvoke({"foo": "", "bar": []}, CONFIG)


async def more_steps(graph: graphs.Graph) -> None:
    """Go through it again."""
    await graph.ainvoke({"foo": "again"}, CONFIG)


async def talk(graph: graphs.Graph) -> None:
    """Hold a conversation of six turns."""
    for turn in range(6):
        said = HumanMessage("once upon a time " * 9 + str(turn), id=f"h{turn}")
        await graph.ainvoke({"messages": [said]}, CONFIG)


async def talk_on(graph: graphs.Graph) -> None:
    """Say one thing more."""
    await graph.ainvoke({"messages": [HumanMessage("and then?", id="last")]}, CONFIG)


async def fan(graph: graphs.Graph) -> None:
    """Send out two subjects."""
    await graph.ainvoke({"subjects": ["x", "y"]}, CONFIG)


async def fan_on(graph: graphs.Graph) -> None:
    """Send out one more."""
    await graph.ainvoke({"subjects": ["z"]}, CONFIG)


async def draft(graph: graphs.Graph) -> None:
    """Answer the first of two questions."""
    await graph.ainvoke({"text": "a"}, CONFIG)
    await graph.ainvoke(Command(resume="fine"), CONFIG)


async def answer(graph: graphs.Graph) -> None:
    """Answer the question that waits."""
    await graph.ainvoke(Command(resume="yes"), CONFIG)


async def nest(graph: graphs.Graph) -> None:
    """Go into a graph in a graph, up to where it stops."""
    await graph.ainvoke({"foo": "", "bar": []}, CONFIG)


async def count(graph: graphs.Graph) -> None:
    """Count, so that the delta channel is written as a whole in between."""
    for _ in range(7):
        state = await graph.aget_state(CONFIG)
        await graph.ainvoke({"count": state.values.get("count", 0)}, CONFIG)


async def count_on(graph: graphs.Graph) -> None:
    """Count once more."""
    await graph.ainvoke({"count": 70}, CONFIG)


def lasting(saver: Any) -> graphs.Graph:  # noqa: ANN401 (any saver of LangGraph)
    """Make a graph whose inner one has a state of its own."""
    return graphs.nested(saver, lasting=True)


Run = Callable[[graphs.Graph], Awaitable[None]]

KINDS: dict[str, tuple[Callable[[Any], graphs.Graph], Run, Run]] = {
    "plain": (graphs.steps, steps, more_steps),
    "messages": (graphs.chat, talk, talk_on),
    "sends": (graphs.fan, fan, fan_on),
    "an interrupt that waits": (graphs.review, draft, answer),
    "graphs in graphs, stopped inside": (graphs.nested, nest, answer),
    "graphs in graphs with states of their own": (lasting, nest, answer),
    "delta channels": (graphs.deltas, count, count_on),
}


def gist(state: tuple[Any, ...]) -> tuple[object, ...]:
    """Return a state without what is made anew at each run: ids of messages, times, versions.

    The versions of channels end in chance, and now and then LangGraph sees one more node to come.
    """
    values, _, metadata, _, interrupts, *_ = state
    messages = [each.content for each in values.get("messages", ())]
    return {**values, "messages": messages}, metadata["step"], len(interrupts)
