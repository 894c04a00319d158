"""`ropewalk runs`: what workflows run, how far they are, and which have lost their driver."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from ...domain.run import RunStatus
from .command import Example, Invocation, command
from .exits import Exit
from .opening import opened, run
from .output import Column, Output
from .payload import Json, entity, faithful
from .refs import Refs
from .text import brief, clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...domain.run import DoneStep, Run

_DEMO: Final = "-u sqlite:///ropewalk-demo.db"


@command(
    examples=[
        Example(f"ropewalk runs {_DEMO}", "the newest runs"),
        Example(f"ropewalk runs --orphans {_DEMO}", "those that nobody drives any more"),
        Example(f"ropewalk runs --status waiting --json {_DEMO}", "for programs"),
    ],
    exits=(Exit.DONE, Exit.USAGE, Exit.NOT_FOUND, Exit.CONFLICT, Exit.BUSY, Exit.NO_STORE),
)
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--orphans", is_flag=True, help="Only those that nobody drives any more.")
@click.option("--thread", metavar="REF", help="Only on this thread.")
@click.option("--workflow", metavar="ID", help="Only of this workflow.")
@click.option(
    "--status", type=click.Choice([status.value for status in RunStatus]), help="Only these."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Rows.")
@click.option("--cursor", metavar="TEXT", help="Go on behind the last page.")
@click.option("--abandon", metavar="REASON", help="Mark RUN as failed: nobody will go on with it.")
@click.pass_obj
def runs(invocation: Invocation, /, run_id: str | None, **options: Any) -> None:  # noqa: ANN401 (of click)
    """List what workflows run, and which have lost their driver.

    Or show one RUN with the steps that it has done. An orphan should be running, and its driver
    is silent for longer than its lease lasts: a program goes on with it behind its last step by
    storage.runs.resume().
    """
    chosen = [name for name in ("thread", "workflow", "status", "cursor") if options[name]]
    if run_id is None and options["abandon"] is not None:
        message = "say which run is to be abandoned: RUN is missing"
        raise click.UsageError(message)
    if run_id is not None and (chosen or options["orphans"]):
        message = "RUN names one run: it goes with --abandon alone"
        raise click.UsageError(message)
    if options["orphans"] and set(chosen) - {"workflow"}:
        message = "--orphans goes with --workflow alone"
        raise click.UsageError(message)
    run(_one(invocation, run_id, **options) if run_id else _list(invocation, **options))


async def _list(
    invocation: Invocation,
    *,
    orphans: bool,
    thread: str | None,
    workflow: str | None,
    status: str | None,
    limit: int,
    cursor: str | None,
    abandon: None,  # noqa: ARG001 (goes with one run)
) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        found: Sequence[Run]
        following: str | None = None
        if orphans:
            found = (await storage.runs.orphaned(workflow_id=workflow))[:limit]
        else:
            if thread is not None:
                thread = (await Refs(storage).find(thread, kinds=("thread",))).id
            page = await storage.runs.list(
                thread_id=thread, workflow_id=workflow, status=status, limit=limit, cursor=cursor
            )
            found, following = page.items, page.cursor
    if output.json:
        output.emit({"items": [_payload(each) for each in found], "cursor": following})
        return
    _table(output, found)
    if not found:
        output.say("there is nothing of the kind")
    if following is not None:
        output.say(f"there are more: the same with --cursor {following}")


async def _one(invocation: Invocation, run_id: str, *, abandon: str | None, **_: object) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        if abandon is not None:
            found = await storage.runs.abandon(run_id, reason=abandon)
        else:
            found = await storage.runs.get(run_id)
        steps = await storage.runs.steps(run_id)
    if output.json:
        output.emit(_payload(found) | {"done_steps": [_step(step) for step in steps]})
        return
    _table(output, [found])
    for title, text in (("failed of", found.error), ("waits for", found.reason)):
        if text is not None:
            output.line(f"{title}: {brief(text, 500)}")
    now = datetime.now(UTC)
    if steps:
        output.line()
        output.table(
            [Column("step", style="cyan"), Column("attempt", right=True), Column("done")],
            [(step.key, str(step.attempt), output.moment(step.done_at, now)) for step in steps],
        )


def _payload(found: Run) -> dict[str, Json]:
    return entity(found) | {"orphan": found.is_orphan}


def _step(step: DoneStep) -> dict[str, Json]:
    return entity(replace(step, result=None)) | {"result": faithful(step.result)}


def _table(output: Output, found: Sequence[Run]) -> None:
    now = datetime.now(UTC)
    output.table(
        [
            Column("run", style="cyan"),
            Column("thread"),
            Column("workflow"),
            Column("status"),
            Column("steps", right=True),
            Column("attempts", right=True),
            Column("driver", flexible=True),
            Column("started"),
            Column("heartbeat"),
        ],
        [
            (
                each.id,
                each.thread_id,
                each.workflow_id or "",
                "orphan" if each.is_orphan else each.status.value,
                str(each.steps),
                str(each.attempts),
                clean(each.owner),
                output.moment(each.started_at, now),
                output.moment(each.lease.renewed_at if each.lease else each.updated_at, now),
            )
            for each in found
        ],
    )
