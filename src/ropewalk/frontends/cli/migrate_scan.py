"""`ropewalk migrate scan`: tell what there is to bring."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ...domain.migration import Plan
from .command import Example, Invocation, command
from .exits import Exit
from .importing import EXITS
from .migrate_ends import format_of, name_of, options_of, source_of
from .opening import run
from .output import Column, Output
from .text import clean, size

if TYPE_CHECKING:
    from ...domain.source import Inventory
    from .payload import Json


@command(
    examples=[
        Example("ropewalk migrate scan old --tz +08:00", "the folder of the legacy program"),
        Example("ropewalk migrate scan sqlite:///agent.db --json", "a store, for programs"),
        Example("ropewalk migrate scan --from langgraph graphs.db", "what a LangGraph saver kept"),
    ],
    exits=EXITS,
)
@click.argument("place", metavar="SOURCE")
@click.option(
    "--from",
    "format",
    metavar="FORMAT",
    help="What SOURCE is: legacy, ropewalk, langgraph, openai-agents or jsonl; seen from SOURCE "
    "where it is left out.",
)
@click.option("--tz", metavar="ZONE", help="The zone of the machine that wrote a legacy folder.")
@click.option("--from-space", metavar="NAME", help="The space of a source that is a store.")
@click.pass_obj
def scan(
    invocation: Invocation,
    place: str,
    *,
    format: str | None,
    tz: str | None,
    from_space: str | None,
) -> int:
    """Tell what there is to bring; nothing is changed.

    By kind and by format. SOURCE is a folder of the legacy program, the URL of a store, or the
    file or postgresql:// URL of a LangGraph saver (--from langgraph). Exit code 3 says that some
    of it would stay behind.
    """
    format = format_of(place, format)
    plan = Plan(
        name=name_of(place),
        format=format,
        place=place,
        options=options_of(format, tz=tz or "+00:00", space=from_space),
    )
    return run(_scan(invocation, plan))


async def _scan(invocation: Invocation, plan: Plan) -> Exit:
    output = Output(invocation)
    async with source_of(plan) as source:
        inventory = await source.scan()
    stays = any(not each.read and each.items for each in inventory.formats)
    if output.json:
        output.emit(_payload(inventory))
    else:
        _show(output, inventory)
    return Exit.PARTLY if stays or inventory.problem_count else Exit.DONE


def _payload(inventory: Inventory) -> Json:
    return {
        "kinds": dict(inventory.kinds),
        "formats": [
            {
                "format": each.format,
                "files": each.files,
                "items": each.items,
                "bytes": each.size,
                "read": each.read,
            }
            for each in inventory.formats
        ],
        "problem_count": inventory.problem_count,
        "problems": [
            {"code": each.code, "place": each.place, "reason": each.reason}
            for each in inventory.problems
        ],
    }


def _show(output: Output, inventory: Inventory) -> None:
    output.table(
        [Column("kind", style="cyan"), Column("items", right=True)],
        [(kind, output.number(count)) for kind, count in inventory.kinds.items()],
    )
    output.line()
    output.table(
        [
            Column("format"),
            Column("files", right=True),
            Column("items", right=True),
            Column("size", right=True),
            Column("read"),
        ],
        [
            (
                each.format,
                output.number(each.files),
                output.number(each.items),
                size(each.size),
                "yes" if each.read else "no",
            )
            for each in inventory.formats
        ],
    )
    if inventory.problem_count:
        output.heading("problems")
        for each in inventory.problems:
            output.line(f"{clean(each.place)}: {clean(each.reason)} [{clean(each.code)}]")
    output.line()
    problems = f"{inventory.problem_count} problem{'' if inventory.problem_count == 1 else 's'}"
    output.line(f"{output.number(sum(inventory.kinds.values()))} items, {problems}")
