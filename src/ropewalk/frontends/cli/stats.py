"""`ropewalk stats`: how much there is, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from ...domain.history import LLMStatistics
from ...services.statistics import Group
from .command import Example, Invocation, command
from .figures import UNKNOWN, cost_text, token_text
from .opening import opened, run
from .output import Column, Output
from .payload import Json, entity
from .text import size
from .trees import show_trees
from .usage import Key, Usage, show_usage, usage_by, usage_payload

if TYPE_CHECKING:
    from ...services.storage import Storage

_DEMO: Final = "-u sqlite:///ropewalk-demo.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Everything about a space in figures."""

    kinds: Mapping[str, int]
    checkpoint_bytes: int
    usage: Usage
    calls: LLMStatistics


@command(
    examples=[
        Example(f"ropewalk stats {_DEMO}", "records, tokens, cost and calls"),
        Example(f"ropewalk stats --by model {_DEMO}", "which model cost what"),
        Example(f"ropewalk stats --by day --json {_DEMO}", "tokens and cost of each day"),
        Example(f"ropewalk stats --trees {_DEMO}", "what states take, and what they share"),
    ]
)
@click.option(
    "--by",
    type=click.Choice(["session", "thread", "model", "day"]),
    help="Break tokens and cost down.",
)
@click.option("--trees", is_flag=True, help="What states take, and what they share.")
@click.pass_obj
def stats(invocation: Invocation, by: Group | None, *, trees: bool) -> None:
    """Count records, tokens, cost and model calls.

    Sums are made by the store, without opening a record. A cost that nobody noted is unknown, not
    zero; amounts of two currencies are never added. Days are days in UTC. With --trees every node
    of every state is read once.
    """
    if trees and by is not None:
        message = "ask for --trees or for --by, not both"
        raise click.UsageError(message)
    run(show_trees(invocation) if trees else _stats(invocation, by))


async def _stats(invocation: Invocation, by: Group | None) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        totals = await _totals(storage)
        groups = None if by is None else await usage_by(storage, by)
    if output.json:
        output.emit(_payload(totals, by, groups))
    elif by is None or groups is None:
        _show_totals(output, totals)
    else:
        show_usage(output, by, groups)


async def _totals(storage: Storage) -> Totals:
    costs = await storage.history.cost_statistics()
    return Totals(
        kinds=await storage.kinds(),
        checkpoint_bytes=await storage.catalog.checkpoint_bytes(),
        usage=Usage(await storage.history.token_statistics(), tuple(costs.values())),
        calls=await storage.history.llm_statistics(),
    )


def _payload(totals: Totals, by: str | None, groups: Mapping[Key, Usage] | None) -> Json:
    payload: dict[str, Json] = {
        "records": dict(totals.kinds),
        "checkpoint_bytes": totals.checkpoint_bytes,
        **usage_payload(totals.usage),
        "llm": entity(totals.calls),
    }
    if by is not None and groups is not None:
        payload["by"] = by
        payload["groups"] = [{by: key, **usage_payload(each)} for key, each in groups.items()]
    return payload


def _show_totals(output: Output, totals: Totals) -> None:
    output.table(
        [Column("kind", style="cyan"), Column("records", right=True)],
        [(kind, output.number(count)) for kind, count in totals.kinds.items()],
    )
    tokens, calls = totals.usage.tokens, totals.calls
    output.line()
    rows = [
        ("states of checkpoints", size(totals.checkpoint_bytes)),
        ("tokens", token_text(output, tokens)),
        ("  read", output.number(tokens.prompt_tokens)),
        ("  written", output.number(tokens.completion_tokens)),
        ("cost", cost_text(totals.usage.costs)),
        ("model calls", output.number(calls.requests)),
        ("  answered", output.number(calls.responses)),
        ("  failed", output.number(calls.errors)),
        ("models", ", ".join(calls.models) or UNKNOWN),
    ]
    output.table([Column("what", style="cyan"), Column("amount", right=True, flexible=True)], rows)
