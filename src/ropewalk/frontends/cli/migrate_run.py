"""`ropewalk migrate run`: rehearse a plan, or carry it out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .command import Example, Invocation, command
from .exits import Exit
from .importing import EXITS
from .migrate_ends import is_there, scratch, source_of, target_of
from .migrate_file import read_plan
from .migrate_report import Rejects, Teller, markdown, payload, save
from .opening import run
from .output import Output

if TYPE_CHECKING:
    from ...domain.migration import Plan, RunReport
    from ...services.migration.manager import Migrations


@command(
    examples=[
        Example("ropewalk migrate run move.toml", "rehearse: nothing is written to the target"),
        Example("ropewalk migrate run move.toml --apply", "do it, or go on with it"),
        Example("ropewalk migrate run move.toml --apply --since last", "only what is new"),
    ],
    exits=(*EXITS, Exit.CONFLICT),
)
@click.argument("file", metavar="PLAN", type=click.Path(path_type=Path))
@click.option("--apply", is_flag=True, help="Write into the target; without it, only rehearse.")
@click.option(
    "--since",
    type=click.Choice(["last"]),
    help="Bring only what is new or changed in the source since the last run.",
)
@click.option("--batch", type=int, metavar="N", help="Items of one batch, instead of the plan's.")
@click.option("--allow-loss", multiple=True, metavar="CODE", help="What else may stay behind.")
@click.option(
    "--rejects",
    type=click.Path(path_type=Path),
    help="Where to write what is not brought (PLAN with .rejects.jsonl).",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    help="Write the report to this file: .json, or else Markdown.",
)
@click.pass_obj
def migrate(  # noqa: PLR0917 (arguments come by name)
    invocation: Invocation,
    file: Path,
    apply: bool,  # noqa: FBT001 (as above)
    since: str | None,
    batch: int | None,
    allow_loss: Sequence[str],
    rejects: Path | None,
    report: Path | None,
) -> int:
    """Rehearse a plan, or carry it out with --apply.

    A rehearsal looks at the target, and writes into a store that is thrown away.

    May be broken off at any point: the same command goes on where it stopped. What was brought
    and has not changed stays as it is, so a second run changes nothing. What cannot be read or
    kept goes into the rejects, one line of JSON for each, with its place, the reason and the item.
    """
    plan = read_plan(file)
    plan = replace(
        plan,
        batch=plan.batch if batch is None else batch,
        allow_loss=(*plan.allow_loss, *allow_loss),
    )
    rejected = Rejects(rejects or file.with_suffix(".rejects.jsonl"))
    return run(
        _migrate(invocation, plan, rejected, report, apply=apply, since_last=since is not None)
    )


async def _migrate(
    invocation: Invocation,
    plan: Plan,
    rejected: Rejects,
    file: Path | None,
    *,
    apply: bool,
    since_last: bool,
) -> Exit:
    output = Output(invocation)
    teller = Teller(silent=output.json)
    try:
        async with source_of(plan) as source:
            if apply:
                async with target_of(invocation, plan, make=True) as storage:
                    report = await storage.migrations.run(
                        source,
                        plan,
                        since_last=since_last,
                        progress=teller.show,
                        rejected=rejected.add,
                    )
            else:
                async with scratch() as spare, _shown(invocation, plan) as target:
                    report = await spare.migrations.rehearse(
                        source,
                        plan,
                        target=target,
                        since_last=since_last,
                        progress=teller.show,
                        rejected=rejected.add,
                    )
    finally:
        teller.end()
        rejected.close()
    tell(output, report, rejected, file)
    return Exit.DONE if report.is_complete else Exit.PARTLY


@asynccontextmanager
async def _shown(invocation: Invocation, plan: Plan) -> AsyncGenerator[Migrations | None, None]:
    """Open the target that a rehearsal looks at, if there is one."""
    if not is_there(invocation, plan):
        yield None
        return
    async with target_of(invocation, plan) as storage:
        yield storage.migrations


def tell(output: Output, report: RunReport, rejected: Rejects, file: Path | None) -> None:
    """Write the report to stdout, and to a file if one is named."""
    if file is not None:
        save(file, report)
    if output.json:
        told = payload(report)
        told["rejects"] = str(rejected.path) if rejected.count else None
        output.emit(told)
        return
    for line in markdown(report):
        output.line(line)
    if rejected.count:
        lines = f"{output.number(rejected.count)} line{'' if rejected.count == 1 else 's'}"
        output.line(f"what was not written, each with its reason: {rejected.path} ({lines})")
