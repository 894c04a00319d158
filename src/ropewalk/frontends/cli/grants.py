"""`ropewalk grant`: what one space lets another see or change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from .command import Example, Group, Invocation, command
from .exits import Exit
from .opening import opened, run
from .output import Column, Output
from .refs import Refs
from .span import span
from .text import clean

if TYPE_CHECKING:
    from ...domain.grant import Grant
    from .payload import Json

_DEMO: Final = "-u sqlite:///ropewalk-demo.db"

group: Final = Group(
    "grant",
    help=(
        "Let one space see or change some of another.\n\n"
        "The space that gives is the one of --space; the other one sees it by storage.shared()."
    ),
    places={
        "give": ("grants:give", "Let another space read or write something of this one."),
        "list": ("grants:listed", "List what was given, and what others have given."),
        "revoke": ("grants:revoke", "Take a grant back, or all that one space has."),
    },
    examples=[
        Example(f"ropewalk grant give lab --session trip {_DEMO}", "share one session"),
        Example(f"ropewalk grant list {_DEMO}", "see what is shared"),
    ],
    exits=(Exit.DONE, Exit.USAGE, Exit.NOT_FOUND, Exit.NO_STORE),
)


@command(
    examples=[
        Example(f"ropewalk grant give lab --session trip {_DEMO}", "one session, to be read"),
        Example(f"ropewalk grant give lab --kind memory --write {_DEMO}", "one kind of records"),
        Example(f"ropewalk grant give lab --whole --until 7d {_DEMO}", "everything, for a week"),
    ],
)
@click.argument("to")
@click.option("--session", metavar="REF", help="A session with its threads and their content.")
@click.option("--kind", metavar="KIND", help="All records of a kind, such as memory.")
@click.option("--whole", is_flag=True, help="Everything in the space.")
@click.option("--write", is_flag=True, help="To be changed as well; else to be read.")
@click.option("--until", metavar="SPAN", help="For so long: 30min, 6h, 7d, 2w.")
@click.option("--note", default="", metavar="TEXT", help="Why.")
@click.pass_obj
def give(
    invocation: Invocation,
    to: str,
    *,
    session: str | None,
    kind: str | None,
    whole: bool,
    write: bool,
    until: str | None,
    note: str,
) -> None:
    """Let another space read or write something of this one.

    TO is the other space. Say one thing that is given. The same thing given again replaces mode,
    end and note.
    """
    run(
        _give(
            invocation,
            to,
            session=session,
            kind=kind,
            whole=whole,
            write=write,
            until=until,
            note=note,
        )
    )


async def _give(
    invocation: Invocation,
    to: str,
    *,
    session: str | None,
    kind: str | None,
    whole: bool,
    write: bool,
    until: str | None,
    note: str,
) -> None:
    output = Output(invocation)
    ttl = None if until is None else span(until)
    async with opened(invocation) as storage:
        session_id = None
        if session is not None:
            session_id = (await Refs(storage).find(session, kinds=("session",))).id
        grant = await storage.grants.give(
            to,
            kind=kind,
            session_id=session_id,
            whole=whole,
            mode="write" if write else "read",
            ttl=ttl,
            note=note,
        )
    if output.json:
        output.emit(_payload(grant))
        return
    output.line(
        f"{clean(grant.to)} may {grant.mode} {clean(str(grant.scope))} of {clean(grant.space)}: "
        f"{grant.id}"
    )


@command(
    examples=[
        Example(f"ropewalk grant list {_DEMO}", "what this space gives and has"),
        Example(f"ropewalk grant list --json -s lab {_DEMO}", "of another space, for programs"),
    ],
)
@click.pass_obj
def listed(invocation: Invocation) -> None:
    """List what was given, and what others have given."""
    run(_list(invocation))


async def _list(invocation: Invocation) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        given = await storage.grants.given()
        received = await storage.grants.received()
    if output.json:
        output.emit(
            {
                "given": [_payload(grant) for grant in given],
                "received": [_payload(grant) for grant in received],
            }
        )
        return
    now = datetime.now(UTC)
    output.table(
        [
            Column("grant", style="cyan"),
            Column("of"),
            Column("to"),
            Column("may"),
            Column("what"),
            Column("ends"),
            Column("note", flexible=True),
        ],
        [
            (
                grant.id,
                grant.space,
                grant.to,
                grant.mode.value,
                str(grant.scope),
                "" if grant.expires_at is None else output.moment(grant.expires_at, now),
                grant.note,
            )
            for grant in (*given, *received)
        ],
    )
    if not given and not received:
        output.say("nothing is shared")


@command(
    examples=[
        Example(f"ropewalk grant revoke --from lab {_DEMO}", "everything that lab may"),
    ],
)
@click.argument("grant", required=False)
@click.option("--from", "holder", metavar="SPACE", help="All that this space has of this one.")
@click.pass_obj
def revoke(invocation: Invocation, grant: str | None, *, holder: str | None) -> None:
    """Take a grant back, or all that one space has.

    GRANT is its id, as it is listed. The next call of whoever has it is refused.
    """
    if (grant is None) == (holder is None):
        message = "give a GRANT, as ropewalk grant list shows it, or --from SPACE"
        raise click.UsageError(message)
    run(_revoke(invocation, grant, holder))


async def _revoke(invocation: Invocation, grant: str | None, holder: str | None) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        ids = [grant] if grant is not None else []
        if holder is not None:
            ids = [each.id for each in await storage.grants.given(to=holder)]
        for each in ids:
            await storage.grants.revoke(each)
    if output.json:
        output.emit({"revoked": [*ids]})
        return
    for each in ids:
        output.line(f"revoked {clean(each)}")
    if not ids:
        output.say("nothing was given to it")


def _payload(grant: Grant) -> dict[str, Json]:
    ends = grant.expires_at
    return {
        "grant": grant.id,
        "space": grant.space,
        "to": grant.to,
        "kind": grant.scope.kind,
        "session_id": grant.scope.session_id,
        "whole": grant.scope.kind is None and grant.scope.session_id is None,
        "mode": grant.mode.value,
        "created_at": grant.created_at.isoformat(),
        "expires_at": None if ends is None else ends.isoformat(),
        "note": grant.note,
    }
