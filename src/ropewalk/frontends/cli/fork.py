"""`ropewalk fork`: go on from a point of a thread another way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from ...services.catalog import ENTRIES
from .command import Example, Invocation, command
from .exits import Exit
from .opening import opened, run
from .output import Output
from .payload import entity
from .refs import Refs
from .text import clean

if TYPE_CHECKING:
    from ...domain.thread import Thread
    from ...services.storage import Storage

_DEMO: Final = "-u sqlite:///ropewalk-demo.db"


@command(
    examples=[
        Example(f"ropewalk fork rome~1 --name slower {_DEMO}", "from one checkpoint back"),
        Example(f"ropewalk fork rome --name now --json {_DEMO}", "from where it stands now"),
    ],
    exits=(Exit.DONE, Exit.USAGE, Exit.NOT_FOUND, Exit.CONFLICT, Exit.NO_STORE),
)
@click.argument("ref")
@click.option("--name", required=True, help="What the branch is to be called.")
@click.option("--id", "id_", metavar="ID", help="The id of the new thread, else one is made.")
@click.pass_obj
def fork(invocation: Invocation, ref: str, *, name: str, id_: str | None) -> None:
    """Fork a thread at a checkpoint or behind a message.

    REF is a checkpoint (t-42~2, t-42@{2h}, a tag, the beginning of an id), a history entry, or a
    thread, which is forked where it stands now. Nothing is copied. The id of the new thread is
    what is written to stdout.
    """
    run(_fork(invocation, ref, name=name, id=id_))


async def _fork(invocation: Invocation, ref: str, *, name: str, id: str | None) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        thread = await _forked(storage, ref, name=name, id=id)
    if output.json:
        output.emit({"thread": entity(thread)})
        return
    origin = thread.origin
    source = "" if origin is None else clean(origin.thread_id)
    output.say(f"{clean(name)} goes on from {source}; look at it with: ropewalk log")
    output.line(clean(thread.id))


async def _forked(storage: Storage, ref: str, *, name: str, id: str | None) -> Thread:
    refs = Refs(storage)
    target = await refs.exact_thread(ref) or await refs.find(ref)
    fork = storage.threads.fork
    if target.kind in (*ENTRIES, "checkpoint") and target.thread_id is not None:
        return await fork(target.thread_id, at=target.id, name=name, id=id)
    place = await refs.place(target)
    if place.until is None:
        return await fork(place.thread_id, name=name, id=id)
    header = await refs.checkpoint(ref)
    return await fork(place.thread_id, at=header.id, name=name, id=id)
