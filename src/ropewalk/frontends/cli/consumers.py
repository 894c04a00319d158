"""`ropewalk consumers` and `ropewalk trim`: who reads the log of commits, and how long it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from .command import Example, Invocation, command
from .exits import Exit
from .opening import opened, run
from .output import Column, Output
from .span import span
from .text import clean, stamp

if TYPE_CHECKING:
    from ...domain.consumer import Consumer
    from ...services.storage import Storage
    from .payload import Json

_DEMO: Final = "-u sqlite:///ropewalk-demo.db"


@command(
    examples=[
        Example(f"ropewalk consumers {_DEMO}", "who reads, and how far each is behind"),
        Example(f"ropewalk consumers --json {_DEMO}", "the same for programs"),
    ],
    exits=(Exit.DONE, Exit.USAGE, Exit.NOT_FOUND, Exit.NO_STORE),
)
@click.argument("name", required=False)
@click.option("--reset", type=click.IntRange(min=0), metavar="SEQ", help="Set NAME behind SEQ.")
@click.option("--delete", is_flag=True, help="Forget NAME.")
@click.pass_obj
def consumers(invocation: Invocation, name: str | None, *, reset: int | None, delete: bool) -> None:
    """List who works through the commits of a space.

    With how many commits of the space each has not acknowledged. Whoever has NAME open loses it
    when it is set or forgotten.
    """
    if (delete or reset is not None) and name is None:
        message = "say which consumer: NAME is missing"
        raise click.UsageError(message)
    if delete and reset is not None:
        message = "choose --reset or --delete"
        raise click.UsageError(message)
    run(_consumers(invocation, name, reset=reset, delete=delete))


async def _consumers(
    invocation: Invocation, name: str | None, *, reset: int | None, delete: bool
) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        if name is not None and delete:
            await storage.consumers.delete(name)
            _say(output, {"consumer": name, "deleted": True}, f"forgot {clean(name)}")
            return
        if name is not None and reset is not None:
            consumer = await storage.consumers.reset(name, reset)
            text = f"{clean(name)} goes on behind {consumer.seq}"
            _say(output, {"consumer": name, "seq": consumer.seq}, text)
            return
        found = (
            await storage.consumers.list() if name is None else (await storage.consumers.get(name),)
        )
        rows = [(consumer, await _behind(storage, consumer)) for consumer in found]
    _show(output, rows)


def _say(output: Output, payload: dict[str, Json], text: str) -> None:
    if output.json:
        output.emit(payload)
    else:
        output.line(text)


async def _behind(storage: Storage, consumer: Consumer) -> int | None:
    """Count what it has not acknowledged, `None` where some of that was forgotten."""
    from ...domain.errors import NotFound

    try:
        return (await storage.consumers.lag(consumer.name)).commits
    except NotFound:  # what is told is that nobody knows
        return None


def _show(output: Output, rows: list[tuple[Consumer, int | None]]) -> None:
    if output.json:
        items: list[Json] = [
            {
                "consumer": consumer.name,
                "seq": consumer.seq,
                "behind": behind,
                "created_at": stamp(consumer.created_at),
                "updated_at": None if consumer.updated_at is None else stamp(consumer.updated_at),
            }
            for consumer, behind in rows
        ]
        output.emit({"items": items})
        return
    now = datetime.now(UTC)
    output.table(
        [
            Column("consumer", style="cyan"),
            Column("seq", right=True),
            Column("behind", right=True),
            Column("moved"),
        ],
        [
            (
                consumer.name,
                str(consumer.seq),
                "forgotten" if behind is None else output.number(behind),
                output.moment(consumer.updated_at, now),
            )
            for consumer, behind in rows
        ],
    )


@command(
    examples=[
        Example(f"ropewalk trim --keep 30d {_DEMO}", "what would be forgotten"),
        Example(f"ropewalk trim --keep 30d --keep-commits 1000 --apply {_DEMO}", "do it"),
    ],
    exits=(Exit.DONE, Exit.USAGE, Exit.DENIED, Exit.NO_STORE),
)
@click.option("--keep", metavar="SPAN", help="Keep what is younger: 6h, 7d, 2w.")
@click.option(
    "--keep-commits", type=click.IntRange(min=1), metavar="N", help="Keep the last N commits."
)
@click.option("--apply", is_flag=True, help="Do it; without this, nothing is forgotten.")
@click.option("--force", is_flag=True, help="Wait for no consumer, and spare not the last hour.")
@click.pass_obj
def trim(
    invocation: Invocation,
    *,
    keep: str | None,
    keep_commits: int | None,
    apply: bool,
    force: bool,
) -> None:
    """Forget old commits of the log, after a dry run.

    Of all spaces; the records stay. What a consumer has not acknowledged is kept, and whatever is
    younger than an hour. Nothing is forgotten without --apply.
    """
    if keep is None and keep_commits is None:
        message = "say what to keep: --keep, --keep-commits, or both"
        raise click.UsageError(message)
    run(_trim(invocation, keep, keep_commits, apply=apply, force=force))


async def _trim(
    invocation: Invocation, keep: str | None, keep_commits: int | None, *, apply: bool, force: bool
) -> None:
    output = Output(invocation)
    age = None if keep is None else span(keep)
    async with opened(invocation) as storage:
        done = await storage.retention.trim(
            keep=age, keep_commits=keep_commits, dry_run=not apply, force=force
        )
    if output.json:
        output.emit(
            {
                "before": done.before,
                "commits": done.commits,
                "applied": apply,
                "oldest_at": None if done.oldest_at is None else stamp(done.oldest_at),
                "held_by": list(done.held_by),
            }
        )
        return
    verb = "would be forgotten" if done.dry_run else "forgotten"
    output.line(f"{output.number(done.commits)} commits {verb}")
    if done.held_by:
        output.line(f"more are kept for {', '.join(map(clean, done.held_by))}")
    if done.dry_run:
        output.say("nothing was forgotten: do it with --apply")
