"""`ropewalk watch`: each commit as it is made, a line at a time."""

from __future__ import annotations

import json
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

import click

from .command import Example, Invocation, command
from .exits import Exit
from .opening import opened, run
from .output import Output
from .text import clean, micros_stamp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ...domain.change import Changed, Commit
    from ...domain.interest import Interest
    from ...services.feed.subscription import Subscription

_DEMO: Final = "-u sqlite:///ropewalk-demo.db"
_SHOWN: Final = 4
"""Changes of a commit that a line shows; --json has all."""


@command(
    examples=[
        Example(f"ropewalk watch --after 0 --limit 5 {_DEMO}", "the oldest commits"),
        Example(
            f"ropewalk watch --consumer backup --kind message --limit 3 {_DEMO}",
            "go on where it was the last time",
        ),
    ],
    exits=(Exit.DONE, Exit.USAGE, Exit.NOT_FOUND, Exit.CONFLICT, Exit.NO_STORE, Exit.INTERRUPTED),
)
@click.option("--after", type=click.IntRange(min=0), metavar="SEQ", help="Begin behind a commit.")
@click.option("--consumer", metavar="NAME", help="Go on behind what NAME has acknowledged.")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Only changes of a kind.")
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only changes of a record.")
@click.option("--actor", "actors", multiple=True, metavar="NAME", help="Only what NAME committed.")
@click.option("--session", metavar="ID", help="Only what belongs to a session.")
@click.option("--thread", metavar="ID", help="Only what belongs to a thread.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="End after N commits.")
@click.pass_obj
def watch(
    invocation: Invocation,
    *,
    after: int | None,
    consumer: str | None,
    kinds: tuple[str, ...],
    ids: tuple[str, ...],
    actors: tuple[str, ...],
    session: str | None,
    thread: str | None,
    limit: int | None,
) -> None:
    """Tell each commit of a space as it is made.

    Begins with what comes from now on, unless --after or --consumer says otherwise, and goes on
    until it is interrupted. With --json each line is a JSON object by itself. What --consumer has
    written out is acknowledged, and the next time it goes on behind that.
    """
    if consumer is not None and after is not None:
        message = "choose --after or --consumer: a consumer knows where it was"
        raise click.UsageError(message)
    from ...domain.interest import Interest

    interest = Interest(kinds=kinds, ids=ids, actors=actors, session_id=session, thread_id=thread)
    run(_watch(invocation, interest, after=after, consumer=consumer, limit=limit))


async def _watch(
    invocation: Invocation,
    interest: Interest,
    *,
    after: int | None,
    consumer: str | None,
    limit: int | None,
) -> None:
    output = Output(invocation)
    left = limit
    async with AsyncExitStack() as stack:
        storage = await stack.enter_async_context(opened(invocation))
        commits: AsyncIterator[Commit]
        subscription: Subscription | None = None
        if consumer is None:
            commits = await stack.enter_async_context(storage.watch(interest, after=after))
        else:
            subscription = storage.consumers.open(consumer, interest)
            commits = await stack.enter_async_context(subscription)
        async for commit in commits:
            output.line(_as_json(commit) if output.json else _as_text(commit))
            # Whoever reads from a pipe must not wait for the next one to see this one.
            sys.stdout.flush()
            if subscription is not None:
                await subscription.commit(commit.seq)
            if left is not None:
                left -= 1
                if not left:
                    return


def _as_json(commit: Commit) -> str:
    return json.dumps(
        {
            "seq": commit.seq,
            "at": micros_stamp(commit.at),
            "actor": commit.actor,
            "batch": commit.batch_id,
            "changes": [
                {"kind": change.key.kind, "id": change.key.id, "version": change.version}
                for change in commit.changes
            ],
        }
    )


def _as_text(commit: Commit) -> str:
    shown = ", ".join(map(_change, commit.changes[:_SHOWN]))
    more = len(commit.changes) - _SHOWN
    rest = f" and {more} more" if more > 0 else ""
    who = f"  {clean(commit.actor)}" if commit.actor else ""
    return f"{commit.seq}  {micros_stamp(commit.at)}{who}  {shown}{rest}"


def _change(change: Changed) -> str:
    sign = {0: "-", 1: "+"}.get(change.version, "~")
    return f"{sign}{clean(change.key.kind)}/{clean(change.key.id)}"
