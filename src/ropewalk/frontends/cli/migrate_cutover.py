"""`ropewalk migrate cutover`: run until nothing is left, freeze the source, and compare."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import click

from ...domain.errors import Invalid, Unavailable
from .command import Example, Invocation, command
from .exits import Exit
from .importing import EXITS
from .migrate_ends import source_of, target_of
from .migrate_file import read_plan
from .migrate_report import Rejects, Teller, comparison, markdown, payload, save, verified
from .opening import run
from .output import Output


@command(
    examples=[
        Example("ropewalk migrate cutover move.toml --frozen", "the old program has stopped"),
    ],
    exits=(*EXITS, Exit.CONFLICT),
)
@click.argument("file", metavar="PLAN", type=click.Path(path_type=Path))
@click.option("--freeze", metavar="COMMAND", help="The command that stops the old program.")
@click.option("--frozen", is_flag=True, help="It has stopped already: do not ask.")
@click.option("--report", type=click.Path(path_type=Path), help="Write the last report to a file.")
@click.pass_obj
def cutover(
    invocation: Invocation, file: Path, *, freeze: str | None, frozen: bool, report: Path | None
) -> int:
    """Run until nothing is left, freeze the source, and compare everything.

    Runs follow one another until one finds nothing new; then whoever writes to the source has to
    stop. Exit code 0 says that everything is in the target, and as it was.
    """
    stop = _freezing(freeze, frozen=frozen)
    return run(_cutover(invocation, file, stop, report))


def _freezing(command: str | None, *, frozen: bool) -> Callable[[], Awaitable[None]]:
    """Return what makes sure that nobody writes to the source any more."""

    async def told() -> None:
        await asyncio.sleep(0)

    async def by_command() -> None:
        process = await asyncio.create_subprocess_exec(*shlex.split(command or ""))
        code = await process.wait()
        if code:
            message = f"{command!r} ended with {code}: the source is not frozen; run it again"
            raise Unavailable(message, code="not_frozen")

    async def by_asking() -> None:
        text = "Stop what writes to the source. Has it stopped?"
        if not await asyncio.to_thread(click.confirm, text, err=True):
            message = "the source is not frozen, so the cutover ends here; what was brought stays"
            raise Unavailable(message, code="not_frozen")

    if frozen:
        return told
    if command is not None:
        return by_command
    if not sys.stdin.isatty():
        message = "nobody can be asked here: say --frozen, or give the command with --freeze"
        raise Invalid(message, code="no_terminal", field="freeze")
    return by_asking


async def _cutover(
    invocation: Invocation, file: Path, freeze: Callable[[], Awaitable[None]], saved: Path | None
) -> Exit:
    output = Output(invocation)
    teller = Teller(silent=output.json)
    plan = read_plan(file)
    rejected = Rejects(file.with_suffix(".rejects.jsonl"))
    try:
        async with (
            source_of(plan) as source,
            target_of(invocation, plan, make=True) as storage,
        ):
            report = await storage.migrations.cutover(
                source, plan, freeze=freeze, progress=teller.show, rejected=rejected.add
            )
    finally:
        teller.end()
        rejected.close()
    if saved is not None:
        save(saved, report.runs[-1])
    if output.json:
        output.emit(
            {
                "complete": report.is_complete,
                "runs": [payload(each) for each in report.runs],
                "verified": verified(report.verified),
            }
        )
    else:
        for each in report.runs:
            for line in markdown(each):
                output.line(line)
            output.line()
        for line in comparison(report.verified):
            output.line(line)
    if not report.verified.is_sound:
        return Exit.DAMAGED
    return Exit.DONE if report.is_complete else Exit.PARTLY
