"""`ropewalk spaces`: which spaces a store has, a new one, and the end of one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from .command import Example, Group, Invocation, command
from .exits import Exit
from .opening import entered, opened, run, settings
from .output import Column, Output
from .text import clean

if TYPE_CHECKING:
    from ...domain.space import Emptied, Space
    from .payload import Json

_DEMO: Final = "-u sqlite:///ropewalk-demo.db"

_BESIDE: Final = ("default", "elsewhere")
"""Two spaces, one of which is never the one that goes."""

group: Final = Group(
    "spaces",
    help=(
        "List, make and delete the spaces of a store.\n\n"
        "A space is a store of its own in the same place; a workflow that has one sees no other."
    ),
    places={
        "list": ("spaces:listed", "List the spaces with what each holds."),
        "create": ("spaces:create", "Make a space, for one workflow or for several."),
        "delete": ("spaces:delete", "Delete a space with everything in it, after a dry run."),
    },
    examples=[
        Example(f"ropewalk spaces list {_DEMO}", "see which there are"),
        Example(f"ropewalk spaces create lab {_DEMO}", "make another one"),
    ],
    exits=(Exit.DONE, Exit.USAGE, Exit.NOT_FOUND, Exit.CONFLICT, Exit.NO_STORE),
)


@command(
    examples=[
        Example(f"ropewalk spaces list {_DEMO}", "see which there are"),
        Example(f"ropewalk spaces list --json {_DEMO}", "for programs"),
    ],
)
@click.pass_obj
def listed(invocation: Invocation) -> None:
    """List the spaces with what each holds.

    Also those that nobody made by name: a space is there as soon as something is in it.
    """
    run(_list(invocation))


async def _list(invocation: Invocation) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        spaces = await storage.spaces.list()
    if output.json:
        output.emit({"items": [_payload(space) for space in spaces]})
        return
    now = datetime.now(UTC)
    output.table(
        [
            Column("space", style="cyan"),
            Column("records", right=True),
            Column("made"),
            Column("for", flexible=True),
        ],
        [
            (
                space.name,
                output.number(space.records),
                output.moment(space.created_at, now),
                "(being deleted)" if space.deleting else space.description,
            )
            for space in spaces
        ],
    )


@command(
    examples=[
        Example(f"ropewalk spaces create lab {_DEMO}", "make a space"),
        Example(
            f"ropewalk spaces create team --member default --member lab --for plans {_DEMO}",
            "one that two others share",
        ),
    ],
    exits=(Exit.DONE, Exit.USAGE, Exit.CONFLICT, Exit.NO_STORE),
)
@click.argument("name")
@click.option("--for", "description", default="", metavar="TEXT", help="What it is for.")
@click.option(
    "--member",
    "members",
    multiple=True,
    metavar="SPACE",
    help="A space that may read and write all of it; may be given again.",
)
@click.pass_obj
def create(
    invocation: Invocation, name: str, *, description: str, members: tuple[str, ...]
) -> None:
    """Make a space, for one workflow or for several.

    The members see what is in it by storage.shared(NAME).
    """
    run(_create(invocation, name, description, members))


async def _create(
    invocation: Invocation, name: str, description: str, members: tuple[str, ...]
) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        made = await storage.spaces.create(name, description=description, members=members)
    if output.json:
        output.emit({**_payload(made), "members": list(dict.fromkeys(members))})
        return
    shared = f", shared with {', '.join(map(clean, members))}" if members else ""
    output.line(f"made space {clean(made.name)}{shared}")


@command(
    examples=[
        Example(f"ropewalk spaces delete default {_DEMO}", "what would go"),
        Example(f"ropewalk spaces delete default --apply {_DEMO}", "do it"),
    ],
    exits=(Exit.DONE, Exit.USAGE, Exit.NOT_FOUND, Exit.CONFLICT, Exit.NO_STORE),
)
@click.argument("name")
@click.option("--apply", is_flag=True, help="Do it; without this, nothing is removed.")
@click.pass_obj
def delete(invocation: Invocation, name: str, *, apply: bool) -> None:
    """Delete a space with everything in it, after a dry run.

    In small batches: what was broken off, the same command finishes. Programs that use the space
    have to be stopped before. Nothing is removed without --apply.
    """
    run(_delete(invocation, name, apply=apply))


async def _delete(invocation: Invocation, name: str, *, apply: bool) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        own = storage.space_name
    # A handle does not delete the space that it works in.
    config = settings(invocation)
    beside = next(each for each in _BESIDE if each != name)
    async with entered(config.changed(space=beside if own == name else own)) as storage:
        done = await storage.spaces.delete(name, dry_run=not apply)
    if output.json:
        output.emit(
            {
                "space": done.space,
                "applied": apply,
                "records": dict(done.records),
                "received": done.received,
                "total": done.total,
            }
        )
        return
    _show(output, done)


def _show(output: Output, done: Emptied) -> None:
    output.table(
        [Column("kind", style="cyan"), Column("records", right=True)],
        [(kind, output.number(count)) for kind, count in sorted(done.records.items())],
    )
    verb = "would go" if done.dry_run else "removed"
    received = f", with {done.received} grants of other spaces" if done.received else ""
    output.line()
    output.line(f"{output.number(done.total)} records {verb}{received}")
    if done.dry_run:
        output.say("nothing was removed: do it with --apply")


def _payload(space: Space) -> dict[str, Json]:
    made = space.created_at
    return {
        "space": space.name,
        "records": space.records,
        "description": space.description,
        "created_at": None if made is None else made.isoformat(),
        "deleting": space.deleting,
    }
