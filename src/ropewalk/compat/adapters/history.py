"""`HistoryStorageAdapter`: the six records in a unified storage."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from ..entities.history import (
    RECORDS,
    CostRecord,
    HistoryQuery,
    HistoryRecord,
    HistoryResult,
    LLMRequestRecord,
    LLMResponseRecord,
    MessageRecord,
    TokenUsageRecord,
    ToolCallRecord,
    record_dict,
)
from ..entities.moments import instant
from ..interfaces.history import IHistoryManager

if TYPE_CHECKING:
    from ..interfaces.unified import IUnifiedStorage, Row, Rows

_PARTS: Final = ("total", "prompt", "completion")


class HistoryStorageAdapter(IHistoryManager):
    """Appends each record under its id; a second one with the same id is a record of its own.

    What cannot be kept raises `StorageValidationError`: no record is lost in silence. Records
    that are handed in stay as they are.
    """

    def __init__(self, storage: IUnifiedStorage) -> None:
        """Keep records in `storage`."""
        self._storage = storage

    async def record_message(self, record: MessageRecord) -> None:
        """Append a message."""
        await self._record("message", record)

    async def record_tool_call(self, record: ToolCallRecord) -> None:
        """Append a tool call."""
        await self._record("tool_call", record)

    async def record_llm_request(self, record: LLMRequestRecord) -> None:
        """Append a request to a model."""
        await self._record("llm_request", record)

    async def record_llm_response(self, record: LLMResponseRecord) -> None:
        """Append the response of a model."""
        await self._record("llm_response", record)

    async def record_token_usage(self, record: TokenUsageRecord) -> None:
        """Append the tokens that a call used."""
        await self._record("token_usage", record)

    async def record_cost(self, record: CostRecord) -> None:
        """Append what a call cost."""
        await self._record("cost", record)

    async def _record(self, type: str, record: HistoryRecord) -> None:
        await self._storage.save(
            {
                "id": record.record_id,
                "type": type,
                "session_id": record.session_id,
                "data": record_dict(record),
            }
        )

    async def query_history(self, query: HistoryQuery) -> HistoryResult:
        """Return the records of a session in the order they were written."""
        if query.session_id is None:
            return HistoryResult([])
        asked = query.record_types if query.record_types is not None else list(RECORDS)
        rows = await self._rows(query.session_id, *(kind for kind in RECORDS if kind in asked))
        records = [RECORDS[row["type"]].from_dict(row["data"]) for row in rows]
        found = [record for record in records if _within(record, query)]
        start = query.offset or 0
        stop = start + query.limit if query.limit else None
        return HistoryResult(found[start:stop], len(found))

    async def _rows(self, session_id: str, *types: str) -> Rows:
        if not types:
            return []
        return await self._storage.list({"type": list(types), "session_id": session_id})

    async def get_token_statistics(self, session_id: str) -> dict[str, Any]:
        """Return the sums of the tokens of a session."""
        rows = await self._rows(session_id, "token_usage")
        sums = {f"{part}_tokens": _sum(rows, f"{part}_tokens") for part in _PARTS}
        total = int(sums["total_tokens"])
        return {
            "session_id": session_id,
            **{name: int(value) for name, value in sums.items()},
            "record_count": len(rows),
            "avg_tokens_per_record": total / len(rows) if rows else 0,
        }

    async def get_cost_statistics(self, session_id: str) -> dict[str, Any]:
        """Return the sums of the cost of a session, in the currency of its first record.

        Where there are others, their totals stand under `other_currencies`: amounts of two are
        never added.
        """
        rows = await self._rows(session_id, "cost")
        currency: str = rows[0]["data"].get("currency", "USD") if rows else "USD"
        by_currency: dict[str, Rows] = {}
        for row in rows:
            by_currency.setdefault(row["data"].get("currency", "USD"), []).append(row)
        own = by_currency.pop(currency, [])
        others = {name: float(_sum(more, "total_cost")) for name, more in by_currency.items()}
        return {
            "session_id": session_id,
            **{f"{part}_cost": float(_sum(own, f"{part}_cost")) for part in _PARTS},
            "currency": currency,
            "record_count": len(rows),
            "models_used": sorted({row["data"]["model"] for row in rows}),
            **({"other_currencies": others} if others else {}),
        }

    async def get_llm_statistics(self, session_id: str) -> dict[str, Any]:
        """Return how many calls of models a session has."""
        requests = await self._rows(session_id, "llm_request")
        responses = await self._storage.count({"type": "llm_response", "session_id": session_id})
        return {
            "session_id": session_id,
            "llm_requests": len(requests),
            "llm_responses": responses,
            "models_used": sorted({row["data"]["model"] for row in requests}),
            "request_record_count": len(requests),
            "response_record_count": responses,
        }


def _within(record: HistoryRecord, query: HistoryQuery) -> bool:
    at = instant(record.timestamp)
    return (query.start_time is None or at >= instant(query.start_time)) and (
        query.end_time is None or at <= instant(query.end_time)
    )


def _sum(rows: Rows, name: str) -> Decimal:
    """Return an exact sum: floats count as the decimal numbers that they are written as."""
    values: list[Row] = [row["data"] for row in rows]
    return sum((Decimal(repr(each.get(name) or 0)) for each in values), Decimal(0))
