"""Entities back in their legacy shapes: proof that nothing was lost, and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..checkpoint import Checkpoint
from ..history import (
    Cost,
    Entry,
    LLMRequest,
    LLMResponse,
    Message,
    TokenUsage,
    ToolCall,
)
from ..session import Interaction, Session
from ..thread import Branch, Snapshot, Thread
from .fields import Times
from .keeping import part, restore, same
from .values import JsonObject, as_list, as_object

INDEX: Final = "~index"
"""Kept with the interactions of a session whose order is not that of their times."""

SHAPE: Final = "shape"
TOP: Final = "top_level"
BOTH: Final = "both_levels"
CLASH: Final = "top_level_values"
"""Kept with a thread: its shape; which of its metadata stood at the top, which at the top as well,
and with which other values."""

CONTEXT: Final = "context"

DOCUMENT: Final = "~document"
"""Kept with what came from an older shape: the whole of it, as it was read."""

THREAD_KEYS: Final = frozenset({"thread_id", "graph_id", "status", "created_at", "updated_at"})
"""What a thread's file says of the thread itself; everything else in it is metadata."""

Metadata = Mapping[str, Any]


def own_context(session: Session, metadata: Metadata, times: Times) -> JsonObject:
    """Return what a session's fields tell of its `context`."""
    return {
        "session_id": session.id,
        "user_id": session.user_id,
        "status": session.status.value,
        "created_at": times.write(session.created_at),
        "metadata": metadata,
    }


def own_interaction(interaction: Interaction, metadata: Metadata, times: Times) -> JsonObject:
    """Return what an interaction's fields tell of its object."""
    return {
        "interaction_id": interaction.id,
        "session_id": interaction.session_id,
        "thread_id": interaction.thread_id,
        "interaction_type": interaction.type,
        "content": interaction.content,
        "metadata": metadata,
        "timestamp": times.write(interaction.created_at),
    }


def own_thread(thread: Thread, times: Times) -> JsonObject:
    """Return what a thread's fields tell of its file, the metadata apart."""
    return {
        "thread_id": thread.id,
        "graph_id": thread.graph_id,
        "status": thread.status.value,
        "created_at": times.write(thread.created_at),
    }


def own_branch(branch: Branch, metadata: Metadata, times: Times) -> JsonObject:
    """Return what a branch's fields tell of its object."""
    return {
        "branch_id": branch.id,
        "source_thread_id": branch.source_thread_id,
        "source_checkpoint_id": branch.checkpoint_id or "",
        "branch_name": branch.name,
        "created_at": times.write(branch.created_at),
        "metadata": metadata,
        "status": branch.status.value,
    }


def own_snapshot(snapshot: Snapshot, metadata: Metadata, times: Times) -> JsonObject:
    """Return what a snapshot's fields tell of its object."""
    return {
        "snapshot_id": snapshot.id,
        "thread_id": snapshot.thread_id,
        "snapshot_name": snapshot.name,
        "description": snapshot.description or None,
        "checkpoint_ids": [snapshot.checkpoint_id] if snapshot.checkpoint_id else [],
        "created_at": times.write(snapshot.created_at),
        "metadata": metadata,
    }


def own_record(entry: Entry, metadata: Metadata, times: Times) -> JsonObject:
    """Return what a history entry's fields tell of its line."""
    return {
        "record_id": entry.id,
        "session_id": entry.session_id,
        "timestamp": times.write(entry.created_at),
        "metadata": metadata,
        **_own_fields(entry),
    }


def _own_fields(entry: Entry) -> JsonObject:
    match entry:
        case Message():
            return {
                "record_type": "message",
                "message_type": entry.role,
                "content": entry.content,
            }
        case ToolCall():
            return {
                "record_type": "tool_call",
                "tool_name": entry.tool_name,
                "tool_input": entry.tool_input,
                "tool_output": entry.tool_output,
            }
        case LLMRequest():
            return {
                "record_type": "llm_request",
                "model": entry.model,
                "provider": entry.provider,
                "messages": entry.messages,
                "parameters": entry.parameters,
                "estimated_tokens": entry.estimated_tokens,
            }
        case LLMResponse():
            return {
                "record_type": "llm_response",
                "request_id": entry.request_id,
                "model": entry.model,
                "content": entry.content,
                "finish_reason": entry.finish_reason,
                "token_usage": entry.token_usage,
                "response_time": entry.response_time,
            }
        case TokenUsage():
            return {
                "record_type": "token_usage",
                **_tokens(entry),
                "source": entry.source,
                "confidence": entry.confidence,
            }
        case Cost():
            return {
                "record_type": "cost",
                **_tokens(entry),
                "prompt_cost": float(entry.prompt_cost.amount),
                "completion_cost": float(entry.completion_cost.amount),
                "total_cost": float(entry.total_cost.amount),
                "currency": entry.total_cost.currency,
            }


