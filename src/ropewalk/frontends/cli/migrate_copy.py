"""`ropewalk copy`: one store into another one, record by record, and a comparison of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ...domain.migration import OnConflict, Plan
from ...domain.record import DEFAULT_SPACE
from .command import Example, Invocation, command
from .copy_following import following
from .exits import Exit
from .importing import EXITS
from .migrate_ends import SPACE, STORE, name_of, source_of, target_of
from .migrate_report import Teller, comparison, markdown, payload, verified
from .opening import run
from .output import Output

if TYPE_CHECKING:
    from ...domain.migration import RunReport, VerifyReport


@command(
    examples=[
        Example("ropewalk copy sqlite:///agent.db file:///agent", "a SQLite file into a folder"),
        Example(
            "ropewalk copy sqlite:///agent.db sqlite:///agent.db --to-space spare",
            "a space into another one of the same store",
        ),
        Example(
            "ropewalk copy sqlite:///agent.db sqlite:///spare.db --follow --for 0.2",
            "keep the copy as its source is; without --for, until ^C",
        ),
    ],
    exits=(*EXITS, Exit.CONFLICT, Exit.NO_STORE),
    on_store=False,
)
@click.argument("place", metavar="SOURCE")
@click.argument("target", metavar="TARGET")
@click.option("--from-space", default=DEFAULT_SPACE, show_default=True, help="What to copy.")
@click.option("--to-space", metavar="NAME", help="Where to, if not a space of the same name.")
@click.option(
    "--on-conflict",
    type=click.Choice([each.value for each in OnConflict]),
    default=OnConflict.FAIL.value,
    show_default=True,
    help="Where a record stands in the target with other content.",
)
@click.option("--follow", is_flag=True, help="Then apply each commit of SOURCE as it is made.")
@click.option(
    "--for", "seconds", type=click.FloatRange(min=0), metavar="SECONDS", help="Follow so long."
)
@click.pass_obj
def copy(
    invocation: Invocation,
    place: str,
    target: str,
    *,
    from_space: str,
    to_space: str | None,
    on_conflict: str,
    follow: bool,
    seconds: float | None,
) -> int:
    """Copy a store into another one, and compare them.

    One space of it. SOURCE and TARGET are URLs; TARGET is made if it is not there. Bodies stay
    sealed as they are, versions and times stay. May be broken off and run again, and brings only
    what is new then; `ropewalk migrate rollback` takes it back. The last line has the sum over all
    records of the target: copies within one space's name have the sum of what they are copies of.

    With --follow it goes on: each commit of SOURCE is applied to TARGET once, in which it is noted
    how far that is, so that it may be killed at any point; what is removed in SOURCE is removed in
    TARGET. It ends with ^C or SIGTERM. Nobody else should write to the space of TARGET meanwhile.
    """
    if seconds is not None and not follow:
        message = "--for says how long to --follow"
        raise click.UsageError(message)
    plan = Plan(
        name=name_of(f"{place}#{from_space}"),
        format=STORE,
        place=place,
        options={SPACE: from_space},
        url=target,
        space=to_space or from_space,
        on_conflict=OnConflict(on_conflict),
    )
    return run(following(invocation, plan, seconds) if follow else _copy(invocation, plan))


async def _copy(invocation: Invocation, plan: Plan) -> Exit:
    output = Output(invocation)
    teller = Teller(silent=output.json)
    async with (
        source_of(plan) as source,
        target_of(invocation, plan, make=True) as storage,
    ):
        report = await storage.migrations.run(source, plan, progress=teller.show)
        found = await storage.migrations.verify(source, plan, progress=teller.show)
        target_sum = await storage.migrations.content_hash()
    teller.end()
    _tell(output, report, found, target_sum)
    if not found.is_sound:
        return Exit.DAMAGED
    return Exit.DONE if report.is_complete else Exit.PARTLY


def _tell(output: Output, report: RunReport, found: VerifyReport, target_sum: str) -> None:
    if output.json:
        told = payload(report)
        told |= {"verified": verified(found), "content_hash": target_sum}
        output.emit(told)
        return
    for line in markdown(report):
        output.line(line)
    for line in comparison(found):
        output.line(line)
    output.line(f"content of the target: {target_sum}")
