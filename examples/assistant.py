"""A LangGraph graph as people write them: it plans, calls tools, keeps notes, asks a person once.

It knows nothing of any store, and no model is asked: what one would say stands in a script.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, NotRequired, TypeAlias, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.graph import END, START, StateGraph  # pyright: ignore[reportMissingTypeStubs]
from langgraph.graph.message import add_messages  # pyright: ignore[reportMissingTypeStubs]
from langgraph.types import interrupt

Graph: TypeAlias = Any
"""A compiled graph, whose own types are not complete."""

Script: TypeAlias = Mapping[str, Sequence[AIMessage | ToolMessage]]
"""What follows a question, by the id of the question: calls, their results, the answer."""

_NOTES: Final = 24


def _noted(notes: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    return {**notes, **new}


class Desk(TypedDict):
    """What the assistant has before it."""

    messages: Annotated[list[AnyMessage], add_messages]
    scratch: Annotated[dict[str, str], _noted]
    phase: str
    tokens: Annotated[int, operator.add]
    allowed: NotRequired[bool]


def assistant(script: Script, saver: Any) -> Graph:  # noqa: ANN401 (any saver of LangGraph)
    """Return the graph, which keeps its checkpoints with `saver`."""

    def planner(state: Desk) -> dict[str, Any]:
        turn = _turn(state)
        reply = script[turn[0].id or ""][len(turn) - 1]
        if not isinstance(reply, AIMessage):
            message = f"the script has no reply to {turn[-1].id}"
            raise TypeError(message)
        used = reply.usage_metadata
        return {
            "messages": [reply],
            "phase": "act" if reply.tool_calls else "done",
            "tokens": used["total_tokens"] if used else 0,
        }

    def tools(state: Desk) -> dict[str, Any]:
        turn = _turn(state)
        asking = turn[-1]
        calls = asking.tool_calls if isinstance(asking, AIMessage) else []
        if not state.get("allowed"):
            interrupt({"question": "may tools be used?", "calls": calls})
        results = {
            reply.tool_call_id: reply
            for reply in script[turn[0].id or ""]
            if isinstance(reply, ToolMessage)
        }
        found = [results[str(call["id"])] for call in calls]
        return {
            "messages": [*found],
            "scratch": {_place(result): _note(result) for result in found},
            "phase": "plan",
            "allowed": True,
        }

    def route(state: Desk) -> Literal["tools", "done"]:
        return "tools" if state["phase"] == "act" else "done"

    builder: Any = StateGraph(Desk)
    builder.add_node("planner", planner)
    builder.add_node("tools", tools)
    builder.add_edge(START, "planner")
    builder.add_conditional_edges("planner", route, {"tools": "tools", "done": END})
    builder.add_edge("tools", "planner")
    return builder.compile(checkpointer=saver)


def _turn(state: Desk) -> list[AnyMessage]:
    """Return the newest question and what followed."""
    messages = state["messages"]
    start = max(n for n, message in enumerate(messages) if isinstance(message, HumanMessage))
    return messages[start:]


def _place(result: ToolMessage) -> str:
    """Return the note that a result replaces, so that the scratch does not grow for ever."""
    return f"note-{int((result.id or '0')[:8], 16) % _NOTES:02}"


def _note(result: ToolMessage) -> str:
    items = json.loads(str(result.content))["items"]
    return f"{result.name}: " + "; ".join(item["text"][:120] for item in items)