def _tokens(entry: TokenUsage | Cost) -> JsonObject:
    return {
        "model": entry.model,
        "provider": entry.provider,
        "prompt_tokens": entry.prompt_tokens,
        "completion_tokens": entry.completion_tokens,
        "total_tokens": entry.total_tokens,
    }


def session_document(
    session: Session, interactions: Iterable[Interaction], *, times: Times
) -> JsonObject:
    """Return the session file of a session and its interactions, oldest first.

    One of an older generation comes back as it was. What came from other files is left out.
    """
    metadata, kept = part(session.metadata)
    if (whole := as_object(kept.get(DOCUMENT))) is not None:
        return whole
    inner = as_object(kept.pop(CONTEXT, None)) or {}
    listed = [each for each in interactions if DOCUMENT not in part(each.metadata)[1]]
    listed.sort(key=lambda each: part(each.metadata)[1].get(INDEX, 0))  # type: ignore[arg-type, return-value]
    own: JsonObject = {
        CONTEXT: restore(own_context(session, metadata, times), inner),
        "interactions": [interaction_object(each, times=times) for each in listed],
    }
    return restore(own, kept)


def interaction_object(interaction: Interaction, *, times: Times) -> JsonObject:
    """Return an interaction as it stood in its session's file."""
    metadata, kept = part(interaction.metadata)
    kept.pop(INDEX, None)
    return restore(own_interaction(interaction, metadata, times), kept)


def thread_document(thread: Thread, *, times: Times) -> JsonObject:
    """Return the file of a thread, in the shape that it had."""
    metadata, kept = part(thread.metadata)
    shape, top = kept.pop(SHAPE, None), as_list(kept.pop(TOP, None)) or []
    both = as_list(kept.pop(BOTH, None)) or []
    clash = as_object(kept.pop(CLASH, None)) or {}
    whole = restore(own_thread(thread, times), kept)
    if shape != "nested":
        return {**metadata, **whole}
    inner = {name: value for name, value in metadata.items() if name not in top}
    outer = {name: metadata[name] for name in metadata if name in top or name in both}
    return {**outer, **clash, **whole, "metadata": inner}


def branch_document(branch: Branch, *, times: Times) -> JsonObject:
    """Return a branch as the object that the legacy program had of it."""
    metadata, kept = part(branch.metadata)
    return restore(own_branch(branch, metadata, times), kept)


def snapshot_document(snapshot: Snapshot, *, times: Times) -> JsonObject:
    """Return a snapshot as the object that the legacy program had of it."""
    metadata, kept = part(snapshot.metadata)
    return restore(own_snapshot(snapshot, metadata, times), kept)


def thread_parts(document: JsonObject) -> tuple[JsonObject, JsonObject, JsonObject]:
    """Take a thread's file apart: its known fields, all metadata of both levels, what to keep.

    A flat file has its metadata at the top; a nested one below, and more of it at the top.
    """
    nested = as_object(document.get("metadata"))
    own = THREAD_KEYS if nested is None else THREAD_KEYS | {"metadata"}
    metadata = dict(nested or {})
    top: list[object] = []
    both: list[object] = []
    clash: JsonObject = {}
    for name, value in document.items():
        if name in own:
            continue
        if name not in metadata:
            metadata[name] = value
            top.append(name)
        elif same(metadata[name], value):
            both.append(name)
        else:
            clash[name] = value
    kept: JsonObject = {SHAPE: "flat"}
    if nested is not None:
        marks = {TOP: top, BOTH: both, CLASH: clash}
        kept = {SHAPE: "nested", **{name: mark for name, mark in marks.items() if mark}}
    known = {name: value for name, value in document.items() if name in THREAD_KEYS}
    return known, metadata, kept


def history_record(entry: Entry, *, times: Times) -> JsonObject:
    """Return a history entry as it stood in its line."""
    metadata, kept = part(entry.metadata)
    return restore(own_record(entry, metadata, times), kept)


def checkpoint_metadata(checkpoint: Checkpoint) -> JsonObject:
    """Return a checkpoint's metadata as it stood in its row, without the copy of the state."""
    return part(checkpoint.metadata)[0]
