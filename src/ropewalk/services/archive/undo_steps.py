"""Take what is to be erased out of the journals of migrations: rollbacks would put it back."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from ...domain.change import Delete
from ...domain.migration import journal_id
from ...domain.record import Key
from ..migration.journal import ITEM, STEP
from ..migration.sightings import Sightings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from ...domain.change import Change
    from ...domain.record import Record
    from ..desk import Desk
    from ..migration.journal import Journal
    from .selection import Selection


async def named(selection: Selection, kinds: Sequence[str]) -> Sightings:
    """Return the names of all records of a selection."""
    found = Sightings()
    for kind in kinds:
        async for record in selection.records(kind):
            found.add(_name(kind, record.key.id))
    return found


async def clean_steps(desk: Desk, journal: Journal, gone: Sightings, plans: Sequence[str]) -> int:
    """Take out of every step what is said of the records named; return how many entries went.

    A rollback leaves these records alone then.
    """
    if not plans:
        return 0
    count = 0
    for run in await journal.runs():
        steps = cast("AsyncGenerator[Record, None]", journal.steps(run.id))
        async with aclosing(steps):
            async for step in steps:
                count += await _clean(desk, journal, step, gone, run.plan.name)
    return count


async def _clean(desk: Desk, journal: Journal, step: Record, gone: Sightings, plan: str) -> int:
    value = cast("dict[str, Any]", await journal.opened(step))
    rows: list[list[Any]] = value["entries"]
    stays, goes = list[list[Any]](), list[list[Any]]()
    for row in rows:
        (goes if _is_about(row, gone, plan) else stays).append(row)
    if not goes:
        return 0
    changes: list[Change] = [
        await journal.put(step.key, {**value, "entries": stays}, expect=step.version)
    ]
    changes += [Delete(key=Key(desk.space, STEP, row[-1])) for row in goes if _is_aside(row)]
    await desk.commit(changes)
    return len(goes)


def _is_about(row: list[Any], gone: Sightings, plan: str) -> bool:
    kind, id_ = str(row[0]), str(row[1])
    if kind != ITEM:
        return _name(kind, id_) in gone
    inner, _, source_id = id_.removeprefix(f"{plan}/").partition("/")
    return id_ == journal_id(plan, inner, source_id) and _name(inner, source_id) in gone


def _is_aside(row: list[Any]) -> bool:
    return len(row) > 4 and isinstance(row[-1], str)  # noqa: PLR2004 (kind, id, after, whole, body)


def _name(kind: str, id_: str) -> str:
    return f"{kind}\0{id_}"
