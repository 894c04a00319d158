"""History entries out of the legacy program's records, field by field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypedDict

from ..history import (
    Cost,
    Entry,
    EntryKind,
    LLMRequest,
    LLMResponse,
    Message,
    TokenUsage,
    ToolCall,
)
from .fields import Fields


class Common(TypedDict):
    """What every entry has."""

    id: str
    session_id: str | None
    created_at: datetime
    metadata: dict[str, Any]


def _message(fields: Fields, common: Common) -> Entry:
    role, content = fields.word("message_type", "user"), fields.raw.get("content")
    return Message(**common, role=role, content=content)


def _tool_call(fields: Fields, common: Common) -> Entry:
    return ToolCall(
        **common,
        tool_name=fields.word("tool_name"),
        tool_input=fields.raw.get("tool_input"),
        tool_output=fields.raw.get("tool_output"),
    )


def _llm_request(fields: Fields, common: Common) -> Entry:
    return LLMRequest(
        **common,
        model=fields.word("model"),
        provider=fields.word("provider", "unknown"),
        messages=fields.raw.get("messages"),
        parameters=fields.mapping("parameters"),
        estimated_tokens=fields.count_or_none("estimated_tokens"),
    )


def _llm_response(fields: Fields, common: Common) -> Entry:
    return LLMResponse(
        **common,
        request_id=fields.word_or_none("request_id"),
        model=fields.word("model"),
        content=fields.raw.get("content"),
        finish_reason=fields.word("finish_reason", "stop"),
        token_usage=fields.mapping("token_usage"),
        response_time=fields.number("response_time", 0.0),
    )


def _token_usage(fields: Fields, common: Common) -> Entry:
    return TokenUsage(
        **common,
        model=fields.word("model"),
        provider=fields.word("provider", "unknown"),
        prompt_tokens=fields.count("prompt_tokens"),
        completion_tokens=fields.count("completion_tokens"),
        total_tokens=fields.count("total_tokens"),
        source=fields.word("source", "api"),
        confidence=fields.number("confidence", 1.0),
    )


def _cost(fields: Fields, common: Common) -> Entry:
    currency = fields.currency("currency")
    return Cost(
        **common,
        model=fields.word("model"),
        provider=fields.word("provider", "unknown"),
        prompt_tokens=fields.count("prompt_tokens"),
        completion_tokens=fields.count("completion_tokens"),
        total_tokens=fields.count("total_tokens"),
        prompt_cost=fields.money("prompt_cost", currency),
        completion_cost=fields.money("completion_cost", currency),
        total_cost=fields.money("total_cost", currency),
    )


_BUILD: Final[Mapping[EntryKind, Callable[[Fields, Common], Entry]]] = {
    EntryKind.MESSAGE: _message,
    EntryKind.TOOL_CALL: _tool_call,
    EntryKind.LLM_REQUEST: _llm_request,
    EntryKind.LLM_RESPONSE: _llm_response,
    EntryKind.TOKEN_USAGE: _token_usage,
    EntryKind.COST: _cost,
}


def entry_of(kind: EntryKind, fields: Fields, common: Common) -> Entry:
    """Return the entry of a record; what is odd in its fields is told there."""
    return _BUILD[kind](fields, common)
