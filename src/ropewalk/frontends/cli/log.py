"""`ropewalk log`: what happened along a thread, or how its whole family grew."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, cast

import click

from ...services.catalog import ENTRIES, NAMED, Named
from .command import Example, Invocation, command
from .digest import digest, kind
from .drawing import show_graph
from .family import gather
from .line import Item, walk
from .opening import opened, run
from .output import Column, Output
from .payload import Json, entity
from .refs import Place, Refs
from .text import clean

if TYPE_CHECKING:
    from ...services.storage import Storage

_DEMO: Final = "-u sqlite:///ropewalk-demo.db"
_ON_LINE: Final = (*ENTRIES, "checkpoint")


@command(
    examples=[
        Example(f"ropewalk log rome {_DEMO}", "what happened along a thread, newest first"),
        Example(f"ropewalk log rome --graph {_DEMO}", "every branch of its family"),
        Example(f"ropewalk log rome/cheaper --limit 5 {_DEMO}", "the last steps of a branch"),
        Example(f"ropewalk log rome~2 --json {_DEMO}", "up to two checkpoints before the newest"),
    ]
)
@click.argument("ref")
@click.option("--graph", is_flag=True, help="Draw the checkpoints of all branches.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Lines at most."
)
@click.pass_obj
def log(invocation: Invocation, ref: str, *, graph: bool, limit: int) -> None:
    """Show what happened along a thread, newest first.

    REF is the id of a thread or the beginning of one (4 characters or more), thread/branch, or
    anything with an id that is on a thread, and then the line ends there. ref~2 is the second
    checkpoint back. The line of a fork goes on in the thread that it was forked from.
    """
    run(_log(invocation, ref, graph=graph, limit=limit))


async def _log(invocation: Invocation, ref: str, *, graph: bool, limit: int) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        refs = Refs(storage)
        target = await _target(refs, ref)
        place = await refs.place(target)
        if graph:
            family = await gather(storage, place.thread_id, limit=limit)
            await show_graph(refs, output, family)
            return
        items, more = await _read(storage, place, limit)
        if target.kind in _ON_LINE and [target.id] != [item.id for item in items[:1]]:
            name = clean(place.thread_id)
            output.say(f"{clean(target.id)} was rolled back: the line of {name} before it follows")
        await _show_line(refs, output, place, items, more=more)


async def _target(refs: Refs, ref: str) -> Named:
    """Find what is meant; a thread goes before anything else of the same id."""
    exact = await refs.exact_thread(ref)
    return exact or await refs.find(ref, kinds=NAMED)


async def _read(storage: Storage, place: Place, limit: int) -> tuple[list[Item], bool]:
    """Return the newest things before a place, and whether there are more."""
    items: list[Item] = []
    rows = cast("AsyncGenerator[Item, None]", walk(storage, place))
    async with aclosing(rows):
        async for item in rows:
            if len(items) == limit:
                return items, True
            items.append(item)
    return items, False


async def _show_line(
    refs: Refs, output: Output, place: Place, items: Sequence[Item], *, more: bool
) -> None:
    if output.json:
        found = [_payload(item) for item in items]
        output.emit({"thread_id": place.thread_id, "items": found, "more": more})
        return
    shown = await _shown(refs, output, items)
    now = datetime.now(UTC)
    cells = [
        (
            output.moment(item.created_at, now),
            shown[item.id],
            shown[item.thread_id or ""],
            kind(item),
            digest(item),
        )
        for item in items
    ]
    output.table(
        [
            Column("when"),
            Column("id", style="cyan"),
            Column("thread"),
            Column("kind", style="magenta"),
            Column("what", flexible=True),
        ],
        cells,
    )
    if more:
        output.say(f"there is more: raise --limit, or go on with: log {clean(items[-1].id)}")
    if not items:
        output.say(f"nothing has happened on thread {clean(place.thread_id)} yet")


async def _shown(refs: Refs, output: Output, items: Sequence[Item]) -> Mapping[str, str]:
    ids = [id for item in items for id in (item.id, item.thread_id or "")]
    if not output.on_terminal:
        return {id: id for id in ids}
    return await refs.short(id for id in ids if id) | {"": ""}


def _payload(item: Item) -> Json:
    return {"kind": kind(item)} | entity(item)
