"""`ropewalk diff`: what differs between two states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import click

from ...domain.diff import Diff, Difference, DifferenceKind
from ...domain.errors import NotFound
from .command import Example, Invocation, command
from .contrast import as_document, lines_of
from .exits import Exit
from .opening import opened, run
from .output import Column, Output
from .payload import Json, faithful
from .refs import Refs, position_of
from .text import clean
from .tips import checkpoint_of, newest

if TYPE_CHECKING:
    from ...domain.checkpoint import CheckpointHeader
    from ...services.storage import Storage

_DEMO: Final = "-u sqlite:///ropewalk-demo.db"
_WITH_OLD: Final = {
    *(DifferenceKind.REMOVED, DifferenceKind.CHANGED),
    *(DifferenceKind.CUT, DifferenceKind.REORDERED),
}
_WITH_NEW: Final = {
    *(DifferenceKind.ADDED, DifferenceKind.CHANGED, DifferenceKind.APPENDED),
    *(DifferenceKind.INSERTED, DifferenceKind.REORDERED),
}


@command(
    examples=[
        Example(f"ropewalk diff rome {_DEMO}", "what the last step changed"),
        Example(f"ropewalk diff rome~2 rome {_DEMO}", "what the last two steps changed"),
        Example(f"ropewalk diff rome rome/cheaper --stat {_DEMO}", "how far two threads differ"),
        Example(f"ropewalk diff rome~1 rome --patch {_DEMO}", "the same as JSON Patch"),
    ],
    exits=(Exit.DONE, Exit.USAGE, Exit.NOT_FOUND, Exit.NO_STORE),
)
@click.argument("old", metavar="A")
@click.argument("new", metavar="[B]", required=False)
@click.option("--patch", is_flag=True, help="JSON Patch (RFC 6902) that makes B's state of A's.")
@click.option("--stat", is_flag=True, help="Only how much differs in each part of the state.")
@click.pass_obj
def diff(invocation: Invocation, old: str, new: str | None, *, patch: bool, stat: bool) -> None:
    """Tell what differs between two states.

    A and B are REFs of checkpoints, or of threads and other places, which stand for the newest
    checkpoint there. A alone is compared with the checkpoint before it. Ends with 0 whether or
    not the states differ; only parts that differ are read.

    Each line is about one part: budget 300 → 260, messages +1 (assistant). Of long texts it shows
    the words that went, [-so-], and that came, {+so+}. A patch is for the state as
    show --state --json tells it, where each dictionary with texts for keys is an object.
    """
    if patch and stat:
        message = "ask for --patch or for --stat, not both"
        raise click.UsageError(message)
    run(_diff(invocation, old, new, patch=patch, stat=stat))


async def _diff(
    invocation: Invocation, old: str, new: str | None, *, patch: bool, stat: bool
) -> None:
    output = Output(invocation)
    async with opened(invocation) as storage:
        before, after = await _both(storage, old, new)
        found = await storage.checkpoints.diff(before.id, after.id)
    if patch:
        output.emit(cast("Json", found.json_patch(as_document)))
        return
    if not output.json:
        output.say(f"from {_called(before)} to {_called(after)}:")
        if not found.differences:
            output.say("the states are equal")
    if stat:
        _show_stat(output, found)
    elif output.json:
        told = [_payload(difference) for difference in found.differences]
        output.emit({"old_id": found.old_id, "new_id": found.new_id, "differences": told})
    else:
        for line in lines_of(found.differences, output):
            output.line(line)


def _called(header: CheckpointHeader) -> str:
    return f"checkpoint {clean(header.id)} of thread {clean(header.thread_id)}"


async def _both(
    storage: Storage, old: str, new: str | None
) -> tuple[CheckpointHeader, CheckpointHeader]:
    refs = Refs(storage)
    one = await checkpoint_of(storage, await refs.find(old))
    if new is None:
        return await _before(storage, one), one
    return one, await checkpoint_of(storage, await refs.find(new))


async def _before(storage: Storage, header: CheckpointHeader) -> CheckpointHeader:
    """Return the parent of a checkpoint, or the one before it where that was deleted."""
    found = await storage.checkpoints.find(header.parent_id) if header.parent_id else None
    if found is None:
        found = await newest(storage, header.thread_id, until=position_of(header))
    if found is None:
        message = f"there is no checkpoint before {header.id!r}; name another to compare it with"
        raise NotFound(message, what="checkpoint", id=header.id)
    return found


def _payload(difference: Difference) -> Json:
    told: dict[str, Json] = {"kind": difference.kind.value, "path": difference.path}
    told["steps"] = list(difference.steps)
    if difference.kind in _WITH_OLD:
        told["old"] = faithful(difference.old)
    if difference.kind in _WITH_NEW:
        told["new"] = faithful(difference.new)
    return told


@dataclass(slots=True)
class _Count:
    """How many keys and items of a part came, went and changed."""

    added: int = 0
    removed: int = 0
    changed: int = 0

    def add(self, difference: Difference) -> None:
        match difference.kind:
            case DifferenceKind.ADDED:
                self.added += 1
            case DifferenceKind.REMOVED:
                self.removed += 1
            case DifferenceKind.APPENDED | DifferenceKind.INSERTED:
                self.added += len(cast("Sequence[object]", difference.new))
            case DifferenceKind.CUT:
                self.removed += len(cast("Sequence[object]", difference.old))
            case DifferenceKind.CHANGED | DifferenceKind.REORDERED:
                self.changed += 1


def _show_stat(output: Output, found: Diff) -> None:
    """Write for each key of the state how many of its parts came, went and changed."""
    counts: dict[str, _Count] = {}
    for difference in found.differences:
        part = str(difference.steps[0]) if difference.steps else ""
        counts.setdefault(part, _Count()).add(difference)
    if output.json:
        parts: list[Json] = [
            {
                "part": part,
                "added": count.added,
                "removed": count.removed,
                "changed": count.changed,
            }
            for part, count in counts.items()
        ]
        output.emit({"old_id": found.old_id, "new_id": found.new_id, "parts": parts})
    elif counts:
        columns = [
            Column("part", style="cyan"),
            Column("added", right=True, style="green"),
            Column("removed", right=True, style="red"),
            Column("changed", right=True),
        ]
        rows = [
            (
                part or "state",
                output.number(count.added),
                output.number(count.removed),
                output.number(count.changed),
            )
            for part, count in counts.items()
        ]
        output.table(columns, rows)
