"""`ropewalk leases`: who alone may change what, since when, until when, and who waits for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from .command import Example, Invocation, command
from .exits import Exit
from .opening import opened, run
from .output import Column, Output
from .payload import entity
from .text import clean

if TYPE_CHECKING:
    from ...domain.lease import Lease
    from ...services.storage import Storage

_DEMO: Final = "-u sqlite:///ropewalk-demo.db"


@command(
    examples=[
        Example(f"ropewalk leases {_DEMO}", "who holds what"),
        Example(f"ropewalk leases --json {_DEMO}", "the same for programs, with the queues"),
    ],
    exits=(Exit.DONE, Exit.USAGE, Exit.NOT_FOUND, Exit.NO_STORE),
)
@click.argument("name", required=False)
@click.option("--ask", is_flag=True, help="Ask the holder of NAME to give it up.")
@click.option("--release", is_flag=True, help="Take NAME from its holder at once.")
@click.pass_obj
def leases(invocation: Invocation, name: str | None, *, ask: bool, release: bool) -> None:
    """List who alone may change what, and until when.

    Or show the lease NAME with its queue. A lease expires when its holder is silent too long;
    nothing has to be done for that. After --release nothing that its holder writes is accepted,
    and the next in line gets it.
    """
    if (ask or release) and name is None:
        message = "say which lease: NAME is missing"
        raise click.UsageError(message)
    if ask and release:
        message = "choose --ask or --release: who loses the lease need not be asked"
        raise click.UsageError(message)
    run(_leases(invocation, name, ask=ask, release=release))


async def _leases(invocation: Invocation, name: str | None, *, ask: bool, release: bool) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        if name is None:
            _show(output, await storage.leases.list())
            return
        lease = await storage.leases.get(name)
        if ask or release:
            await _act(storage, output, lease, release=release)
            return
    if output.json:
        output.emit(entity(lease))
        return
    _table(output, [lease])
    for place, ticket in enumerate(lease.waiting, start=1):
        since = output.moment(ticket.since, datetime.now(UTC))
        output.line(f"{place}. in line: {clean(ticket.owner)}, since {since}")
    if lease.wanted_by is not None:
        output.line(f"asked to give it up by: {clean(lease.wanted_by)}")


async def _act(storage: Storage, output: Output, lease: Lease, *, release: bool) -> None:
    if release:
        done = await storage.leases.release(lease.name, force=True)
    else:
        done = await storage.leases.interrupt(lease.name)
    if output.json:
        output.emit(entity(lease) | {"released" if release else "asked": done})
        return
    what = "taken from" if release else "wanted; asked"
    said = f"{clean(lease.name)} is {what} {clean(lease.owner)}"
    output.line(said if done else f"{clean(lease.name)} was given up in this moment")


def _show(output: Output, held: tuple[Lease, ...]) -> None:
    if output.json:
        output.emit({"items": [entity(lease) for lease in held]})
        return
    _table(output, held)
    if not held:
        output.say("nobody holds anything")


def _table(output: Output, held: tuple[Lease, ...] | list[Lease]) -> None:
    now = datetime.now(UTC)
    output.table(
        [
            Column("lease", style="cyan"),
            Column("holder", flexible=True),
            Column("token", right=True),
            Column("since"),
            Column("renewed"),
            Column("left", right=True),
            Column("waiting", right=True),
        ],
        [
            (
                lease.name,
                lease.owner,
                str(lease.token),
                output.moment(lease.since, now),
                output.moment(lease.renewed_at, now),
                f"{max((lease.until - now).total_seconds(), 0):.1f} s",
                str(len(lease.waiting)),
            )
            for lease in held
        ],
    )
