"""`Statistics`: tokens, money and model calls, summed in the engine without opening a body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from ..domain.errors import Invalid
from ..domain.history import CostStatistics, EntryKind, LLMStatistics, TokenStatistics
from ..domain.moment import EPOCH
from ..domain.money import Money
from ..domain.query import Condition
from ..domain.tally import DAY
from ..stores.base import Find
from ..stores.history import COMPLETION_NANOS, PROMPT_NANOS, TOTAL_NANOS
from .manager import created_between, equals

if TYPE_CHECKING:
    from datetime import datetime

    from ..domain.labels import Label
    from ..domain.tally import Tally
    from ..stores.history import HistoryStore

Group: TypeAlias = Literal["session", "thread", "model", "provider", "day"]
"""What statistics can be broken down by."""

_FIELD: Final[dict[str, str]] = {
    "session": "session_id",
    "thread": "thread_id",
    "model": "labels.model",
    "provider": "labels.provider",
    "day": DAY,
}

_TOKENS: Final = ("prompt_tokens", "completion_tokens", "total_tokens")
_NANOS: Final = (PROMPT_NANOS, COMPLETION_NANOS, TOTAL_NANOS)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which entries to count: those that fulfil everything given.

    A thread's statistics are of its own entries: what a fork inherits was paid once. `since` is
    inclusive, `until` exclusive.
    """

    session_id: str | None = None
    thread_id: str | None = None
    model: str | None = None
    provider: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def find(self, kind: EntryKind, *conditions: Condition) -> Find:
        """Say in header terms which entries of a kind are meant."""
        return Find(
            kinds=(kind.value,),
            session_id=self.session_id,
            thread_id=self.thread_id,
            where=equals(model=self.model, provider=self.provider)
            + created_between(self.since, self.until)
            + conditions,
        )


class Statistics:
    """Sums over the history; each takes the fields of `Scope`."""

    def __init__(self, store: HistoryStore) -> None:
        """Count in `store`."""
        self._store = store

    async def token_statistics(
        self,
        *,
        session_id: str | None = None,
        thread_id: str | None = None,
        model: str | None = None,
        provider: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> TokenStatistics:
        """Return the sums of token usage."""
        scope = Scope(session_id, thread_id, model, provider, since, until)
        [tally] = await self._store.tally(scope.find(EntryKind.TOKEN_USAGE), _TOKENS)
        return _token_statistics(tally)

    async def token_statistics_by(
        self, *groups: Group, scope: Scope = Scope()
    ) -> dict[tuple[str | date | None, ...], TokenStatistics]:
        """Return the sums of token usage for each combination of `groups`, sorted.

        The keys have one part for each group: an id, a model, a provider, or a UTC date.
        """
        rows = await self._store.tally(
            scope.find(EntryKind.TOKEN_USAGE), _TOKENS, _group_fields(groups)
        )
        return {_group_key(groups, row): _token_statistics(row) for row in rows}

    async def cost_statistics(
        self,
        *,
        session_id: str | None = None,
        thread_id: str | None = None,
        model: str | None = None,
        provider: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> dict[str, CostStatistics]:
        """Return the sums of cost for each currency: amounts of two are never added."""
        scope = Scope(session_id, thread_id, model, provider, since, until)
        by_currency = await self.cost_statistics_by(scope=scope)
        return {found.currency: found for found in by_currency.values()}

    async def cost_statistics_by(
        self, *groups: Group, scope: Scope = Scope()
    ) -> dict[tuple[str | date | None, ...], CostStatistics]:
        """Return the sums of cost for each currency and each combination of `groups`.

        The first part of a key is the currency.
        """
        rows = await self._store.tally(
            scope.find(EntryKind.COST),
            _NANOS,
            ["labels.currency", *_group_fields(groups), "labels.model"],
        )
        merged: dict[tuple[str | date | None, ...], list[Tally]] = {}
        for row in rows:
            currency, *rest = row.group
            key = (str(currency), *_values(groups, rest[:-1]))
            merged.setdefault(key, []).append(row)
        return {key: _cost_statistics(str(key[0]), parts) for key, parts in merged.items()}

    async def llm_statistics(
        self,
        *,
        session_id: str | None = None,
        thread_id: str | None = None,
        model: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> LLMStatistics:
        """Return how many model calls there were, and how they ended."""
        scope = Scope(session_id, thread_id, model, None, since, until)
        asked = await self._store.tally(scope.find(EntryKind.LLM_REQUEST), (), ["labels.model"])
        answered = await self._store.tally(
            scope.find(EntryKind.LLM_RESPONSE), ["response_time"], ["labels.finish_reason"]
        )
        return LLMStatistics(
            requests=sum(row.count for row in asked),
            responses=sum(row.count for row in answered),
            errors=sum(row.count for row in answered if row.group == ("error",)),
            models=tuple(str(row.group[0]) for row in asked),
            response_time=float(sum(row.sums[0] for row in answered)),
        )


def _token_statistics(tally: Tally) -> TokenStatistics:
    prompt, completion, total = (int(value) for value in tally.sums)
    return TokenStatistics(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        record_count=tally.count,
    )


def _cost_statistics(currency: str, parts: Sequence[Tally]) -> CostStatistics:
    prompt, completion, total = (sum(int(part.sums[i]) for part in parts) for i in range(3))
    return CostStatistics(
        currency=currency,
        prompt_cost=Money(prompt, currency),
        completion_cost=Money(completion, currency),
        total_cost=Money(total, currency),
        record_count=sum(part.count for part in parts),
        models=tuple(sorted({str(part.group[-1]) for part in parts})),
    )


def _group_fields(groups: Sequence[str]) -> list[str]:
    for group in groups:
        if group not in _FIELD:
            message = f"cannot group by {group!r}; use {', '.join(_FIELD)}"
            raise Invalid(message, code="unknown_field", field="groups")
    return [_FIELD[group] for group in groups]


def _group_key(groups: Sequence[str], row: Tally) -> tuple[str | date | None, ...]:
    return _values(groups, row.group)


def _values(groups: Sequence[str], values: Sequence[Label | None]) -> tuple[str | date | None, ...]:
    return tuple(
        (EPOCH + timedelta(days=value)).date()
        if group == "day" and isinstance(value, int)
        else (None if value is None else str(value))
        for group, value in zip(groups, values, strict=True)
    )
