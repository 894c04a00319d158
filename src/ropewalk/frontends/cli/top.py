"""`ropewalk top`: what is going on in a store, whichever processes are at work."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click

from .command import Example, Invocation, command
from .exits import Exit
from .opening import opened, run
from .output import Column, Output
from .payload import Json, entity
from .text import clean, size

if TYPE_CHECKING:
    from ...domain.overview import Overview

_DEMO: Final = "-u sqlite:///ropewalk-demo.db"
_COUNT_EVERY: Final = 10
"""Looks between two counts of all records, which take longer than the rest together."""

_SIZES: Final = ("file_bytes", "wal_bytes", "free_bytes")
_CLEAR: Final = "\x1b[H\x1b[2J"


@command(
    examples=[
        Example(f"ropewalk top --once {_DEMO}", "one look"),
        Example(f"ropewalk top --once --json {_DEMO}", "the same for programs"),
    ],
    exits=(Exit.DONE, Exit.USAGE, Exit.NOT_FOUND, Exit.NO_STORE, Exit.INTERRUPTED),
)
@click.option("--once", is_flag=True, help="Look once, and end.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=2.0,
    metavar="SECONDS",
    help="How long to wait between two looks; 2 if not given.",
)
@click.pass_obj
def top(invocation: Invocation, *, once: bool, interval: float) -> None:
    """Show what is going on in a store, again and again.

    Commits of the last minute, sizes, spaces, runs under way, leases, and how far consumers are
    behind: what the store itself knows, whichever processes work on it. How long their operations
    take only they know: storage.metrics() tells it in each. With --json each look is a line.
    """
    run(_top(invocation, once=once, interval=interval))


async def _top(invocation: Invocation, *, once: bool, interval: float) -> None:
    output = Output(invocation)
    look, spaces = 0, None
    before: Overview | None = None
    async with opened(invocation) as storage:
        while True:
            counted = None if look % _COUNT_EVERY == 0 else spaces
            now = await storage.overview(spaces=counted)
            spaces = now.spaces
            if output.json:
                output.line(json.dumps(_payload(now, before)))
            else:
                if output.on_terminal and not once:
                    output.line(_CLEAR)
                _show(output, now, before)
            if once:
                return
            look, before = look + 1, now
            await asyncio.sleep(interval)


def _rate(now: Overview, before: Overview | None) -> float:
    """Return the commits per second: since the last look, or in the window of the first one."""
    if before is None:
        return now.commits / now.window
    passed = (now.at - before.at).total_seconds()
    return max(now.seq - before.seq, 0) / passed if passed > 0 else 0.0


def _payload(now: Overview, before: Overview | None) -> Json:
    return {**entity(now), "commits_per_second": round(_rate(now, before), 3)}


def _show(output: Output, now: Overview, before: Overview | None) -> None:
    output.table(
        [Column("what", style="cyan"), Column("now", right=True, flexible=True)],
        list(_lines(output, now, before)),
    )
    if now.leases:
        output.heading("leases")
        for lease in now.leases:
            left = max((lease.until - now.at).total_seconds(), 0)
            output.line(f"{clean(lease.name)}  {clean(lease.owner)}  {left:.1f} s left")
    if now.consumers:
        output.heading("consumers")
        for each in now.consumers:
            output.line(f"{clean(each.name)}  {each.commits} commits behind")


def _lines(output: Output, now: Overview, before: Overview | None) -> Iterator[tuple[str, str]]:
    yield "health", str(now.health)
    yield "commits per second", f"{_rate(now, before):.1f}"
    more = " or more" if now.more else ""
    yield f"commits in {now.window} s", f"{output.number(now.commits)}{more}"
    yield f"changes in {now.window} s", f"{output.number(now.changes)}{more}"
    yield "newest commit", output.number(now.seq)
    for name in _SIZES:
        fact = now.facts.get(name)
        if isinstance(fact, int):
            yield name.removesuffix("_bytes").replace("free", "free disk"), size(fact)
    yield "spaces", output.number(len(now.spaces))
    yield "records", output.number(sum(now.spaces.values()))
    yield "runs under way", output.number(now.running)
    yield "leases held", output.number(len(now.leases))
