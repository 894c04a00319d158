"""`IHistoryManager`: records of what was said, called, used and paid."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from ..entities.history import (
    CostRecord,
    HistoryQuery,
    HistoryResult,
    LLMRequestRecord,
    LLMResponseRecord,
    MessageRecord,
    TokenUsageRecord,
    ToolCallRecord,
)


class IHistoryManager(ABC):
    """Records six types of events of a session, finds them again and adds them up."""

    @abstractmethod
    async def record_message(self, record: MessageRecord) -> None:
        """Append a message."""

    @abstractmethod
    async def record_tool_call(self, record: ToolCallRecord) -> None:
        """Append a tool call."""

    @abstractmethod
    async def record_llm_request(self, record: LLMRequestRecord) -> None:
        """Append a request to a model."""

    @abstractmethod
    async def record_llm_response(self, record: LLMResponseRecord) -> None:
        """Append the response of a model."""

    @abstractmethod
    async def record_token_usage(self, record: TokenUsageRecord) -> None:
        """Append the tokens that a call used."""

    @abstractmethod
    async def record_cost(self, record: CostRecord) -> None:
        """Append what a call cost."""

    @abstractmethod
    async def query_history(self, query: HistoryQuery) -> HistoryResult:
        """Return the records of a session in the order they were written.

        Time bounds are inclusive; `total` counts before `offset` and `limit`, of which 0 and
        `None` mean none. Without a session the result is empty.
        """

    @abstractmethod
    async def get_token_statistics(self, session_id: str) -> dict[str, Any]:
        """Return the sums of the tokens of a session."""

    @abstractmethod
    async def get_cost_statistics(self, session_id: str) -> dict[str, Any]:
        """Return the sums of the cost of a session."""

    @abstractmethod
    async def get_llm_statistics(self, session_id: str) -> dict[str, Any]:
        """Return how many calls of models a session has."""
