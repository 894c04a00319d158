"""`ropewalk import archive`: bring an archive into a store, as a migration that can be undone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...domain.migration import OnConflict, Plan
from .command import Example, Invocation, command
from .exits import Exit
from .importing import EXITS
from .migrate_ends import ARCHIVE, name_of, scratch
from .migrate_report import Teller, markdown, payload
from .opening import entered, run, settings
from .output import Output

if TYPE_CHECKING:
    from ...domain.migration import RunReport
    from ...services.storage import Storage
    from .payload import Json


@command(
    examples=[
        Example(
            "ropewalk import archive all.jsonl.zst sqlite:///copy.db",
            "make copy.db what was exported; the word archive may be left out",
        ),
        Example(
            "ropewalk import archive all.jsonl.zst sqlite:///copy.db --dry-run",
            "read all of it and check it, and write nothing",
        ),
    ],
    exits=(*EXITS, Exit.CONFLICT),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("store", metavar="[STORE]", required=False)
@click.option("--from-space", metavar="NAME", help="Only this one, of an archive of several.")
@click.option(
    "--on-conflict",
    type=click.Choice([each.value for each in OnConflict]),
    default=OnConflict.FAIL.value,
    show_default=True,
    help="Where a record is in the store already with other content.",
)
@click.option(
    "--allow-loss", multiple=True, metavar="CODE", help="What may stay behind; * for all."
)
@click.option("--dry-run", is_flag=True, help="Read and check everything, write nothing.")
@click.pass_obj
def archive(
    invocation: Invocation,
    file: Path,
    store: str | None,
    *,
    from_space: str | None,
    on_conflict: str,
    allow_loss: tuple[str, ...],
    dry_run: bool,
) -> int:
    """Bring an archive into a store.

    FILE is what `ropewalk export` wrote. STORE is made if it is not there; without it, the one of
    --url is meant. Records keep their ids, versions and times, so that exporting again gives the
    same content; each goes into the space that it came from, or into that of --space. Damage is
    told, and stops the import before anything is written. What is in the store already is left
    in peace, an import that was broken off goes on, and `ropewalk migrate rollback` takes it back.
    """
    plan = Plan(
        name=name_of(str(file)),
        format=ARCHIVE,
        place=str(file.resolve()),
        on_conflict=OnConflict(on_conflict),
        allow_loss=allow_loss,
    )
    return run(_import(invocation, plan, store, from_space, dry_run=dry_run))


async def _import(
    invocation: Invocation, plan: Plan, store: str | None, from_space: str | None, *, dry_run: bool
) -> Exit:
    output = Output(invocation)
    reports: list[tuple[RunReport, str]] = []
    if dry_run:
        async with scratch() as storage:
            reports += await _bring(output, storage, plan, from_space, invocation.space)
    else:
        config = settings(invocation, url=store)
        async with entered(config) as storage:
            told = replace(plan, url=config.url or "")
            reports += await _bring(output, storage, told, from_space, invocation.space)
    _tell(output, reports, dry_run=dry_run)
    return Exit.DONE if all(report.is_complete for report, _ in reports) else Exit.PARTLY


async def _bring(
    output: Output, storage: Storage, plan: Plan, from_space: str | None, into: str | None
) -> list[tuple[RunReport, str]]:
    """Bring each space that is meant; return the reports and the sums over what is there then."""
    teller = Teller(silent=output.json)
    manifest = await storage.archives.source(plan.place).manifest()
    origins = (from_space,) if from_space else manifest.spaces
    if into and len(origins) > 1:
        message = f"the archive has {len(origins)} spaces: say which with --from-space"
        raise click.UsageError(message)
    reports: list[tuple[RunReport, str]] = []
    for origin in origins:
        handle = _at(storage, into or origin)
        source = handle.archives.source(plan.place, origin=origin)
        own = replace(plan, options={"space": origin}, space=handle.space_name)
        report = await handle.migrations.run(source, own, progress=teller.show)
        reports.append((report, await handle.migrations.content_hash()))
    teller.end()
    return reports


def _at(storage: Storage, space: str) -> Storage:
    return storage if space == storage.space_name else storage.space(space)


def _tell(output: Output, reports: list[tuple[RunReport, str]], *, dry_run: bool) -> None:
    if output.json:
        told: list[Json] = [
            {**payload(report), "content_hash": total, "space": report.plan.space}
            for report, total in reports
        ]
        output.emit({"dry_run": dry_run, "spaces": told})
        return
    for report, total in reports:
        if dry_run:
            output.line(f"{report.changes} records would be brought; nothing was written")
            continue
        for line in markdown(report):
            output.line(line)
        output.line(f"content of space {report.plan.space}: {total}")
