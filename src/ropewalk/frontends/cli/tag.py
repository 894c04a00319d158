"""`ropewalk tag`: names for checkpoints, which keep them from being pruned."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from .command import Example, Invocation, command
from .exits import Exit
from .opening import opened, run
from .output import Column, Output
from .payload import Json
from .refs import Refs
from .text import clean

if TYPE_CHECKING:
    from ...domain.checkpoint import CheckpointHeader

_DEMO: Final = "-u sqlite:///ropewalk-demo.db"


@command(
    examples=[
        Example(f"ropewalk tag rome~1 before-booking {_DEMO}", "name the last but one"),
        Example(f"ropewalk tag {_DEMO}", "list all names"),
    ],
    exits=(Exit.DONE, Exit.USAGE, Exit.NOT_FOUND, Exit.NO_STORE),
)
@click.argument("ref", required=False)
@click.argument("name", required=False)
@click.option("--remove", is_flag=True, help="Take the name off.")
@click.pass_obj
def tag(invocation: Invocation, ref: str | None, name: str | None, *, remove: bool) -> None:
    """Give a checkpoint a name, or take it off.

    A tagged checkpoint is never pruned, and NAME is a REF for it from then on. Without REF every
    tagged checkpoint is listed.
    """
    if (ref is None) != (name is None):
        message = "give REF and NAME, or neither to see what is tagged"
        raise click.UsageError(message)
    run(_tag(invocation, ref, name, remove=remove))


async def _tag(invocation: Invocation, ref: str | None, name: str | None, *, remove: bool) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        if ref is None or name is None:
            _show(output, await storage.checkpoints.tagged())
            return
        header = await Refs(storage).checkpoint(ref)
        changed = await storage.checkpoints.tag(header.id, name, remove=remove)
    if output.json:
        output.emit(_payload(changed))
        return
    tags = ", ".join(map(clean, changed.tags)) or "no name"
    output.line(f"{clean(changed.id)} has: {tags}")


def _payload(header: CheckpointHeader) -> dict[str, Json]:
    return {
        "checkpoint_id": header.id,
        "thread_id": header.thread_id,
        "tags": list(header.tags),
        "pinned": header.pinned,
    }


def _show(output: Output, headers: tuple[CheckpointHeader, ...]) -> None:
    if output.json:
        output.emit({"items": [_payload(header) for header in headers]})
        return
    now = datetime.now(UTC)
    output.table(
        [Column("tags", style="cyan"), Column("checkpoint"), Column("thread"), Column("when")],
        [
            (
                ", ".join(header.tags),
                header.id,
                header.thread_id,
                output.moment(header.created_at, now),
            )
            for header in headers
        ],
    )
    if not headers:
        output.say("nothing is tagged")
