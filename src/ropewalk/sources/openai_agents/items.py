"""One item of a conversation as an entry of the history; whatever has no field is kept beside it.

The forms of items are those of OpenAI's Responses API: platform.openai.com/docs/api-reference.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final, TypedDict, cast

from ...domain.history import Entry, Message, ToolCall
from ...domain.legacy.fields import fit
from ...domain.legacy.values import JsonObject
from ...domain.limits import MAX_LABEL_BYTES

KEPT: Final = "openai"
"""Key of the metadata under which everything of an item stands that has no field of its own."""

CALL: Final = "function_call"
OUTPUT: Final = "function_call_output"

_CALLS: Final = "_call"
"""How the types of items end that are calls of tools: `web_search_call`, `mcp_call`."""


class Common(TypedDict):
    """What every entry has from its row."""

    id: str
    thread_id: str
    session_id: str
    created_at: datetime


def call_id_of(item: JsonObject) -> str | None:
    """Return the id by which a call and its output know each other."""
    found = item.get("call_id")
    return found if isinstance(found, str) and found else None


def entry_of(item: JsonObject, output: JsonObject | None, common: Common) -> Entry:
    """Return an item as an entry; `output` is what a call of a function gave, if that is known."""
    kind = item.get("type")
    if kind == CALL:
        return _call(item, output, common)
    if kind == OUTPUT:
        content, rest = _taken(item, "output")
        call = call_id_of(rest)
        return Message(
            **common, role="tool", content=content, tool_call_id=call, metadata={KEPT: rest}
        )
    if isinstance(kind, str) and kind.endswith(_CALLS):
        name = item.get("name")
        word = _word(name if isinstance(name, str) and name else kind)
        return ToolCall(**common, tool_name=word, tool_input=item, metadata={KEPT: {"type": kind}})
    role = item.get("role")
    if isinstance(role, str) and role and "content" in item:
        content, rest = _taken(item, "content")
        said = _word(role)
        if said == role:
            del rest["role"]
        return Message(**common, role=said, content=content, metadata={KEPT: rest} if rest else {})
    word = _word(kind) if isinstance(kind, str) and kind else "other"
    return Message(**common, role=word, content=item, metadata={KEPT: {"type": kind}})


def _call(item: JsonObject, output: JsonObject | None, common: Common) -> ToolCall:
    arguments, rest = _taken(item, "arguments")
    name = rest.get("name")
    given, is_plain = _parsed(arguments)
    if not is_plain:
        rest["arguments"] = arguments
    kept: dict[str, Any] = {KEPT: rest}
    result: Any = None
    if output is not None:
        result, beside = _taken(output, "output")
        kept["openai_output"] = beside
    return ToolCall(
        **common,
        tool_name=_word(name) if isinstance(name, str) and name else "unknown",
        tool_input=given,
        tool_output=result,
        metadata=kept,
    )


def _taken(item: JsonObject, name: str) -> tuple[Any, JsonObject]:
    rest = dict(item)
    return rest.pop(name, None), rest


def _parsed(arguments: object) -> tuple[Any, bool]:
    """Return arguments as the value they are JSON of, and whether that says everything of them."""
    if not isinstance(arguments, str):
        return arguments, True
    try:
        value = cast("object", json.loads(arguments))
    except (ValueError, RecursionError):
        return arguments, True
    # A text would be taken for arguments that are no JSON: those are kept as they are.
    plain = (json.dumps(value), json.dumps(value, separators=(",", ":")))
    return value, arguments in plain and not isinstance(value, str)


def _word(text: str) -> str:
    return fit(text, MAX_LABEL_BYTES) or "unknown"
