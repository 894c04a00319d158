"""The six records of the history, the query for them and its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import Enum
from typing import Any, Final, Self, TypeAlias, cast

from .moments import as_datetime, as_text, local_now

Object: TypeAlias = dict[str, Any]


class MessageType(Enum):
    """Who said something."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"


class AsJson:
    """What the six have in common: a form in JSON, and the way back."""

    def to_dict(self) -> Object:
        """Return the record as JSON."""
        return record_dict(cast("HistoryRecord", self))

    @classmethod
    def from_dict(cls, data: Object) -> Self:
        """Return the record of its JSON, which is left as it is."""
        return cls(**known(cast("type[HistoryRecord]", cls), data))


@dataclass
class MessageRecord(AsJson):
    """Something that was said."""

    record_id: str
    session_id: str
    timestamp: datetime = field(default_factory=local_now)
    record_type: str = "message"
    message_type: MessageType = MessageType.USER
    content: str = ""
    metadata: Object = field(default_factory=dict[str, Any])


@dataclass
class ToolCallRecord(AsJson):
    """A tool that was called."""

    record_id: str
    session_id: str
    timestamp: datetime = field(default_factory=local_now)
    record_type: str = "tool_call"
    tool_name: str = ""
    tool_input: Object = field(default_factory=dict[str, Any])
    tool_output: Object | None = None
    metadata: Object = field(default_factory=dict[str, Any])


@dataclass
class LLMRequestRecord(AsJson):
    """What was sent to a model."""

    record_id: str
    session_id: str
    timestamp: datetime
    model: str
    provider: str
    messages: list[Object]
    parameters: Object
    record_type: str = "llm_request"
    estimated_tokens: int | None = None
    metadata: Object = field(default_factory=dict[str, Any])


@dataclass
class LLMResponseRecord(AsJson):
    """What a model answered; `response_time` in seconds."""

    record_id: str
    session_id: str
    timestamp: datetime
    request_id: str
    content: str
    finish_reason: str
    token_usage: Object
    response_time: float
    model: str
    record_type: str = "llm_response"
    metadata: Object = field(default_factory=dict[str, Any])


@dataclass
class TokenUsageRecord(AsJson):
    """The tokens that a call used."""

    record_id: str
    session_id: str
    timestamp: datetime
    model: str
    provider: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    source: str
    record_type: str = "token_usage"
    confidence: float = 1.0
    metadata: Object = field(default_factory=dict[str, Any])


@dataclass
class CostRecord(AsJson):
    """What a call cost, in whole units of `currency`."""

    record_id: str
    session_id: str
    timestamp: datetime
    model: str
    provider: str
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_cost: float
    completion_cost: float
    total_cost: float
    record_type: str = "cost"
    currency: str = "USD"
    metadata: Object = field(default_factory=dict[str, Any])


HistoryRecord: TypeAlias = (
    MessageRecord
    | ToolCallRecord
    | LLMRequestRecord
    | LLMResponseRecord
    | TokenUsageRecord
    | CostRecord
)

RECORDS: Final[Mapping[str, type[HistoryRecord]]] = {
    "message": MessageRecord,
    "tool_call": ToolCallRecord,
    "llm_request": LLMRequestRecord,
    "llm_response": LLMResponseRecord,
    "token_usage": TokenUsageRecord,
    "cost": CostRecord,
}


@dataclass
class HistoryQuery:
    """Which records of a session, and which part of them."""

    session_id: str | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    record_types: list[str] | None = None
    limit: int | None = None
    offset: int | None = None


@dataclass
class HistoryResult:
    """The records that were asked for; `total` counts those of every page."""

    records: list[HistoryRecord]
    total: int = 0


def record_dict(record: HistoryRecord) -> Object:
    """Return a record as JSON, keys in the order of its fields."""
    values = {each.name: getattr(record, each.name) for each in fields(record)}
    values["timestamp"] = as_text(record.timestamp)
    if isinstance(record, MessageRecord):
        values["message_type"] = getattr(record.message_type, "value", record.message_type)
    return values


def known(cls: type[HistoryRecord], data: Object) -> Object:
    """Return the fields of a record's JSON as values of the class; other keys are left out."""
    names = {each.name for each in fields(cls)}
    values = {name: value for name, value in data.items() if name in names}
    values["timestamp"] = as_datetime(values["timestamp"])
    if values.get("metadata") is None:
        values["metadata"] = {}
    if cls is MessageRecord:
        values["message_type"] = _message_type(values.get("message_type"))
    return values


def _message_type(value: object) -> MessageType:
    """Return who said it; whoever has no name here spoke to the assistant, as a user does."""
    if isinstance(value, MessageType):
        return value
    return next((kind for kind in MessageType if kind.value == value), MessageType.USER)
