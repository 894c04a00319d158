"""`ropewalk migrate status`: the runs into a store, newest first, or one of them."""

from __future__ import annotations

import click

from .command import Example, Invocation, command
from .exits import Exit
from .migrate_ends import meant
from .migrate_report import markdown, payload
from .opening import opened, run
from .output import Column, Output
from .text import stamp


@command(
    examples=[
        Example("ropewalk migrate status -u sqlite:///agent.db", "all runs"),
        Example("ropewalk migrate status last -u sqlite:///agent.db", "the newest, in full"),
        Example("ropewalk migrate status move.toml", "the newest run of a plan"),
    ],
    exits=(Exit.DONE, Exit.USAGE, Exit.NOT_FOUND, Exit.NO_STORE),
)
@click.argument("which", metavar="[RUN|PLAN]", required=False)
@click.pass_obj
def status(invocation: Invocation, which: str | None) -> None:
    """List the runs into a store, or show one.

    The newest comes first. RUN is an id, the beginning of one, or `last`.
    """
    run(_list(invocation) if which is None else _show(invocation, which))


async def _show(invocation: Invocation, which: str) -> None:
    output = Output(invocation)
    async with meant(invocation, which) as (storage, _, run_id):
        report = await storage.migrations.get(run_id)
    if output.json:
        output.emit(payload(report))
        return
    for line in markdown(report):
        output.line(line)


async def _list(invocation: Invocation) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        runs = await storage.migrations.runs()
    if output.json:
        output.emit([payload(report) for report in runs])
        return
    output.table(
        [
            Column("run", style="cyan"),
            Column("plan"),
            Column("status"),
            Column("began"),
            Column("changes", right=True),
        ],
        [
            (
                report.run,
                report.plan.name,
                report.status.value,
                stamp(report.started_at),
                output.number(report.changes),
            )
            for report in runs
        ],
    )
