"""`HistoryStore`: the six kinds of entries as records, their figures as labels to be summed."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from ..domain.history import (
    ENTRY_TYPES,
    Cost,
    Entry,
    EntryKind,
    HistoryEntry,
    LLMRequest,
    LLMResponse,
    Message,
    TokenUsage,
    ToolCall,
)
from ..domain.moment import from_micros
from ..domain.money import Money
from .base import Draft, EntityStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..domain.labels import Label
    from ..domain.record import Record
    from .letter import Letter

_IN_HEADER: Final = frozenset({"id", "thread_id", "session_id", "created_at", "metadata"})

_KIND_OF: Final = {cls: kind for kind, cls in ENTRY_TYPES.items()}

PROMPT_NANOS: Final = "prompt_nanos"
COMPLETION_NANOS: Final = "completion_nanos"
TOTAL_NANOS: Final = "total_nanos"
"""Labels of a cost: amounts in nano-units, so that sums in the engine are exact."""


def kind_of(entry: HistoryEntry) -> EntryKind:
    """Return the kind of an entry."""
    return _KIND_OF[type(entry)]


def _labels(entry: Entry) -> Mapping[str, Label | None]:
    """Choose what can be searched and summed without opening a body."""
    match entry:
        case Message():
            return {"role": entry.role}
        case ToolCall():
            return {"tool_name": entry.tool_name, "failed": entry.error is not None}
        case LLMRequest():
            return {"model": entry.model, "provider": entry.provider}
        case LLMResponse():
            return {
                "model": entry.model,
                "finish_reason": entry.finish_reason,
                "request_id": entry.request_id,
                "response_time": float(entry.response_time),
            }
        case TokenUsage():
            return {
                "model": entry.model,
                "provider": entry.provider,
                "source": entry.source,
                "prompt_tokens": entry.prompt_tokens,
                "completion_tokens": entry.completion_tokens,
                "total_tokens": entry.total_tokens,
            }
        case Cost():
            return {
                "model": entry.model,
                "provider": entry.provider,
                "currency": entry.total_cost.currency,
                PROMPT_NANOS: entry.prompt_cost.nanos,
                COMPLETION_NANOS: entry.completion_cost.nanos,
                TOTAL_NANOS: entry.total_cost.nanos,
            }


class HistoryStore(EntityStore[Entry]):
    """Keep history entries below their thread and session."""

    kinds = tuple(kind.value for kind in EntryKind)

    def draft(self, entity: Entry) -> Draft:
        """Take an entry apart: every field of its own goes into the letter."""
        data: dict[str, Any] = {}
        for item in fields(entity):
            if item.name not in _IN_HEADER:
                value = getattr(entity, item.name)
                data[item.name] = (
                    [value.nanos, value.currency] if isinstance(value, Money) else value
                )
        return Draft(
            kind=kind_of(entity).value,
            id=entity.id,
            data=data,
            metadata=entity.metadata,
            created_at=entity.created_at,
            labels={name: value for name, value in _labels(entity).items() if value is not None},
            session_id=entity.session_id,
            thread_id=entity.thread_id,
        )

    def build(self, record: Record, letter: Letter) -> Entry:
        """Put an entry together again."""
        kind = EntryKind(record.key.kind)
        data = dict(letter.data)
        if kind is EntryKind.COST:
            for name in ("prompt_cost", "completion_cost", "total_cost"):
                data[name] = Money(*data[name])
        entry: Any = ENTRY_TYPES[kind](
            id=record.key.id,
            thread_id=record.thread_id,
            session_id=record.session_id,
            created_at=from_micros(record.created_at),
            metadata=letter.metadata,
            **data,
        )
        return entry  # type: ignore[no-any-return]
