"""What is well with a store and what is not, found out by trying."""

from __future__ import annotations

from typing import Final
from uuid import uuid4

from ...domain.errors import RopewalkError
from ...domain.health import Health, State
from ...domain.verified import Damage
from .folder import Folder
from .layout import COMMITS, STAGED
from .refusal import refusal
from .review import review

_NAMED: Final = 5
"""How many damaged things are named; the figures count all."""

HEADER_BYTES: Final = 325
"""What a record's file holds beside body, id and labels, about: see `format`."""

CHANGE_BYTES: Final = 90
"""What a removal adds to `commits.jsonl`, about."""


def examine(folder: Folder, *, min_free: int, deadline: float, thorough: bool) -> Health:
    """Read, write a few bytes, and look at the disk; raise nothing."""
    facts: dict[str, str | int | float] = {"root": str(folder.disk.root)}
    changed: list[Damage] = []
    reasons: list[str] = []
    try:
        with folder.reading(deadline) as mark:
            folder.heal()
            if thorough:
                changed = review(folder)
            room = folder.disk.room()
            facts |= {
                "records": len(folder.index),
                "commits": mark.seq,
                "journal_bytes": mark.end,
                "free_bytes": room.free,
                "record_bytes": HEADER_BYTES,
                "bare_bytes": HEADER_BYTES,
                "block_bytes": room.block,
                "change_bytes": CHANGE_BYTES,
                "damaged": len(folder.damaged) + len(folder.log.damaged),
            }
            reasons += _write_problem(folder)
    except RopewalkError as error:
        state = State.DEGRADED if error.code == "locked" else State.DOWN
        return Health(state, (error.message,), facts)
    except OSError as error:
        return Health(State.DOWN, (refusal(error, folder.disk.root).message,), facts)
    if room.free < min_free:
        reasons.append(
            f"the disk of {folder.disk.root} is nearly full: {room.free} bytes are free, and "
            f"min_free_bytes is {min_free}; make room"
        )
    reasons += _damages(folder)
    reasons += [f"{damage.key}: {damage.reason}" for damage in changed[:_NAMED]]
    if len(changed) > _NAMED:
        reasons.append(f"and {len(changed) - _NAMED} more headers are not what was written")
    reasons += folder.notes
    if folder.trouble is not None:
        reasons.append(f"the journal could not be emptied: {folder.trouble.message}")
    state = State.DEGRADED if reasons else State.HEALTHY
    damages = tuple(_all_damages(folder)) if thorough else ()
    return Health(state, tuple(reasons), facts, damages, tuple(changed))


def _write_problem(folder: Folder) -> list[str]:
    probe = f"{STAGED}/probe-{uuid4().hex}"
    try:
        try:
            folder.disk.write(probe, [bytes(4_096)])
        finally:
            folder.disk.remove(probe)
    except OSError as error:
        return [f"nothing can be written: {refusal(error, folder.disk.root).message}"]
    return []


def _damages(folder: Folder) -> list[str]:
    damages = _all_damages(folder)
    named = [*damages[: len(folder.damaged)][:_NAMED], *damages[len(folder.damaged) :][:_NAMED]]
    more = len(damages) - len(named)
    return [*named, f"and {more} more are damaged"] if more else named


def _all_damages(folder: Folder) -> list[str]:
    """Return what is damaged: records first, then lines of the log."""
    return [
        f"{path} is damaged, because {reason}: restore it from a backup"
        for path, reason in sorted(folder.damaged.items())
    ] + [
        f"line {line + 1} of {COMMITS} is damaged, because {reason}: restore it from a backup"
        for line, reason in sorted(folder.log.damaged.items())
    ]
