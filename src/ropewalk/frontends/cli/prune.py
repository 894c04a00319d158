"""`ropewalk prune`: remove old checkpoints, and say beforehand which and why not the others."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import click

from ...domain.checkpoint import CleanupPolicy
from .command import Example, Invocation, command
from .exits import Exit
from .opening import opened, run
from .output import Column, Output
from .refs import Refs
from .span import span
from .text import clean, size

if TYPE_CHECKING:
    from ...domain.checkpoint import CleanupReport

_DEMO: Final = "-u sqlite:///ropewalk-demo.db"


@command(
    examples=[
        Example(
            f"ropewalk prune rome --keep-last 2 {_DEMO}", "what would go, and why not the rest"
        ),
        Example(f"ropewalk prune --keep-for 7d --keep-last 1 --apply {_DEMO}", "of every thread"),
        Example(f"ropewalk prune rome --keep-tagged --json {_DEMO}", "for programs"),
    ],
    exits=(Exit.DONE, Exit.USAGE, Exit.NOT_FOUND, Exit.CONFLICT, Exit.NO_STORE),
)
@click.argument("thread", required=False)
@click.option("--keep-last", type=click.IntRange(min=1), metavar="N", help="The newest N.")
@click.option("--keep-for", metavar="SPAN", help="What is younger: 30min, 6h, 7d, 2w.")
@click.option("--keep-tagged", is_flag=True, help="No more than what always stays.")
@click.option(
    "--keep-where",
    multiple=True,
    metavar="NAME=TEXT",
    help="Whose metadata has this text; may be given again.",
)
@click.option("--apply", is_flag=True, help="Do it; without this, nothing is removed.")
@click.pass_obj
def prune(
    invocation: Invocation,
    thread: str | None,
    *,
    keep_last: int | None,
    keep_for: str | None,
    keep_tagged: bool,
    keep_where: tuple[str, ...],
    apply: bool,
) -> None:
    """Remove checkpoints that no rule keeps, after a dry run.

    Of one thread, or of all. Always kept are the newest, what is tagged or pinned, what a fork or
    a snapshot begins at, and what a kept one needs. Nothing is removed without --apply. The space
    comes back with: ropewalk gc.
    """
    where = {name: value for name, _, value in (part.partition("=") for part in keep_where)}
    policy = CleanupPolicy(
        keep_last=keep_last,
        keep_for=None if keep_for is None else span(keep_for),
        keep_tagged=keep_tagged,
        keep_where=where,
    )
    run(_prune(invocation, thread, policy, apply=apply))


async def _prune(
    invocation: Invocation, thread: str | None, policy: CleanupPolicy, *, apply: bool
) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        thread_id = None
        if thread is not None:
            thread_id = (await Refs(storage).find(thread, kinds=("thread",))).id
        report = await storage.checkpoints.prune(thread_id, policy, dry_run=not apply)
    if output.json:
        output.emit(
            {
                "thread_id": thread_id,
                "applied": apply,
                "removed": list(report.removed),
                "kept": dict(report.kept),
                "writes": report.writes,
                "nodes": report.nodes,
                "freed_bytes": report.freed_bytes,
            }
        )
        return
    _show(output, report)


def _show(output: Output, report: CleanupReport) -> None:
    output.table(
        [Column("checkpoint", style="cyan"), Column("stays because", flexible=True)],
        list(report.kept.items()),
    )
    output.line()
    verb = "would go" if report.dry_run else "removed"
    what = f"{output.number(len(report.removed))} checkpoints"
    if report.writes:
        what += f" with {output.number(report.writes)} pending writes"
    output.line(
        f"{what} {verb}, {len(report.kept)} stay; "
        f"{size(report.freed_bytes)} come back with: ropewalk gc"
    )
    if output.on_terminal:
        for reason, count in Counter(report.kept.values()).most_common():
            output.line(f"  {count} {clean(reason)}")
    if report.dry_run and report.removed:
        output.say("nothing was removed: do it with --apply")
