"""Tokens and cost, broken down by session, thread, model or day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from ...domain.history import CostStatistics, TokenStatistics
from ...services.statistics import Group
from .figures import UNKNOWN, cost_payload, cost_text
from .output import Column, Output
from .payload import Json, entity

if TYPE_CHECKING:
    from ...services.storage import Storage

_BAR: Final = 20

Key: TypeAlias = str | None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and cost of one group."""

    tokens: TokenStatistics
    costs: tuple[CostStatistics, ...]


async def usage_by(storage: Storage, by: Group) -> dict[Key, Usage]:
    """Return tokens and cost for each group, the most tokens first; days in their order."""
    tokens = await storage.history.token_statistics_by(by)
    costs = await storage.history.cost_statistics_by(by)
    none = TokenStatistics(prompt_tokens=0, completion_tokens=0, total_tokens=0, record_count=0)
    keys = dict.fromkeys([*(key[0] for key in tokens), *(key[1] for key in costs)])
    groups = {
        None if key is None else str(key): Usage(
            tokens.get((key,), none),
            tuple(cost for group, cost in costs.items() if group[1] == key),
        )
        for key in keys
    }
    if by == "day":
        return dict(sorted(groups.items(), key=lambda item: item[0] or ""))
    return dict(sorted(groups.items(), key=lambda item: -item[1].tokens.total_tokens))


def usage_payload(usage: Usage) -> dict[str, Json]:
    """Return tokens and cost for programs."""
    return {"tokens": entity(usage.tokens), "cost": cast("Json", cost_payload(usage.costs))}


def show_usage(output: Output, by: str, groups: Mapping[Key, Usage]) -> None:
    """Write tokens and cost by group; on a terminal with a bar for the share of tokens."""
    most = max((usage.tokens.total_tokens for usage in groups.values()), default=0)
    columns = [
        Column(by, style="cyan"),
        Column("calls", right=True),
        Column("prompt", right=True),
        Column("completion", right=True),
        Column("total", right=True),
        Column("cost", right=True),
    ]
    rows: list[Sequence[str]] = []
    for key, usage in groups.items():
        tokens = usage.tokens
        row = (
            UNKNOWN if key is None else key,
            output.number(tokens.record_count),
            output.number(tokens.prompt_tokens),
            output.number(tokens.completion_tokens),
            output.number(tokens.total_tokens),
            cost_text(usage.costs),
        )
        share = round(_BAR * tokens.total_tokens / most) if most else 0
        rows.append((*row, "#" * share) if output.on_terminal else row)
    output.table([*columns, Column("share")] if output.on_terminal else columns, rows)
    if not groups:
        output.say("no tokens and no cost were noted")
