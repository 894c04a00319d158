"""`ropewalk ls`: what there is, newest first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from ...domain.errors import Invalid
from ...domain.page import Page
from .command import Example, Invocation, command
from .digest import checkpoint_digest
from .figures import Figures, cost_text, session_figures, thread_figures, token_text
from .opening import opened, run
from .output import Column, Output
from .payload import Json, entity
from .refs import Refs
from .text import brief

if TYPE_CHECKING:
    from ...services.storage import Storage

_DEMO: Final = "-u sqlite:///ropewalk-demo.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which things to list, and from where on."""

    session: str | None = None
    status: str | None = None
    user: str | None = None
    limit: int
    cursor: str | None = None

    def check(self, noun: str, *known: str) -> None:
        """Raise `Invalid` for an option that this list does not have."""
        for name in ("session", "status", "user", "cursor"):
            if getattr(self, name) is not None and name not in known:
                listed = ", ".join(f"--{each}" for each in known)
                there = f"it has {listed}" if known else "it has none of the kind"
                message = f"--{name} does not go with {noun}; {there}"
                raise Invalid(message, code="option", field=name)


@dataclass(slots=True)
class Listing:
    """A list for people and the same for programs; `cursor` continues it."""

    columns: Sequence[Column]
    rows: list[Sequence[str]]
    payload: list[Json]
    cursor: str | None = None


@command(
    examples=[
        Example(f"ropewalk ls {_DEMO}", "sessions, then threads"),
        Example(f"ropewalk ls threads --session trip {_DEMO}", "the threads of one session"),
        Example(f"ropewalk ls checkpoints --limit 5 {_DEMO}", "the newest checkpoints"),
        Example(f"ropewalk ls kinds --json {_DEMO}", "how many records there are of each kind"),
    ]
)
@click.argument(
    "noun",
    type=click.Choice(["sessions", "threads", "checkpoints", "spaces", "kinds"]),
    metavar="[NOUN]",
    required=False,
)
@click.option("--session", metavar="REF", help="Only of this session.")
@click.option("--status", metavar="STATUS", help="Only in this state, such as active.")
@click.option("--user", metavar="ID", help="Only sessions of this user.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Rows.")
@click.option("--cursor", metavar="TEXT", help="Go on behind the last page.")
@click.pass_obj
def ls(invocation: Invocation, /, noun: str | None, **options: Any) -> None:  # noqa: ANN401 (of click)
    """List sessions and threads, or another kind of thing.

    NOUN is sessions, threads, checkpoints, spaces or kinds. Sessions and threads are listed with
    their turns (messages of users), forks, tokens, cost and the time of their last work; a
    thread's figures are its own, without what it was forked from.
    """
    run(_ls(invocation, noun, Filter(**options)))


async def _ls(invocation: Invocation, noun: str | None, wanted: Filter) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        if wanted.session is not None:
            found = await Refs(storage).find(wanted.session, kinds=("session",))
            wanted = replace(wanted, session=found.id)
        if noun is not None:
            _answer(output, await _LISTS[noun](storage, output, wanted))
            return
        wanted.check("the overview", "session")
        sessions = await _sessions(storage, output, wanted)
        threads = await _threads(storage, output, wanted)
    if output.json:
        output.emit({"sessions": sessions.payload, "threads": threads.payload})
        return
    # LangGraph makes threads without sessions: then an empty table would only be in the way.
    if sessions.rows or not threads.rows:
        output.line(output.styled("sessions", bold=True))
        _show(output, sessions, continued_by="ropewalk ls sessions")
        output.line()
    output.line(output.styled("threads", bold=True))
    _show(output, threads, continued_by="ropewalk ls threads")


def _answer(output: Output, listing: Listing) -> None:
    if output.json:
        output.emit({"items": listing.payload, "cursor": listing.cursor})
    else:
        _show(output, listing, continued_by="the same")


def _show(output: Output, listing: Listing, *, continued_by: str) -> None:
    output.table(listing.columns, listing.rows)
    if not listing.rows:
        output.say("there is nothing of the kind")
    if listing.cursor is not None:
        output.say(f"there are more: {continued_by} with --cursor {listing.cursor}")


_FIGURES: Final = (
    Column("turns", right=True),
    Column("forks", right=True),
    Column("tokens", right=True),
    Column("cost", right=True),
    Column("updated"),
)


