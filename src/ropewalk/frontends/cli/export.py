"""`ropewalk export`: write a store, or a part of it, into a file that can be read without it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...domain.archive import Scope
from .command import Example, Invocation, command
from .exits import Exit
from .migrate_report import Teller
from .opening import opened, run
from .output import Column, Output
from .refs import Refs
from .text import clean

if TYPE_CHECKING:
    from ...domain.archive import ExportReport
    from ...services.storage import Storage

_DEMO = "-u sqlite:///ropewalk-demo.db"


@command(
    examples=[
        Example(f"ropewalk export all.jsonl.zst {_DEMO}", "everything of the space"),
        Example(f"ropewalk export rome.jsonl --thread rome {_DEMO}", "a thread, uncompressed"),
    ],
    exits=(
        *(Exit.DONE, Exit.USAGE, Exit.PARTLY, Exit.NOT_FOUND, Exit.DAMAGED),
        *(Exit.DENIED, Exit.NO_STORE, Exit.UNREACHABLE),
    ),
)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--session", metavar="REF", help="Only a session, and all that belongs to it.")
@click.option("--thread", metavar="REF", help="Only a thread, and what it continues.")
@click.option("--user", metavar="ID", help="Only what belongs to a person.")
@click.option("--all-spaces", is_flag=True, help="Every space of the store.")
@click.option("--sealed", is_flag=True, help="Leave the bodies as they are stored.")
@click.pass_obj
def export(
    invocation: Invocation,
    file: Path,
    *,
    session: str | None,
    thread: str | None,
    user: str | None,
    all_spaces: bool,
    sealed: bool,
) -> int:
    """Write a store, or a part of it, into a file.

    FILE is JSON, one record a line, and can be read without Ropewalk; where its name ends with
    .zst, it is compressed. `ropewalk import FILE` gives the same store back. With --sealed, only
    the headers can be read.
    """
    wanted = {"session": session, "thread": thread, "user": user}
    given = [name for name, value in wanted.items() if value]
    if len(given) > 1:
        message = f"--{given[0]} and --{given[1]} exclude each other"
        raise click.UsageError(message)
    return run(_export(invocation, file, wanted, all_spaces=all_spaces, sealed=sealed))


async def _export(
    invocation: Invocation,
    file: Path,
    wanted: dict[str, str | None],
    *,
    all_spaces: bool,
    sealed: bool,
) -> Exit:
    output = Output(invocation)
    teller = Teller(silent=output.json)
    async with opened(invocation) as storage:
        scope = await _scope(storage, wanted)
        spaces = tuple(sorted(await storage.spaces.counts())) if all_spaces else ()
        report = await storage.archives.export(
            file, scope, spaces=spaces, sealed=sealed, progress=teller.show
        )
    teller.end()
    _tell(output, report)
    return Exit.PARTLY if report.unopened or report.commits else Exit.DONE


async def _scope(storage: Storage, wanted: dict[str, str | None]) -> Scope:
    refs = Refs(storage)
    session, thread = wanted["session"], wanted["thread"]
    return Scope(
        session_id=(await refs.find(session, kinds=("session",))).id if session else None,
        thread_id=(await refs.find(thread, kinds=("thread",))).id if thread else None,
        user_id=wanted["user"],
    )


def _tell(output: Output, report: ExportReport) -> None:
    if output.json:
        output.emit(
            {
                "file": report.path,
                "spaces": list(report.spaces),
                "counts": dict(report.counts),
                "content": report.content,
                "unopened": report.unopened,
                "commits_meanwhile": report.commits,
                "left_out": list(report.left_out),
            }
        )
        return
    output.table(
        [Column("kind", style="cyan"), Column("records", right=True)],
        [(kind, output.number(count)) for kind, count in report.counts.items()],
    )
    output.line()
    output.line(f"{output.number(sum(report.counts.values()))} records: {clean(report.path)}")
    output.line(f"content: {report.content}")
    for reason in report.left_out:
        output.say(f"not in it: {clean(reason)}")
    if report.unopened:
        output.say(f"{report.unopened} bodies could not be opened and are in it as they are stored")
    if report.commits:
        output.say(f"{report.commits} commits were made meanwhile: parts may be of two moments")
