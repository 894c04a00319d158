"""Graphs as LangGraph's own pages describe them, small enough for a test."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Annotated, Any, NotRequired, TypeAlias, TypedDict

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.channels.delta import DeltaChannel  # pyright: ignore[reportMissingTypeStubs]
from langgraph.graph import END, START, StateGraph  # pyright: ignore[reportMissingTypeStubs]
from langgraph.graph.message import add_messages  # pyright: ignore[reportMissingTypeStubs]
from langgraph.types import Command, Send, interrupt

from ropewalk.frontends.langgraph import RopewalkSaver

Graph: TypeAlias = Any
"""A compiled graph, whose own types are not complete."""


class Steps(TypedDict):
    """A text that is replaced, and a list that grows."""

    foo: str
    bar: Annotated[list[str], operator.add]


class Chat(TypedDict):
    """A conversation."""

    messages: Annotated[list[AnyMessage], add_messages]


class Work(TypedDict):
    """Subjects, and what is found about each."""

    subjects: list[str]
    found: Annotated[list[str], operator.add]


class Draft(TypedDict):
    """A text that a person has to agree to."""

    text: str
    answers: NotRequired[list[str]]


class Inner(TypedDict):
    """What a graph inside another one keeps to itself."""

    bar: Annotated[list[str], operator.add]
    own: NotRequired[str]


def _extend(state: list[Any], writes: Any) -> list[Any]:  # noqa: ANN401 (as LangGraph calls it)
    return [*state, *(item for write in writes for item in write)]


class Deltas(TypedDict):
    """A list of which LangGraph stores only what is added, and a count beside it."""

    log: Annotated[list[str], DeltaChannel(_extend, snapshot_frequency=4)]
    count: int


def _says(update: dict[str, Any]) -> Callable[[Any], dict[str, Any]]:
    """Return a node that always says the same."""

    def says(_: Any) -> dict[str, Any]:  # noqa: ANN401 (any state)
        return update

    return says


def steps(saver: Any) -> Graph:  # noqa: ANN401 (any saver of LangGraph)
    """Two nodes in a row."""
    builder: Any = StateGraph(Steps)
    builder.add_node("a", _says({"foo": "a", "bar": ["a"]}))
    builder.add_node("b", _says({"foo": "b", "bar": ["b"]}))
    builder.add_edge(START, "a")
    builder.add_edge("a", "b")
    builder.add_edge("b", END)
    return builder.compile(checkpointer=saver)


def chat(saver: Any) -> Graph:  # noqa: ANN401 (any saver of LangGraph)
    """A model that repeats what it hears, with the count of messages."""

    def answer(state: Chat) -> dict[str, Any]:
        heard = state["messages"][-1]
        return {"messages": [AIMessage(f"{len(state['messages'])}: {heard.content}")]}

    builder: Any = StateGraph(Chat)
    builder.add_node("model", answer)
    builder.add_edge(START, "model")
    return builder.compile(checkpointer=saver)


def fan(saver: Any) -> Graph:  # noqa: ANN401 (any saver of LangGraph)
    """One task for each subject at the same time, and one that ends it."""

    def spread(state: Work) -> list[Send]:
        return [Send("look", {"subject": subject}) for subject in state["subjects"]]

    def look(state: dict[str, str]) -> dict[str, list[str]]:
        return {"found": [f"about {state['subject']}"]}

    def add_up(state: Work) -> dict[str, list[str]]:
        return {"found": [f"all {len(state['found'])}"]}

    builder: Any = StateGraph(Work)
    builder.add_node("look", look)
    builder.add_node("sum", add_up)
    builder.add_conditional_edges(START, spread, ["look"])
    builder.add_edge("look", "sum")
    return builder.compile(checkpointer=saver)


def review(saver: Any) -> Graph:  # noqa: ANN401 (any saver of LangGraph)
    """A draft that stops for a person twice, and goes where the person says."""

    def ask(state: Draft) -> Command[str]:
        first = interrupt({"question": "good?", "text": state["text"]})
        second = interrupt("sure?")
        goto = "publish" if second == "yes" else END
        return Command(update={"answers": [first, second]}, goto=goto)

    def write(state: Draft) -> dict[str, str]:
        return {"text": state["text"] + "!"}

    def publish(state: Draft) -> dict[str, str]:
        return {"text": state["text"].upper()}

    builder: Any = StateGraph(Draft)
    builder.add_node("write", write)
    builder.add_node("ask", ask, destinations=("publish", END))
    builder.add_node("publish", publish)
    builder.add_edge(START, "write")
    builder.add_edge("write", "ask")
    return builder.compile(checkpointer=saver)


def nested(saver: Any, *, lasting: bool = False, leave: bool = True) -> Graph:  # noqa: ANN401 (any saver)
    """A graph inside a graph inside a graph; the innermost stops for a person."""

    def stop(state: Inner) -> dict[str, Any]:
        answer = interrupt("inner?") if leave else "no"
        return {"bar": [f"inner {answer}"], "own": state.get("own", "") + "x"}

    innermost: Any = StateGraph(Inner)
    innermost.add_node("stop", stop)
    innermost.add_edge(START, "stop")
    middle: Any = StateGraph(Inner)
    middle.add_node("deep", innermost.compile(checkpointer=lasting or None))
    middle.add_node("after", _says({"bar": ["middle"]}))
    middle.add_edge(START, "deep")
    middle.add_edge("deep", "after")
    outer: Any = StateGraph(Steps)
    outer.add_node("first", _says({"bar": ["outer"]}))
    outer.add_node("child", middle.compile(checkpointer=lasting or None))
    outer.add_edge(START, "first")
    outer.add_edge("first", "child")
    return outer.compile(checkpointer=saver)


def deltas(saver: Any) -> Graph:  # noqa: ANN401 (any saver of LangGraph)
    """A log in a delta channel, to which two parallel nodes write at each turn."""

    def logs(name: str) -> Callable[[Deltas], dict[str, Any]]:
        def log(state: Deltas) -> dict[str, Any]:
            return {"log": [f"{name} {state['count']}"]}

        return log

    def count(state: Deltas) -> dict[str, Any]:
        return {"count": state["count"] + 1, "log": ["next"]}

    builder: Any = StateGraph(Deltas)
    builder.add_node("left", logs("left"))
    builder.add_node("right", logs("right"))
    builder.add_node("next", count)
    builder.add_edge(START, "left")
    builder.add_edge(START, "right")
    builder.add_edge(["left", "right"], "next")
    return builder.compile(checkpointer=saver)


def started(saver: RopewalkSaver, name: str) -> RunnableConfig:
    """Return the configuration of a thread that has run the two steps."""
    config: RunnableConfig = {"configurable": {"thread_id": name}}
    steps(saver).invoke({"foo": "", "bar": []}, config)
    return config
