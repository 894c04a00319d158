"""A store that LangGraph filled: graphs in graphs, a question to a person, and time travel."""

from __future__ import annotations

import asyncio
import operator
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import pytest
from langgraph.graph import START, StateGraph  # pyright: ignore[reportMissingTypeStubs]
from langgraph.types import Command, interrupt

import ropewalk
from ropewalk.frontends.langgraph import RopewalkSaver

from .typing_it import typed

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig


class Log(TypedDict):
    """A list that grows."""

    log: Annotated[list[str], operator.add]


def _graph(saver: RopewalkSaver) -> Any:  # noqa: ANN401 (its own types are not complete)
    """Return a graph in which another one asks a person."""

    def ask(_: Log) -> dict[str, list[str]]:
        return {"log": [f"asked: {interrupt({'question': 'sure?'})}"]}

    def first(_: Log) -> dict[str, list[str]]:
        return {"log": ["first"]}

    inner: Any = StateGraph(Log)
    inner.add_node("ask", ask)
    inner.add_edge(START, "ask")
    outer: Any = StateGraph(Log)
    outer.add_node("first", first)
    outer.add_node("inner", inner.compile())
    outer.add_edge(START, "first")
    outer.add_edge("first", "inner")
    return outer.compile(checkpointer=saver)


async def _fill(url: str) -> None:
    async with ropewalk.open(url) as storage:
        graph = _graph(RopewalkSaver(storage))
        waiting: RunnableConfig = {"configurable": {"thread_id": "waiting"}}
        await graph.ainvoke({"log": []}, waiting)
        answered: RunnableConfig = {"configurable": {"thread_id": "answered"}}
        await graph.ainvoke({"log": []}, answered)
        await graph.ainvoke(Command(resume="yes"), answered)
        end = (await graph.aget_state(answered)).config
        await graph.ainvoke({"log": ["left"]}, answered)
        await graph.aupdate_state(end, {"log": ["elsewhere"]}, as_node="inner")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of a store with a thread that waits, and one that has two ends."""
    url = f"sqlite:///{tmp_path_factory.mktemp('langgraph') / 'graph.db'}"
    asyncio.run(_fill(url))
    return url


def test_a_thread_ends_in_its_own_graph(filled: str) -> None:
    """The state of a thread is that of the whole graph, though one inside it was kept later."""
    state = typed("show", "waiting", "--state", "--json", "-u", filled).json["state"]
    assert ["first"] == state["log"]
    newest = typed("show", "waiting", "--json", "-u", filled).json["newest_checkpoint_id"]
    assert newest.endswith("+waiting")


def test_an_inner_graph_hangs_from_the_outer_one(filled: str) -> None:
    """Its checkpoints follow the one from which it was begun, and are told by its name."""
    graph = typed("log", "waiting", "--graph", "--json", "-u", filled).json["checkpoints"]
    parents = {point["id"]: point["parents"] for point in graph}
    [tip] = [point["id"] for point in graph if point["tip_of"]]
    inner = [point["id"] for point in graph if point["namespace"]]
    assert [[inner[1]], [tip]] == [parents[id] for id in inner]
    lines = typed("log", "waiting", "--graph", "-u", filled).lines
    assert [True, True, False, False, False] == ["in inner: " in line for line in lines]
    assert "(waiting)" in lines[2]


def test_what_time_travel_left_is_not_rolled_back(filled: str) -> None:
    """An end that was left for an older state is another end, drawn beside the newest."""
    answer = typed("log", "answered", "--graph", "-u", filled)
    assert "(answered) source=update" in answer.lines[0]
    assert "rolled back" not in answer.out
    assert "○" not in answer.out
    graph = typed("log", "answered", "--graph", "--json", "-u", filled).json["checkpoints"]
    assert not any(point["rolled_back"] for point in graph)
    continued = {parent for point in graph for parent in point["parents"]}
    assert 3 <= len([point for point in graph if point["id"] not in continued])


def test_a_checkpoint_tells_what_a_graph_waits_for(filled: str) -> None:
    """What was written at a checkpoint is shown with it, and a question to a person whole."""
    id = typed("show", "waiting", "--json", "-u", filled).json["newest_checkpoint_id"]
    lines = typed("show", id, "-u", filled).lines
    assert '  - "__interrupt__: 1 item"' in lines
    assert "      question: sure?" in lines
    assert lines.index("__interrupt__:") < lines.index("state:")
    [write] = typed("show", id, "--json", "-u", filled).json["writes"]
    assert ("__interrupt__", -3) == (write["channel"], write["index"])
    assert {"question": "sure?"} == write["value"][0]["fields"]["value"]


def test_threads_without_sessions_are_listed_alone(filled: str) -> None:
    """A store that has no session shows no empty table of them."""
    answer = typed("ls", "-u", filled)
    assert (0, "") == (answer.code, answer.err)
    assert "threads" == answer.lines[0]
    assert {"waiting", "answered"} == {row.split()[0] for row in answer.lines[2:4]}