async def _shown_ids(storage: Storage, output: Output, ids: Sequence[str]) -> Mapping[str, str]:
    """Return ids as they are shown: whole in a pipe, as short as can be for a person."""
    return await Refs(storage).short(ids) if output.on_terminal else {id: id for id in ids}


def _cells(output: Output, figures: Figures, updated_at: datetime) -> tuple[str, ...]:
    return (
        str(figures.turns),
        str(figures.forks),
        token_text(output, figures.tokens),
        cost_text(figures.costs),
        output.moment(figures.worked_at or updated_at, datetime.now(UTC)),
    )


async def _sessions(storage: Storage, output: Output, wanted: Filter) -> Listing:
    wanted.check("sessions", "session", "status", "user", "cursor")
    if wanted.session is not None:
        page = Page((await storage.sessions.get(wanted.session),))
    else:
        page = await storage.sessions.list(
            user_id=wanted.user, status=wanted.status, limit=wanted.limit, cursor=wanted.cursor
        )
    shown = await _shown_ids(storage, output, [session.id for session in page])
    columns = (
        Column("id", style="cyan"),
        Column("title", flexible=True),
        Column("user"),
        Column("status"),
    )
    listing = Listing((*columns, Column("threads", right=True), *_FIGURES), [], [], page.cursor)
    for session in page:
        figures = await session_figures(storage, session.id)
        threads = await storage.catalog.threads(session.id)
        listing.payload.append(entity(session) | {"thread_count": threads} | figures.payload)
        who = (shown[session.id], brief(session.title), session.user_id or "", session.status.value)
        listing.rows.append((*who, str(threads), *_cells(output, figures, session.updated_at)))
    return listing


async def _threads(storage: Storage, output: Output, wanted: Filter) -> Listing:
    wanted.check("threads", "session", "status", "cursor")
    page = await storage.threads.list(
        session_id=wanted.session, status=wanted.status, limit=wanted.limit, cursor=wanted.cursor
    )
    parents = [thread.origin.thread_id for thread in page if thread.origin is not None]
    shown = await _shown_ids(storage, output, [*(thread.id for thread in page), *parents])
    columns = (
        Column("id", style="cyan"),
        Column("title", flexible=True),
        Column("status"),
        Column("from"),
    )
    listing = Listing((*columns, *_FIGURES), [], [], page.cursor)
    for thread in page:
        figures = await thread_figures(storage, thread.id)
        listing.payload.append(entity(thread) | figures.payload)
        parent = shown[thread.origin.thread_id] if thread.origin is not None else ""
        who = (shown[thread.id], brief(thread.title), thread.status.value, parent)
        listing.rows.append((*who, *_cells(output, figures, thread.updated_at)))
    return listing


async def _checkpoints(storage: Storage, output: Output, wanted: Filter) -> Listing:
    wanted.check("checkpoints", "session", "cursor")
    page = await storage.catalog.checkpoints(
        session_id=wanted.session, limit=wanted.limit, cursor=wanted.cursor
    )
    ids = [*(header.id for header in page), *(header.thread_id for header in page)]
    shown = await _shown_ids(storage, output, ids)
    columns = (
        Column("id", style="cyan"),
        Column("thread"),
        Column("what", flexible=True),
        Column("created"),
    )
    now = datetime.now(UTC)
    rows: list[Sequence[str]] = [
        (
            shown[header.id],
            shown[header.thread_id],
            checkpoint_digest(header),
            output.moment(header.created_at, now),
        )
        for header in page
    ]
    return Listing(columns, rows, [entity(header) for header in page], page.cursor)


def _counts(name: str, counts: Mapping[str, int]) -> Listing:
    return Listing(
        (Column(name, style="cyan"), Column("records", right=True)),
        [(key, str(count)) for key, count in counts.items()],
        [{name: key, "records": count} for key, count in counts.items()],
    )


async def _spaces(storage: Storage, _: Output, wanted: Filter) -> Listing:
    wanted.check("spaces")
    return _counts("space", await storage.spaces.counts())


async def _kinds(storage: Storage, _: Output, wanted: Filter) -> Listing:
    wanted.check("kinds")
    return _counts("kind", await storage.kinds())


_LISTS: Final[Mapping[str, Callable[[Storage, Output, Filter], Awaitable[Listing]]]] = {
    "sessions": _sessions,
    "threads": _threads,
    "checkpoints": _checkpoints,
    "spaces": _spaces,
    "kinds": _kinds,
}
