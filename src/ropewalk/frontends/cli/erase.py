"""`ropewalk erase`: remove everything of a person, after a dry run, and write a receipt."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .command import Example, Invocation, command
from .exits import Exit
from .opening import opened, run
from .output import Output
from .text import clean, stamp

if TYPE_CHECKING:
    from ...domain.receipt import Receipt
    from .payload import Json

_DEMO = "-u sqlite:///ropewalk-demo.db"


@command(
    examples=[
        Example(f"ropewalk erase --user ada {_DEMO}", "what would go, and what would remain"),
        Example(f"ropewalk erase --user ada --yes --receipt ada.md {_DEMO}", "do it"),
    ],
    exits=(
        *(Exit.DONE, Exit.USAGE, Exit.CONFLICT, Exit.DAMAGED, Exit.DENIED),
        *(Exit.NO_STORE, Exit.UNREACHABLE),
    ),
)
@click.option("--user", required=True, metavar="ID", help="Whose: the user_id of their sessions.")
@click.option("--yes", is_flag=True, help="Do it; without this, nothing is removed.")
@click.option("--with-forks", is_flag=True, help="Threads of others that continue theirs, too.")
@click.option("--trim-feed", is_flag=True, help="Forget all commits up to now, for every space.")
@click.option(
    "--receipt",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the receipt here: JSON where it is called .json, otherwise Markdown.",
)
@click.pass_obj
def erase(
    invocation: Invocation,
    *,
    user: str,
    yes: bool,
    with_forks: bool,
    trim_feed: bool,
    receipt: Path | None,
) -> None:
    """Remove everything of a person from a space.

    Their sessions with all threads, history, states and runs; what names them as user_id in its
    metadata; memories in whose namespace they stand. Nothing is removed without --yes. It may be
    broken off and called again. The receipt says what went, and what remains and why.
    """
    if receipt is not None and not yes:
        message = "a dry run has no receipt: say --yes, or leave --receipt out"
        raise click.UsageError(message)
    run(_erase(invocation, user, receipt, yes=yes, forks=with_forks, trim_feed=trim_feed))


async def _erase(
    invocation: Invocation,
    user: str,
    file: Path | None,
    *,
    yes: bool,
    forks: bool,
    trim_feed: bool,
) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        done = await storage.erasures.erase(user, dry_run=not yes, forks=forks, trim_feed=trim_feed)
    if file is not None:
        _save(file, done)
    if output.json:
        output.emit(payload(done))
        return
    for line in markdown(done):
        output.line(line)
    if done.dry_run and done.total:
        output.say("nothing was removed: do it with --yes")


def _save(file: Path, done: Receipt) -> None:
    is_json = file.suffix == ".json"
    text = json.dumps(payload(done), indent=2) if is_json else "\n".join(markdown(done))
    file.write_text(f"{text}\n", encoding="utf-8", errors="backslashreplace")


def payload(receipt: Receipt) -> dict[str, Json]:
    """Return a receipt for programs."""
    return {
        "user": receipt.user_id,
        "space": receipt.space,
        "dry_run": receipt.dry_run,
        "by": receipt.actor,
        "started_at": stamp(receipt.started_at),
        "ended_at": stamp(receipt.ended_at),
        "records": dict(receipt.records),
        "total": receipt.total,
        "digest": receipt.digest,
        "namespaces": list(receipt.namespaces),
        "forks": list(receipt.forks),
        "with_forks": receipt.with_forks,
        "notes": receipt.notes,
        "undone": receipt.undone,
        "commits": receipt.commits,
        "remains": [
            {"what": each.what, "count": each.count, "why": each.why, "remedy": each.remedy}
            for each in receipt.remains
        ],
    }


def markdown(receipt: Receipt) -> Iterator[str]:
    """Go through the lines of a receipt for people."""
    what = "What an erasure would remove" if receipt.dry_run else "Receipt of an erasure"
    yield f"# {what}: user {clean(receipt.user_id)}, space {clean(receipt.space)}"
    yield ""
    by = f", by {clean(receipt.actor)}" if receipt.actor else ""
    yield f"From {stamp(receipt.started_at)} to {stamp(receipt.ended_at)}{by}."
    yield ""
    yield from _counts(receipt.records)
    yield f"{receipt.total} records; their sum (SHA-256): {receipt.digest}"
    yield ""
    if receipt.namespaces:
        names = ", ".join(clean(name) or "(the empty one)" for name in receipt.namespaces)
        yield f"Memories in: {names}"
        yield ""
    if receipt.forks:
        verb = "went too" if receipt.with_forks else "stop an erasure without --with-forks"
        names = ", ".join(map(clean, receipt.forks))
        yield f"Threads of others that continue these {verb}: {names}"
        yield ""
    if receipt.notes or receipt.undone or receipt.commits:
        yield (
            f"Out of the journals of migrations: {receipt.notes} notes, {receipt.undone} entries "
            f"that a rollback would have put back. Out of the log: {receipt.commits} commits."
        )
        yield ""
    yield "## What remains"
    yield ""
    for each in receipt.remains:
        count = "" if each.count is None else f" ({each.count})"
        yield f"- {each.what}{count}: {each.why}. To remove it: {each.remedy}."


def _counts(records: Mapping[str, int]) -> Iterator[str]:
    if records:
        yield "| kind | records |"
        yield "| --- | ---: |"
        yield from (f"| {clean(kind)} | {count} |" for kind, count in records.items())
        yield ""
