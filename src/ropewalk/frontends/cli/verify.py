"""`ropewalk verify`: check all that states consist of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from .command import Example, Invocation, command
from .exits import Exit
from .opening import opened, run
from .output import Column, Output
from .refs import Refs

if TYPE_CHECKING:
    from ...domain.verified import Verified
    from .payload import Json

_DEMO: Final = "-u sqlite:///ropewalk-demo.db"


@command(
    examples=[
        Example(f"ropewalk verify {_DEMO}", "everything"),
        Example(f"ropewalk verify rome --json {_DEMO}", "one thread, for programs"),
    ],
    exits=(Exit.DONE, Exit.USAGE, Exit.NOT_FOUND, Exit.DAMAGED, Exit.NO_STORE),
)
@click.argument("thread", required=False)
@click.pass_obj
def verify(invocation: Invocation, thread: str | None) -> int:
    """Check all that is stored, and name what is damaged.

    Every node is read and hashed again, every root and every pending write compared with its keyed
    hash, every dictionary with its name. The bodies of all other records are opened, and what
    stands beside bodies is compared with its checksum. What is damaged is named by thread,
    checkpoint and path, or by its record; all else can be read as ever. Nothing is changed.
    """
    return run(_verify(invocation, thread))


async def _verify(invocation: Invocation, thread: str | None) -> Exit:
    output = Output(invocation)
    async with opened(invocation) as storage:
        thread_id = None
        if thread is not None:
            thread_id = (await Refs(storage).find(thread, kinds=("thread",))).id
        verified = await storage.checkpoints.verify(thread_id=thread_id)
    if output.json:
        output.emit(_payload(verified))
    else:
        _show(output, verified)
    return Exit.DONE if verified.is_whole else Exit.DAMAGED


def _payload(verified: Verified) -> Json:
    return {
        "whole": verified.is_whole,
        "checkpoints": verified.checkpoints,
        "writes": verified.writes,
        "nodes": verified.nodes,
        "orphans": verified.orphans,
        "dictionaries": verified.dictionaries,
        "others": verified.others,
        "damaged": verified.damaged,
        "damages": [
            {
                "thread_id": damage.thread_id,
                "checkpoint_id": damage.checkpoint_id,
                "path": damage.path,
                "key": None if damage.key is None else str(damage.key),
                "reason": damage.reason,
            }
            for damage in verified.damages
        ],
    }


def _show(output: Output, verified: Verified) -> None:
    if not verified.is_whole:
        output.table(
            [
                Column("thread"),
                Column("checkpoint", style="cyan"),
                Column("path or record"),
                Column("reason", flexible=True),
            ],
            [
                (d.thread_id or "-", d.checkpoint_id or "-", d.path or str(d.key or "-"), d.reason)
                for d in verified.damages
            ],
        )
        output.line()
    number = output.number
    output.line(
        f"{number(verified.checkpoints)} checkpoints, {number(verified.writes)} pending writes, "
        f"{number(verified.nodes)} nodes, {number(verified.dictionaries)} dictionaries, "
        f"{number(verified.orphans)} orphans, {number(verified.others)} other records: "
        f"{number(verified.damaged)} damaged"
    )
