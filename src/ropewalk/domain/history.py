"""The six kinds of entries that an agent's work leaves behind, append-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias

from .money import Money


class EntryKind(StrEnum):
    """The kinds of history entries, which are also the kinds of their records."""

    MESSAGE = "message"
    TOOL_CALL = "tool_call"
    LLM_REQUEST = "llm_request"
    LLM_RESPONSE = "llm_response"
    TOKEN_USAGE = "token_usage"  # noqa: S105 (not a password)
    COST = "cost"


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """What every entry has: an id, its parents, its time (aware UTC) and free metadata."""

    id: str
    thread_id: str | None = None
    session_id: str | None = None
    created_at: datetime
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(HistoryEntry):
    """Something said: by `user`, `assistant`, `system`, `tool` or any other role."""

    role: str
    content: Any = ""
    name: str | None = None
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall(HistoryEntry):
    """A tool that was called, with what, and what came back; `duration` in seconds."""

    tool_name: str
    tool_input: Any = None
    tool_output: Any = None
    error: str | None = None
    duration: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LLMRequest(HistoryEntry):
    """What was sent to a model; `estimated_tokens` before the call."""

    model: str
    provider: str = "unknown"
    messages: Any = ()
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    estimated_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LLMResponse(HistoryEntry):
    """What a model answered to the request `request_id`; `response_time` in seconds."""

    request_id: str | None = None
    model: str
    content: Any = ""
    finish_reason: str = "stop"
    token_usage: Mapping[str, Any] = field(default_factory=dict[str, Any])
    response_time: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsage(HistoryEntry):
    """Tokens that one call used; `source` is `api`, `local` or `hybrid`."""

    model: str
    provider: str = "unknown"
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    source: str = "api"
    confidence: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost(HistoryEntry):
    """Money that one call cost, all three amounts in one currency."""

    model: str
    provider: str = "unknown"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    prompt_cost: Money
    completion_cost: Money
    total_cost: Money


Entry: TypeAlias = Message | ToolCall | LLMRequest | LLMResponse | TokenUsage | Cost

ENTRY_TYPES: Final[Mapping[EntryKind, type[HistoryEntry]]] = {
    EntryKind.MESSAGE: Message,
    EntryKind.TOOL_CALL: ToolCall,
    EntryKind.LLM_REQUEST: LLMRequest,
    EntryKind.LLM_RESPONSE: LLMResponse,
    EntryKind.TOKEN_USAGE: TokenUsage,
    EntryKind.COST: Cost,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenStatistics:
    """Sums of token usage over the records asked for."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    record_count: int

    @property
    def average(self) -> float:
        """Total tokens per record; 0.0 where there is none."""
        return self.total_tokens / self.record_count if self.record_count else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CostStatistics:
    """Sums of cost in one currency; amounts are exact."""

    currency: str
    prompt_cost: Money
    completion_cost: Money
    total_cost: Money
    record_count: int
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LLMStatistics:
    """How many model calls there were, to which models, and how they ended."""

    requests: int
    responses: int
    errors: int
    models: tuple[str, ...]
    response_time: float
