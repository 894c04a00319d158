"""`ropewalk merge`: bring what was done on a branch back into another thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import click

from ...domain.policy import Merge, Policy, from_names
from ...domain.reducers import Missing
from .command import Example, Invocation, command
from .exits import Exit
from .opening import opened, run
from .output import Column, Output
from .payload import faithful
from .refs import Refs
from .text import clean

if TYPE_CHECKING:
    from ...domain.conflict import MergeReport
    from ...services.storage import Storage
    from .payload import Json

_DEMO: Final = "-u sqlite:///ropewalk-demo.db"
_WIDEST: Final = 40


@command(
    examples=[
        Example(f"ropewalk merge rome-cheaper rome --dry-run {_DEMO}", "see what would be taken"),
        Example(f"ropewalk merge rome-cheaper rome --on-conflict theirs {_DEMO}", "and take it"),
    ],
    exits=(Exit.DONE, Exit.USAGE, Exit.NOT_FOUND, Exit.CONFLICT, Exit.NO_STORE),
)
@click.argument("source")
@click.argument("into")
@click.option(
    "--on-conflict",
    type=click.Choice(["fail", "ours", "theirs"]),
    default="fail",
    show_default=True,
    help="What to take where both have changed the same: ours is INTO, theirs SOURCE.",
)
@click.option(
    "--field",
    "fields",
    metavar="PATH=REDUCER",
    multiple=True,
    help="Merge one place by append, union, max, min, sum, first or last.",
)
@click.option("--messages", is_flag=True, help="Copy the messages of SOURCE behind those of INTO.")
@click.option("--dry-run", is_flag=True, help="Only say what would be taken.")
@click.pass_obj
def merge(
    invocation: Invocation,
    source: str,
    into: str,
    *,
    on_conflict: str,
    fields: tuple[str, ...],
    messages: bool,
    dry_run: bool,
) -> None:
    """Merge the newest state of a thread into another one.

    SOURCE and INTO are threads, by id or by the name of their branch. Every place that one of
    them has changed since they parted is listed, with what is taken.
    """
    policy = _policy(on_conflict, fields)
    kept: Literal["leave", "append"] = "append" if messages else "leave"
    run(_merge(invocation, source, into, policy=policy, messages=kept, dry_run=dry_run))


def _policy(on_conflict: str, fields: tuple[str, ...]) -> Policy:
    default = {"ours": "first", "theirs": "last"}.get(on_conflict)
    if not fields:
        names = {"ours": "first_wins", "theirs": "last_wins", "fail": "reject"}
        return from_names(names[on_conflict], field="--on-conflict")
    chosen: dict[str | tuple[str, ...], str] = {}
    for field in fields:
        path, mark, reducer = field.partition("=")
        if not (path and mark and reducer):
            message = f"--field is PATH=REDUCER, such as plan=append, not {field!r}"
            raise click.UsageError(message)
        chosen[path] = reducer
    return Merge(fields={**chosen}, default=default)


async def _merge(
    invocation: Invocation,
    source: str,
    into: str,
    *,
    policy: Policy,
    messages: Literal["leave", "append"],
    dry_run: bool,
) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        names = [await _thread(storage, name) for name in (source, into)]
        report = await storage.threads.merge(
            names[0], into=names[1], policy=policy, messages=messages, dry_run=dry_run
        )
    if output.json:
        output.emit(_payload(report, dry_run=dry_run))
        return
    columns = [Column(name) for name in ("path", "before", "ours", "theirs", "taken", "by")]
    output.table(
        columns,
        [
            (c.path, _short(c.base), _short(c.ours), _short(c.theirs), _short(c.taken), c.how)
            for c in report.choices
        ],
    )
    if dry_run:
        output.say("nothing was written; without --dry-run it is")
    elif report.checkpoint is not None:
        output.say(f"merged; look at it with: ropewalk show {clean(report.checkpoint.id)}")


async def _thread(storage: Storage, ref: str) -> str:
    refs = Refs(storage)
    target = await refs.exact_thread(ref) or await refs.find(ref)
    return (await refs.place(target)).thread_id


def _short(value: object) -> str:
    text = str(value) if isinstance(value, Missing) else repr(value)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _payload(report: MergeReport, *, dry_run: bool) -> dict[str, Json]:
    return {
        "source": report.source_id,
        "into": report.into_id,
        "dry_run": dry_run,
        "base": report.base_id,
        "checkpoint": report.checkpoint.id if report.checkpoint else None,
        "messages": list(report.messages),
        "conflicts": list(report.conflicts),
        "choices": [
            {
                "path": choice.path,
                "how": choice.how,
                **{
                    name: faithful(value)
                    for name, value in (
                        ("base", choice.base),
                        ("ours", choice.ours),
                        ("theirs", choice.theirs),
                        ("taken", choice.taken),
                    )
                    if not isinstance(value, Missing)
                },
            }
            for choice in report.choices
        ],
    }
