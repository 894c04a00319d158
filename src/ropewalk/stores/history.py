"""`HistoryStore`: the six kinds of entries as records, their figures as labels to be summed."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from ..domain.history import (
    ENTRY_TYPES,
    Cost,
    Entry,
    EntryKind,
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
_AMOUNTS: Final = ("prompt_cost", "completion_cost", "total_cost")

_KIND_OF: Final = {cls: kind.value for kind, cls in ENTRY_TYPES.items()}
_TYPE_OF: Final = {kind.value: cls for kind, cls in ENTRY_TYPES.items()}

_OWN: Final = {
    cls: tuple(item.name for item in fields(cls) if item.name not in _IN_HEADER) for cls in _KIND_OF
}
"""The fields of each kind that go into the letter."""
_READ_OWN: Final = {cls: attrgetter(*names) for cls, names in _OWN.items()}

PROMPT_NANOS: Final = "prompt_nanos"
COMPLETION_NANOS: Final = "completion_nanos"
TOTAL_NANOS: Final = "total_nanos"
"""Labels of a cost: amounts in nano-units, so that sums in the engine are exact."""


def _labels(entry: Entry) -> Mapping[str, Label]:
    """Choose what can be searched and summed without opening a body."""
    match entry:
        case Message():
            return {"role": entry.role}
        case ToolCall():
            return {"tool_name": entry.tool_name, "failed": entry.error is not None}
        case LLMRequest():
            return {"model": entry.model, "provider": entry.provider}
        case LLMResponse():
            labels: dict[str, Label] = {
                "model": entry.model,
                "finish_reason": entry.finish_reason,
                "response_time": float(entry.response_time),
            }
            if entry.request_id is not None:
                labels["request_id"] = entry.request_id
            return labels
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
        cls = type(entity)
        data: dict[str, Any] = dict(zip(_OWN[cls], _READ_OWN[cls](entity), strict=True))
        if cls is Cost:
            for name in _AMOUNTS:
                data[name] = [data[name].nanos, data[name].currency]
        return Draft(
            kind=_KIND_OF[cls],
            id=entity.id,
            data=data,
            metadata=entity.metadata,
            created_at=entity.created_at,
            labels=_labels(entity),
            session_id=entity.session_id,
            thread_id=entity.thread_id,
        )

    def build(self, record: Record, letter: Letter) -> Entry:
        """Put an entry together again."""
        cls = _TYPE_OF[record.key.kind]
        data = letter.data
        if cls is Cost:
            data = {**data, **{name: Money(*data[name]) for name in _AMOUNTS}}
        entry: Any = cls(
            id=record.key.id,
            thread_id=record.thread_id,
            session_id=record.session_id,
            created_at=from_micros(record.created_at),
            metadata=letter.metadata,
            **data,
        )
        return entry  # type: ignore[no-any-return]
