"""`ropewalk migrate plan`: write down what is to be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from ...domain.address import redacted
from ...domain.errors import Conflict
from ...domain.migration import Deletions, OnConflict, Plan
from ...domain.record import DEFAULT_SPACE
from .command import Example, Invocation, command
from .exits import Exit
from .importing import EXITS
from .migrate_ends import LANGGRAPH, format_of, name_of, options_of, source_of
from .migrate_file import write_plan
from .opening import run
from .output import Output


@command(
    examples=[
        Example(
            "ropewalk migrate plan old sqlite:///agent.db --tz +08:00 -o move.toml",
            "from the folder old into agent.db",
        ),
        Example(
            "ropewalk migrate plan old sqlite:///agent.db --tz +08:00 --allow-loss torn",
            "torn lines may stay behind; the plan is printed",
        ),
        Example(
            "ropewalk migrate plan --from langgraph graphs.db sqlite:///agent.db -o move.toml",
            "what a LangGraph saver kept",
        ),
    ],
    exits=EXITS,
)
@click.argument("place", metavar="SOURCE")
@click.argument("target", metavar="TARGET")
@click.option(
    "--from",
    "format",
    metavar="FORMAT",
    help="What SOURCE is: legacy, ropewalk or langgraph; seen from SOURCE where it is left out.",
)
@click.option("--tz", metavar="ZONE", help="The zone of the machine that wrote a legacy folder.")
@click.option("--from-space", metavar="NAME", help="The space of a source that is a store.")
@click.option("--name", help="What to call it; runs of one name know of each other.")
@click.option("--kind", "kinds", multiple=True, help="Bring this kind only; may be repeated.")
@click.option(
    "--on-conflict",
    type=click.Choice([each.value for each in OnConflict]),
    default=OnConflict.FAIL.value,
    show_default=True,
    help="Where an id stands in the target with other content.",
)
@click.option(
    "--deletions",
    type=click.Choice([each.value for each in Deletions]),
    default=Deletions.REPORT.value,
    show_default=True,
    help="What was brought and is no longer in the source.",
)
@click.option(
    "--allow-loss", multiple=True, metavar="CODE", help="What may stay behind; * for all."
)
@click.option(
    "-o", "--output", "file", type=click.Path(path_type=Path), help="Write the plan to this file."
)
@click.pass_obj
def plan(  # noqa: PLR0917 (arguments come by name)
    invocation: Invocation,
    place: str,
    target: str,
    format: str | None,
    tz: str | None,
    from_space: str | None,
    name: str | None,
    kinds: Sequence[str],
    on_conflict: str,
    deletions: str,
    allow_loss: Sequence[str],
    file: Path | None,
) -> int:
    """Write a plan, to be read and edited.

    SOURCE is a folder of the legacy program, the URL of a store, or the file or postgresql:// URL
    of a LangGraph saver (--from langgraph); TARGET is the URL of the store to bring it into, which
    need not be there yet. What would stay behind is named in the plan, and has to be allowed there.
    The plan is TOML, as the configuration is; the password of a server is left out of it.
    """
    format = format_of(place, format)
    made = Plan(
        name=name or name_of(place),
        format=format,
        place=place,
        options=options_of(format, tz=tz, space=from_space),
        url=target,
        space=invocation.space or DEFAULT_SPACE,
        kinds=tuple(kinds),
        on_conflict=OnConflict(on_conflict),
        deletions=Deletions(deletions),
        allow_loss=tuple(allow_loss),
    )
    return run(_plan(invocation, made, file))


async def _plan(invocation: Invocation, plan: Plan, file: Path | None) -> Exit:
    from ...services.migration.manager import losses_of

    output = Output(invocation)
    async with source_of(plan) as source:
        losses = losses_of(await source.scan(), plan)
    if plan.format == LANGGRAPH:
        # A file that is passed round is no place for a password, and a server has others to ask.
        plan = replace(plan, place=redacted(plan.place))
    text = write_plan(plan, lost=[loss.code for loss in losses])
    if file is None:
        output.line(text.rstrip("\n"))
    else:
        _write(file, text)
        output.say(f"{file}: look it through, then `ropewalk migrate run {file}` rehearses it")
    return Exit.DONE


def _write(file: Path, text: str) -> None:
    """Write a plan; raise `Conflict` where there is a file of this name."""
    try:
        with file.open("x", encoding="utf-8") as made:
            made.write(text)
    except FileExistsError as error:
        message = f"{file} is there already: name another file, or remove it"
        raise Conflict(message, code="exists", path=str(file)) from error
