"""`ropewalk migrate rollback`: take back what a run wrote."""

from __future__ import annotations

from typing import Final

import click

from ...domain.migration import RunStatus
from .command import Example, Invocation, command
from .exits import Exit
from .importing import EXITS
from .migrate_ends import meant
from .opening import run
from .output import Output

_STANDING: Final = frozenset({RunStatus.DONE, RunStatus.PARTLY})


@command(
    examples=[
        Example("ropewalk migrate rollback last -u sqlite:///agent.db", "the newest run"),
        Example("ropewalk migrate rollback move.toml", "the newest run of a plan"),
    ],
    exits=(*EXITS, Exit.CONFLICT),
)
@click.argument("which", metavar="RUN|PLAN")
@click.option("--force", is_flag=True, help="Take back what was changed since as well.")
@click.pass_obj
def rollback(invocation: Invocation, which: str, *, force: bool) -> None:
    """Take back what a run wrote.

    What it wrote is gone then, and what it replaced is back byte for byte. Where somebody changed
    some of it since, that is named, and nothing is taken back, unless --force says that these
    changes may be lost. May be broken off, and called again.
    """
    run(_rollback(invocation, which, force=force))


async def _rollback(invocation: Invocation, which: str, *, force: bool) -> None:
    output = Output(invocation)
    async with meant(invocation, which) as (storage, _, run_id):
        undone = await storage.migrations.rollback(run_id, force=force)
        earlier = None
        if not (undone.removed or undone.restored):
            runs = await storage.migrations.runs()
            earlier = next((r for r in runs if r.changes and r.status in _STANDING), None)
    if output.json:
        output.emit(
            {
                "run": undone.run,
                "removed": undone.removed,
                "restored": undone.restored,
                "nodes": undone.nodes,
                "changed": list(undone.changed),
            }
        )
        return
    output.line(
        f"run {undone.run}: {output.number(undone.removed)} records removed, "
        f"{output.number(undone.restored)} put back, {output.number(undone.nodes)} nodes removed"
    )
    if earlier is not None:
        output.line(f"it had changed nothing; the newest run that did is {earlier.run}")
