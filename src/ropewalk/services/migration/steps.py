"""Read the steps of a run: which records each wrote, and what was there before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...domain.change import Put
from ...domain.errors import Corrupt
from ...domain.record import Key, Record
from .journal import STEP
from .ledger import Entry

if TYPE_CHECKING:
    from ..desk import Desk
    from .journal import Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one batch of a run did. `is_half` says that a rollback has taken away, not yet put back.

    `aside` are the records that hold big bodies of what was replaced.
    """

    record: Record
    entries: tuple[Entry, ...]
    families: tuple[str, ...]
    is_half: bool
    aside: tuple[Key, ...] = ()


async def read_step(desk: Desk, journal: Journal, record: Record) -> Step:
    """Read a step with the bodies that were set aside; raise `Corrupt` where it is damaged."""
    value = await journal.opened(record)
    try:
        rows: list[list[Any]] = value["entries"]
        aside = [Key(desk.space, STEP, row[4]) for row in rows if _is_aside(row)]
        bodies = {key.id: await _body(desk, key) for key in aside}
        return Step(
            record=record,
            entries=tuple(_entry(desk.space, row, bodies) for row in rows),
            families=tuple(value["families"]),
            is_half=bool(value.get("half")),
            aside=tuple(aside),
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        message = f"{record.key} is no step of a migration, or a damaged one: restore a backup"
        raise Corrupt(message, code="bad_journal", key=record.key) from error


async def halved(journal: Journal, step: Step) -> Put:
    """Make the change that notes: what this step wrote is taken away, and not yet put back."""
    value = await journal.opened(step.record)
    return await journal.put(step.record.key, {**value, "half": True}, expect=step.record.version)


async def _body(desk: Desk, key: Key) -> bytes:
    [record] = await desk.backend.get([key])
    if record is None:
        message = f"{key} is missing, which holds what a migration replaced: restore a backup"
        raise Corrupt(message, code="bad_journal", key=key)
    return record.body or b""


def _is_aside(row: list[Any]) -> bool:
    return len(row) > 4 and isinstance(row[4], str)  # noqa: PLR2004 (kind, id, after, whole, body)


def _entry(space: str, row: list[Any], bodies: dict[str, bytes]) -> Entry:
    kind, id_, after, *rest = row
    key = Key(space, kind, id_)
    if not rest:
        return Entry(key=key, after=after)
    whole, body = rest
    version, created_at, updated_at, session_id, thread_id, labels, seal, expires_at = whole
    before = Record(
        key=key,
        version=version,
        created_at=created_at,
        updated_at=updated_at,
        session_id=session_id,
        thread_id=thread_id,
        labels=labels,
        body=bodies[body] if isinstance(body, str) else body,
        seal=seal,
        expires_at=expires_at,
    )
    return Entry(key=key, after=after, before=before)
