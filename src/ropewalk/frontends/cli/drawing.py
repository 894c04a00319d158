"""The graph of a family of threads, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from .digest import checkpoint_digest
from .family import Family, Mark, nodes_of
from .graph import ASCII, UNICODE, draw
from .payload import Json, entity
from .text import clean, padded, width

if TYPE_CHECKING:
    from .output import Output
    from .refs import Refs

_GAP: Final = 2


async def show_graph(refs: Refs, output: Output, family: Family) -> None:
    """Draw the checkpoints of a family, one a line, with names for where they lead."""
    if output.json:
        output.emit(graph_payload(family))
        return
    pen = UNICODE if output.draws else ASCII
    rows = list(draw(family.points, pen))
    short = await refs.short(family.headers)
    lead = max((width(row.lead) for row in rows), default=0) + _GAP
    column = max(map(width, short.values()), default=0)
    for row in rows:
        if row.point is None:
            output.line(row.lead)
            continue
        header = family.headers[row.point.id]
        told = [
            row.lead.ljust(lead)
            + output.styled(padded(clean(short[header.id]), column), fg="cyan"),
            _marks(output, family.marks.get(header.id, ())),
            checkpoint_digest(header),
            output.styled("(rolled back)", dim=True) if row.point.hidden else "",
        ]
        output.line(" ".join(part for part in told if part))
    if family.empty:
        output.say(f"without any checkpoint: {', '.join(map(clean, family.empty))}")
    if family.cut:
        output.say("there are older checkpoints: raise --limit")


def _marks(output: Output, marks: Sequence[Mark]) -> str:
    names = [
        output.styled(f"snapshot: {clean(mark.name)}", fg="yellow")
        if mark.is_snapshot
        else output.styled(clean(mark.name), fg="green", bold=True)
        for mark in marks
    ]
    return f"({', '.join(names)})" if names else ""


def graph_payload(family: Family) -> dict[str, Json]:
    """Return the same for programs: threads, and checkpoints with what they continue."""
    threads: list[Json] = [
        {
            "thread_id": node.thread.id,
            "title": node.thread.title,
            "branch": None if node.branch is None else node.branch.name,
            "status": None if node.branch is None else node.branch.status.value,
            "forked_from": None if node.thread.origin is None else node.thread.origin.thread_id,
        }
        for node in nodes_of(family.root)
    ]
    points: list[Json] = [
        entity(family.headers[point.id])
        | {
            "parents": list(point.parents),
            "tip_of": [m.thread_id for m in _marks_at(family, point.id) if not m.is_snapshot],
            "snapshots": [m.name for m in _marks_at(family, point.id) if m.is_snapshot],
            "rolled_back": point.hidden,
        }
        for point in family.points
    ]
    return {"threads": threads, "checkpoints": points, "cut": family.cut}


def _marks_at(family: Family, id: str) -> Sequence[Mark]:
    return family.marks.get(id, ())
