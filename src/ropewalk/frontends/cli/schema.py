"""`ropewalk schema`: which form a store has, what an upgrade would do, and what drifted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from ...domain.address import redacted
from .command import Example, Group, Invocation, command
from .exits import Exit
from .opening import check_there, run, settings
from .output import Column, Output
from .text import micros_stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...domain.schema import Drift, Schema, SchemaStatus, SchemaStep
    from .payload import Json

_DEMO: Final = "-u sqlite:///ropewalk-demo.db"
_EXITS: Final = (Exit.DONE, Exit.USAGE, Exit.BUSY, Exit.DAMAGED, Exit.NO_STORE, Exit.SCHEMA)

group: Final = Group(
    "schema",
    help=(
        "Tell which form a store has, and bring it up to date.\n\n"
        "Opening a store does that too; here it is seen before, and a copy is made. A store that "
        "a newer program wrote is refused."
    ),
    places={
        "status": ("schema:status", "Tell which migrations a store has, and which it lacks."),
        "upgrade": ("schema:upgrade", "Apply what is pending, behind a copy, after a dry run."),
        "sql": ("schema:sql", "Write the SQL of what is pending, for whoever runs it by hand."),
        "check": ("schema:check", "Compare a store with what its migrations make."),
    },
    examples=[
        Example(f"ropewalk schema status {_DEMO}", "see which version a store has"),
        Example(f"ropewalk schema check {_DEMO}", "see whether anybody changed its tables"),
    ],
    exits=_EXITS,
)


@command(
    examples=[
        Example(f"ropewalk schema status {_DEMO}", "which version a store has"),
        Example(f"ropewalk schema status --json {_DEMO}", "for programs"),
    ],
    exits=_EXITS,
)
@click.pass_obj
def status(invocation: Invocation) -> None:
    """Tell which migrations a store has, and which it lacks.

    With when each was applied, by which version of the program, and where the copy lies that was
    made before. Nothing is changed, and the store is not opened.
    """
    run(_status(invocation))


async def _status(invocation: Invocation) -> None:
    output = Output(invocation)
    schema, name = _schema(invocation)
    found = await schema.status()
    if output.json:
        output.emit(_payload(found))
        return
    _show(output, found.steps)
    _tell(output, name, found)


@command(
    examples=[
        Example(f"ropewalk schema upgrade {_DEMO}", "see what would be done"),
        Example(f"ropewalk schema upgrade --apply {_DEMO}", "do it, behind a copy"),
        Example(f"ropewalk schema upgrade --apply --backup old.db {_DEMO}", "name the copy"),
    ],
    exits=_EXITS,
)
@click.option("--apply", is_flag=True, help="Do it; without this, nothing is changed.")
@click.option(
    "--backup",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Where the copy is to lie; it must not be there yet.",
)
@click.pass_obj
def upgrade(invocation: Invocation, *, apply: bool, backup: str | None) -> None:
    """Apply what is pending, behind a copy, after a dry run.

    The store is copied, the copy checked, all migrations applied at once, and the outcome compared
    with what they should make: either all of that, or the store stays as it was. Nobody can write
    from the copy to the end. Where nothing is pending, nothing is done. Where a step rewrites what
    is stored, end programs of the earlier version before.
    """
    run(_upgrade(invocation, backup, apply=apply))


async def _upgrade(invocation: Invocation, backup: str | None, *, apply: bool) -> None:
    output = Output(invocation)
    schema, name = _schema(invocation)
    if not apply:
        found = await schema.status()
        if output.json:
            output.emit({"upgraded": False, "backup": None, **_payload(found)})
            return
        _show(output, found.pending)
        _tell(output, name, found)
        if found.pending:
            output.say("nothing was changed: do it with --apply")
        return
    done = await schema.upgrade(backup=backup)
    if output.json:
        found = await schema.status()
        output.emit({"upgraded": bool(done.applied), "backup": done.backup, **_payload(found)})
        return
    _show(output, done.applied)
    if done.applied:
        output.line(f"{name}: from schema {done.before} to {done.after}")
        if done.backup is not None:
            output.line(f"what it was lies in {done.backup}")
    else:
        output.line(f"{name} has schema {done.after}: there is nothing to do")


@command(
    examples=[
        Example(f"ropewalk schema sql {_DEMO}", "what an upgrade would run"),
        Example(f"ropewalk schema sql --all {_DEMO}", "all there is"),
    ],
    exits=_EXITS,
)
@click.option("--all", "everything", is_flag=True, help="All migrations, applied or not.")
@click.pass_obj
def sql(invocation: Invocation, *, everything: bool) -> None:
    """Write the SQL of what is pending, for whoever runs it by hand.

    One transaction, with the rows of the ledger and the number of the schema. It makes no copy.
    """
    run(_sql(invocation, everything=everything))


async def _sql(invocation: Invocation, *, everything: bool) -> None:
    output = Output(invocation)
    schema, name = _schema(invocation)
    script = await schema.sql(everything=everything)
    if output.json:
        output.emit({"sql": script})
    elif script:
        output.line(script)
    else:
        output.say(f"{name}: nothing is pending")


@command(
    examples=[
        Example(f"ropewalk schema check {_DEMO}", "whether anybody changed its tables"),
        Example(f"ropewalk schema check --json {_DEMO}", "for programs"),
    ],
    exits=_EXITS,
)
@click.pass_obj
def check(invocation: Invocation) -> int:
    """Compare a store with what its migrations make.

    Every table and index that is missing, changed or was added is named, and every migration
    whose checksum is not this program's; then the exit code is 7. For what is in the tables ask:
    ropewalk verify. Nothing is changed.
    """
    return run(_check(invocation))


async def _check(invocation: Invocation) -> Exit:
    output = Output(invocation)
    schema, name = _schema(invocation)
    drifts = await schema.check()
    if output.json:
        output.emit({"sound": not drifts, "drifts": [_drift(drift) for drift in drifts]})
    elif drifts:
        output.table(
            [Column("object", style="cyan"), Column("is"), Column("reason", flexible=True)],
            [(drift.what, drift.kind.value, drift.reason) for drift in drifts],
        )
    else:
        output.line(f"{name} is what its migrations make")
    return Exit.DAMAGED if drifts else Exit.DONE


def _drift(drift: Drift) -> Json:
    return {"object": drift.what, "kind": drift.kind.value, "reason": drift.reason}


def _schema(invocation: Invocation) -> tuple[Schema, str]:
    """Return the form of the store that is meant, and how to call it."""
    from ...factory import schema_of

    config = settings(invocation)
    check_there(config)
    return schema_of(config), redacted(config.url or "")


def _payload(found: SchemaStatus) -> dict[str, Json]:
    return {
        "form": found.form,
        "schema": found.found,
        "known": found.known,
        "pending": [step.number for step in found.pending],
        "steps": [
            {
                "number": step.number,
                "name": step.name,
                "checksum": step.checksum or None,
                "rewrites": step.rewrites,
                "applied": step.applied,
                "applied_at": None if step.applied_at is None else micros_stamp(step.applied_at),
                "program": step.program or None,
                "backup": step.backup,
            }
            for step in found.steps
        ],
    }


def _show(output: Output, steps: Sequence[SchemaStep]) -> None:
    """List steps, where there are any."""
    if not steps:
        return
    output.table(
        [
            Column("nr", right=True),
            Column("migration", style="cyan"),
            Column("applied"),
            Column("by"),
            Column("rewrites"),
            Column("checksum"),
            Column("copy before", flexible=True),
        ],
        [
            (
                str(step.number),
                step.name,
                _when(step),
                step.program or "-",
                "yes" if step.rewrites else "no",
                step.checksum[:12] or "-",
                step.backup or "-",
            )
            for step in steps
        ],
    )
    output.line()


def _when(step: SchemaStep) -> str:
    if not step.applied:
        return "pending"
    return "not noted" if step.applied_at is None else micros_stamp(step.applied_at)


def _tell(output: Output, name: str, found: SchemaStatus) -> None:
    pending = len(found.pending)
    is_current = "it is up to date" if not pending else f"{pending} pending"
    output.line(
        f"{name} has schema {found.found}, this program has schema {found.known}: {is_current}"
    )
