"""`ropewalk gc`: give back the space of what no checkpoint needs any more."""

from __future__ import annotations

from typing import Final

from click import pass_obj

from .command import Example, Invocation, command
from .opening import opened, run
from .output import Output
from .text import size

_DEMO: Final = "-u sqlite:///ropewalk-demo.db"


@command(examples=[Example(f"ropewalk gc {_DEMO}", "after pruning or deleting")])
@pass_obj
def collect(invocation: Invocation) -> None:
    """Give back the space of what no checkpoint needs any more.

    Right while other programs write: what a state needs stays. May be broken off and run again.
    """
    run(_collect(invocation))


async def _collect(invocation: Invocation) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        done = await storage.checkpoints.collect()
    if output.json:
        output.emit(
            {
                "families": done.families,
                "kept": done.kept,
                "removed": done.removed,
                "freed_bytes": done.freed_bytes,
            }
        )
        return
    output.line(
        f"{output.number(done.removed)} nodes removed ({size(done.freed_bytes)}), "
        f"{output.number(done.kept)} are needed"
    )
