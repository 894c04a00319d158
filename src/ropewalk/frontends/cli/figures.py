"""What work amounts to: turns, forks, tokens and cost of a session or a thread, for lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from ...domain.history import CostStatistics, TokenStatistics

if TYPE_CHECKING:
    from ...services.storage import Storage
    from .output import Output
    from .payload import Json

UNKNOWN: Final = "-"
"""Shown where nothing is known: no cost was noted, which is not a cost of zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Sums over a session, or over a thread's own entries: what a fork inherits was paid once."""

    turns: int
    forks: int
    tokens: TokenStatistics
    costs: tuple[CostStatistics, ...]
    worked_at: datetime | None

    @property
    def payload(self) -> dict[str, Json]:
        """The figures for programs."""
        from .text import stamp

        return {
            "turns": self.turns,
            "forks": self.forks,
            "total_tokens": self.tokens.total_tokens,
            "cost": cost_payload(self.costs),
            "last_work_at": None if self.worked_at is None else stamp(self.worked_at),
        }


async def session_figures(storage: Storage, id: str) -> Figures:
    """Add up a session with everything in it."""
    return Figures(
        turns=await storage.catalog.turns(session_id=id),
        forks=await storage.catalog.forks(session_id=id),
        tokens=await storage.history.token_statistics(session_id=id),
        costs=tuple((await storage.history.cost_statistics(session_id=id)).values()),
        worked_at=await storage.catalog.last_work(session_id=id),
    )


async def thread_figures(storage: Storage, id: str) -> Figures:
    """Add up a thread, without what it was forked from."""
    return Figures(
        turns=await storage.catalog.turns(thread_id=id),
        forks=await storage.catalog.forks(thread_id=id),
        tokens=await storage.history.token_statistics(thread_id=id),
        costs=tuple((await storage.history.cost_statistics(thread_id=id)).values()),
        worked_at=await storage.catalog.last_work(thread_id=id),
    )


def cost_payload(costs: Iterable[CostStatistics]) -> dict[str, Json]:
    """Return amounts by currency, as exact decimal texts."""
    return {cost.currency: f"{cost.total_cost.amount:f}" for cost in costs}


def cost_text(costs: Iterable[CostStatistics]) -> str:
    """Write the amounts of all currencies; they are never added to one another."""
    return ", ".join(str(cost.total_cost) for cost in costs) or UNKNOWN


def token_text(output: Output, tokens: TokenStatistics) -> str:
    """Write a sum of tokens; where none was noted it is unknown."""
    return output.number(tokens.total_tokens) if tokens.record_count else UNKNOWN
