"""One line about one thing that happened: what people see in a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from typing import Final, cast

from ...domain.checkpoint import CheckpointHeader
from ...domain.history import (
    Cost,
    Entry,
    HistoryEntry,
    LLMRequest,
    LLMResponse,
    Message,
    TokenUsage,
    ToolCall,
)
from .payload import kind_of
from .text import brief, size
from .typed import Fields, Items, Scalar, form

_WIDE: Final = 72
_NARROW: Final = 32
_NOTED: Final = 4


def kind(item: Entry | CheckpointHeader) -> str:
    """Return what kind of thing it is."""
    return kind_of(item) if isinstance(item, HistoryEntry) else "checkpoint"


def digest(item: Entry | CheckpointHeader) -> str:
    """Return one line about an entry or a checkpoint."""
    match item:
        case CheckpointHeader():
            return checkpoint_digest(item)
        case Message():
            return f"{brief(item.role, _NARROW)}: {brief(spoken(item.content), _WIDE)}"
        case ToolCall():
            return _tool(item)
        case _:
            return f"{_of_model(item)}, {brief(item.model, _NARROW)}"


def _of_model(item: LLMRequest | LLMResponse | TokenUsage | Cost) -> str:
    match item:
        case LLMRequest():
            held: object = item.messages
            count = len(cast("Sized", held)) if isinstance(held, list | tuple) else 1
            return f"{count} messages sent"
        case LLMResponse():
            return f"({brief(item.finish_reason, _NARROW)}) {brief(spoken(item.content), _WIDE)}"
        case TokenUsage():
            return f"{item.total_tokens} tokens ({item.prompt_tokens} + {item.completion_tokens})"
        case Cost():
            return str(item.total_cost)


def checkpoint_digest(header: CheckpointHeader) -> str:
    """Return one line about a checkpoint: its workflow, what is noted of it, its size.

    Where it is of a graph inside another one, the names of these graphs come first, without the
    ids of their runs.
    """
    noted = [
        f"{brief(name, _NARROW)}={worded(value)}"
        for name, value in list(header.metadata.items())[:_NOTED]
    ]
    workflow = [] if header.workflow_id is None else [brief(header.workflow_id, _NARROW)]
    inner = "/".join(name.partition(":")[0] for name in header.namespace.split("|"))
    within = [f"in {brief(inner, _NARROW)}:"] if inner else []
    return " ".join([*within, *workflow, *noted, f"({size(header.size)})"])


def _tool(call: ToolCall) -> str:
    shown = form(call.tool_input)
    if isinstance(shown, Fields):
        took = ", ".join(f"{key}={worded(item)}" for key, item in shown.pairs)
    else:
        took = "" if call.tool_input is None else worded(call.tool_input)
    gave = f"failed: {brief(call.error)}" if call.error is not None else worded(call.tool_output)
    return f"{brief(call.tool_name, _NARROW)}({brief(took, _WIDE)}) gave {gave}"


def worded(value: object) -> str:
    """Return a value in a few words: a scalar itself, how many parts a container has."""
    shown = form(value)
    if isinstance(shown, Scalar):
        return "nothing" if shown.value is None else brief(str(shown.value), _NARROW)
    if isinstance(shown, Items):
        return f"{len(shown.items)} items" if len(shown.items) != 1 else "1 item"
    return _worded_fields(shown)


def _worded_fields(shown: Fields) -> str:
    keys = ", ".join(brief(str(key), _NARROW) or '""' for key, _ in shown.pairs[:_NOTED])
    more = ", ..." if len(shown.pairs) > _NOTED else ""
    return f"{{{keys}{more}}}"


def spoken(content: object) -> str:
    """Return what is said in a content: a text, or the texts among its parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        named = cast("Mapping[object, object]", content)
        inner = named.get("text", named.get("content"))
        return inner if isinstance(inner, str) else worded(named)
    if isinstance(content, list | tuple):
        return " ".join(spoken(part) for part in cast("Sequence[object]", content))
    return worded(content)
