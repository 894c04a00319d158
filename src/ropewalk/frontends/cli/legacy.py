"""`ropewalk import legacy`: the folder of the program that kept sessions in JSON files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...domain.migration import EVERYTHING, OnConflict, Plan
from .command import Example, Invocation, command
from .exits import Exit
from .importing import EXITS
from .migrate_ends import LEGACY, ZONE, name_of, scratch, source_of
from .migrate_report import Teller
from .opening import entered, run, settings
from .output import Column, Output
from .text import clean

if TYPE_CHECKING:
    from ...domain.migration import RunReport
    from .payload import Json


@command(
    examples=[
        Example(
            "ropewalk import legacy old sqlite:///agent.db --tz +08:00",
            "bring the folder old into agent.db, which is made if it is not there",
        ),
        Example(
            "ropewalk import legacy old --tz Asia/Shanghai --dry-run --json",
            "read everything and write nothing",
        ),
    ],
    exits=EXITS,
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("store", metavar="[STORE]", required=False)
@click.option(
    "--tz",
    required=True,
    metavar="ZONE",
    help="The zone of the machine that wrote DIR: +08:00, or Asia/Shanghai.",
)
@click.option("--dry-run", is_flag=True, help="Read everything, write nothing, and report.")
@click.pass_obj
def legacy(
    invocation: Invocation, folder: Path, store: str | None, *, tz: str, dry_run: bool
) -> int:
    """Bring sessions, threads, history and checkpoints out of JSON files.

    DIR is the working directory of the legacy program. STORE is the URL of the store to bring it
    into; without it, the one of --url or of the configuration.

    The legacy program wrote its times without a zone, and nothing in its files says which it was:
    hence --tz. Ids, times and links are kept. What cannot be read is reported with its file and
    line, and does not stop the rest: then the exit code is 3. `ropewalk migrate` does the same by a
    plan, with a comparison and a way back.
    """
    plan = Plan(
        name=name_of(str(folder)),
        format=LEGACY,
        place=str(folder),
        options={ZONE: tz},
        on_conflict=OnConflict.SKIP,
        allow_loss=(EVERYTHING,),
    )
    return run(_legacy(invocation, plan, store, dry_run=dry_run))


async def _legacy(invocation: Invocation, plan: Plan, store: str | None, *, dry_run: bool) -> Exit:
    output = Output(invocation)
    teller = Teller(silent=output.json)
    async with source_of(plan) as source:
        if dry_run:
            async with scratch() as storage:
                report = await storage.migrations.rehearse(source, plan, progress=teller.show)
        else:
            async with entered(settings(invocation, url=store)) as storage:
                report = await storage.migrations.run(source, plan, progress=teller.show)
    teller.end()
    if output.json:
        output.emit(_payload(report, dry_run=dry_run))
    else:
        _show(output, report, dry_run=dry_run)
    return Exit.PARTLY if report.problems else Exit.DONE


def _present(report: RunReport) -> dict[str, int]:
    """Return what was there before, whatever stands there."""
    kinds = dict.fromkeys([*report.present, *report.kept])
    return {kind: report.present.get(kind, 0) + report.kept.get(kind, 0) for kind in kinds}


def _payload(report: RunReport, *, dry_run: bool) -> Json:
    notes: dict[str, Json] = {
        note.code: {
            "count": note.count,
            "first": [
                {"place": place, "reason": reason}
                for place, reason in zip(note.places, note.reasons, strict=True)
            ],
        }
        for note in report.notes
    }
    return {
        "complete": not report.problems,
        "dry_run": dry_run,
        "run": None if dry_run else report.run,
        "brought": {kind: n + report.replaced.get(kind, 0) for kind, n in report.brought.items()},
        "present": _present(report),
        "refused": dict(report.refused),
        "notes": notes,
        "skipped": [
            {"format": loss.code, "items": loss.count, "reason": loss.reason}
            for loss in report.losses
            if loss.is_format
        ],
        "problems": [
            {
                "code": problem.code,
                "place": problem.place,
                "reason": problem.reason,
                "excerpt": problem.excerpt,
            }
            for problem in report.problems
        ],
    }


def _show(output: Output, report: RunReport, *, dry_run: bool) -> None:
    present = _present(report)
    kinds = dict.fromkeys([*report.brought, *report.replaced, *present, *report.refused])
    columns = [
        Column("kind", style="cyan"),
        Column("to bring" if dry_run else "brought", right=True),
    ]
    if not dry_run:
        columns += [Column("there before", right=True), Column("refused", right=True)]
    brought = {k: report.brought.get(k, 0) + report.replaced.get(k, 0) for k in kinds}
    counts = (brought, present, report.refused)
    rows = [(kind, *(str(count.get(kind, 0)) for count in counts)) for kind in kinds]
    output.table(columns, [row[: len(columns)] for row in rows])
    _show_rest(output, report)
    output.line()
    done = "would be brought" if dry_run else "brought"
    count = sum(loss.count for loss in report.losses if not loss.is_format)
    ending = "complete" if not count else f"{count} problem{'s' if count > 1 else ''}"
    output.line(f"{sum(brought.values())} {done}, {sum(present.values())} there before: {ending}")


def _show_rest(output: Output, report: RunReport) -> None:
    if report.notes:
        output.heading("to know")
        for note in report.notes:
            output.line(f"{note.count} x {clean(note.code)}, for example:")
            for place, reason in zip(note.places, note.reasons, strict=True):
                output.line(f"  {clean(place)}: {clean(reason)}")
    formats = [loss for loss in report.losses if loss.is_format]
    if formats:
        output.heading("left out")
        for loss in formats:
            output.line(f"{loss.count} x {clean(loss.code)}: {clean(loss.reason)}")
    if report.problems:
        output.heading("problems")
        for problem in report.problems:
            output.line(f"{clean(problem.place)}: {clean(problem.reason)} [{clean(problem.code)}]")
            if problem.excerpt:
                output.line(f"  {clean(problem.excerpt)}")
