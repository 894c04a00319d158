"""`ropewalk copy`: one store into another one, record by record, and a comparison of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ...domain.migration import OnConflict, Plan
from ...domain.record import DEFAULT_SPACE
from .command import Example, Invocation, command
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
@click.pass_obj
def copy(
    invocation: Invocation,
    place: str,
    target: str,
    *,
    from_space: str,
    to_space: str | None,
    on_conflict: str,
) -> int:
    """Copy a store into another one, and compare them.

    One space of it. SOURCE and TARGET are URLs; TARGET is made if it is not there. Bodies stay
    sealed as they are, versions and times stay. May be broken off and run again, and brings only
    what is new then; `ropewalk migrate rollback` takes it back. The last line has the sum over all
    records of the target: copies within one space's name have the sum of what they are copies of.
    """
    plan = Plan(
        name=name_of(f"{place}#{from_space}"),
        format=STORE,
        place=place,
        options={SPACE: from_space},
        url=target,
        space=to_space or from_space,
        on_conflict=OnConflict(on_conflict),
    )
    return run(_copy(invocation, plan))


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
