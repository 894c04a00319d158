"""`ropewalk show`: one thing, whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import click

from ...domain.history import EntryKind, HistoryEntry, Message
from ...domain.moment import to_micros
from ...domain.thread import Position
from .command import Example, Invocation, command
from .digest import spoken, worded
from .figures import UNKNOWN, Figures, cost_text, session_figures, thread_figures
from .opening import opened, run
from .outline import outline
from .output import Output
from .part import part_of
from .payload import Json, entity, faithful
from .refs import Refs
from .text import clean, clean_lines, size, stamp
from .tips import checkpoint_of, newest
from .told import told

if TYPE_CHECKING:
    from ...domain.checkpoint import Write
    from ...services.catalog import Named
    from ...services.storage import Storage

_DEMO: Final = "-u sqlite:///ropewalk-demo.db"


@command(
    examples=[
        Example(f"ropewalk show rome {_DEMO}", "a thread: where it comes from, what it amounts to"),
        Example(f"ropewalk show rome --state {_DEMO}", "the newest state on its line"),
        Example(f"ropewalk show rome~1 --path plan.0 {_DEMO}", "a part of the state before that"),
        Example(f"ropewalk show rome/cheaper --messages {_DEMO}", "what was said on a branch"),
        Example(f"ropewalk show tool-rome-01 --json {_DEMO}", "a history entry, for programs"),
    ]
)
@click.argument("ref")
@click.option("--state", is_flag=True, help="The state of the checkpoint, or of the newest one.")
@click.option("--messages", is_flag=True, help="Every message on the line up to there.")
@click.option("--path", metavar="PATH", help="Only this part of the state; no other is read.")
@click.pass_obj
def show(
    invocation: Invocation, ref: str, *, state: bool, messages: bool, path: str | None
) -> None:
    """Show one session, thread, checkpoint or history entry.

    Snapshots and branches too. REF is an id or the beginning of one (4 characters or more),
    thread/branch, or ref~2 for the second checkpoint back; kind:ref where an id is used twice.

    PATH leads from key to key and item to item: plan.0.city or plan[0].city, messages[-1] from the
    end, messages[-10:] for a range, notes["a.b"] for a key that holds dots or brackets. Where it
    leads nowhere, the error says what there is.

    States are shown in the manner of YAML, with a type behind an exclamation mark where JSON has
    none of the kind. With --json such a value is an object with one key that names the type, as in
    {"$decimal": "19.90"}; the reference of the commands lists them all.
    """
    if messages and (state or path is not None):
        message = "ask for --messages or for the state, not both"
        raise click.UsageError(message)
    run(_show(invocation, ref, state=state or path is not None, messages=messages, path=path))


async def _show(
    invocation: Invocation, ref: str, *, state: bool, messages: bool, path: str | None
) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        target = await Refs(storage).find(ref)
        if messages:
            await _show_messages(storage, output, target)
        elif state:
            await _show_state(storage, output, target, path)
        else:
            payload, shown = await _WHOLE.get(target.kind, _entry)(storage, target)
            if output.json:
                output.emit({"kind": target.kind, **payload})
            else:
                for line in outline({"kind": target.kind, **shown}):
                    output.line(line)


async def _show_state(storage: Storage, output: Output, target: Named, path: str | None) -> None:
    header = await checkpoint_of(storage, target)
    part: object = (
        (await storage.checkpoints.load(header.id)).state
        if path is None
        else await part_of(storage, header.id, path)
    )
    if output.json:
        found: dict[str, Json] = {"checkpoint_id": header.id, "thread_id": header.thread_id}
        found |= (
            {"state": faithful(part)} if path is None else {"path": path, "value": faithful(part)}
        )
        output.emit(found)
        return
    output.say(f"checkpoint {clean(header.id)} of thread {clean(header.thread_id)}:")
    for line in outline(part):
        output.line(line)


async def _show_messages(storage: Storage, output: Output, target: Named) -> None:
    kinds = [EntryKind.MESSAGE]
    until: Position | None = None
    if target.kind == "session":
        rows = storage.history.stream(session_id=target.id, kinds=kinds)
    else:
        place = await Refs(storage).place(target)
        until = place.until
        rows = storage.history.stream(thread_id=place.thread_id, kinds=kinds)
    messages: list[Json] = []
    async with aclosing(cast("AsyncGenerator[HistoryEntry, None]", rows)) as entries:
        async for entry in entries:
            at = Position(to_micros(entry.created_at), entry.id)
            if not isinstance(entry, Message) or (until is not None and at >= until):
                continue
            if output.json:
                messages.append(entity(entry))
            else:
                _say_message(output, entry)
    if output.json:
        output.emit({"messages": messages})


def _say_message(output: Output, message: Message) -> None:
    who = clean(message.role if message.name is None else f"{message.role} ({message.name})")
    output.line(
        f"{output.styled(who, bold=True)}  {stamp(message.created_at)}  {clean(message.id)}"
    )
    for line in clean_lines(spoken(message.content)).split("\n"):
        output.line(f"  {line}".rstrip())
    output.line()


Shown: TypeAlias = tuple[dict[str, Json], dict[str, object]]
"""The same thing for programs and for people."""


def _figures(figures: Figures) -> dict[str, object]:
    return {
        "turns": figures.turns,
        "forks": figures.forks,
        "tokens": figures.tokens.total_tokens if figures.tokens.record_count else UNKNOWN,
        "cost": cost_text(figures.costs),
    }


async def _session(storage: Storage, target: Named) -> Shown:
    session = await storage.sessions.get(target.id)
    figures = await session_figures(storage, session.id)
    threads = [t async for t in storage.threads.stream(session_id=session.id)]
    recent = await storage.sessions.interactions(session.id, newest_first=True, limit=20)
    payload = entity(session) | figures.payload
    payload["threads"] = [thread.id for thread in threads]
    payload["newest_interactions"] = [entity(interaction) for interaction in recent]
    shown = told(session) | _figures(figures)
    shown["threads"] = {thread.id: thread.title for thread in threads}
    if recent.items:
        shown["newest interactions"] = [told(interaction) for interaction in recent]
    return payload, shown


async def _thread(storage: Storage, target: Named) -> Shown:
    thread = await storage.threads.get(target.id)
    figures = await thread_figures(storage, thread.id)
    lineage = [each.id for each in await storage.threads.lineage(thread.id)]
    branches = await storage.threads.branches(thread.id)
    snapshots = await storage.threads.snapshots(thread.id)
    tip = await newest(storage, thread.id)
    count = await storage.checkpoints.count(thread.id)
    payload = entity(thread) | figures.payload
    payload |= {
        "lineage": list(lineage),
        "branches": [entity(branch) for branch in branches],
        "snapshots": [entity(snapshot) for snapshot in snapshots],
        "newest_checkpoint_id": None if tip is None else tip.id,
        "checkpoints": count,
    }
    shown = told(thread) | _figures(figures)
    shown |= {"lineage": lineage, "checkpoints": count}
    if tip is not None:
        shown["newest checkpoint"] = tip.id
    if branches:
        shown["branches"] = {f"{b.name or b.id} ({b.status})": b.thread_id for b in branches}
    if snapshots:
        shown["snapshots"] = {s.name: s.description or stamp(s.created_at) for s in snapshots}
    return payload, shown


async def _checkpoint(storage: Storage, target: Named) -> Shown:
    checkpoint = await storage.checkpoints.load(target.id)
    shown = told(checkpoint)
    shown.pop("state", None)  # it may be long: all else comes before it
    shown["size"] = size(checkpoint.size)
    writes = await storage.states.writes(target.id)
    if writes:
        shown["written since"] = [f"{write.channel}: {worded(write.value)}" for write in writes]
    # What a graph stopped for, or failed with, is what one looks for.
    shown |= {w.channel: w.value for w in writes if w.channel.startswith("__")}
    shown["state"] = checkpoint.state
    payload = entity(checkpoint)
    payload["writes"] = [_written(write) for write in writes]
    return payload, shown


def _written(write: Write) -> Json:
    return {
        "task_id": write.task_id,
        "task_path": write.task_path,
        "index": write.index,
        "channel": write.channel,
        "value": faithful(write.value),
    }


async def _snapshot(storage: Storage, target: Named) -> Shown:
    snapshot = await Refs(storage).snapshot(target)
    return entity(snapshot), told(snapshot)


async def _branch(storage: Storage, target: Named) -> Shown:
    branch = await Refs(storage).branch(target)
    return entity(branch), told(branch)


async def _entry(storage: Storage, target: Named) -> Shown:
    entry = await storage.history.get(target.id)
    return entity(entry), told(entry)


_WHOLE: Final[Mapping[str, Callable[[Storage, Named], Awaitable[Shown]]]] = {
    "session": _session,
    "thread": _thread,
    "checkpoint": _checkpoint,
    "snapshot": _snapshot,
    "branch": _branch,
}
