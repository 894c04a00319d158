"""A source that is a shelf of entities: tests put on it, change and take off what they like."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from ropewalk.domain.change import Commit
from ropewalk.domain.checkpoint import Checkpoint
from ropewalk.domain.history import Message
from ropewalk.domain.migration import OnConflict, Plan
from ropewalk.domain.record import Key
from ropewalk.domain.session import Session
from ropewalk.domain.source import (
    Entity,
    Finding,
    FormatCount,
    Inventory,
    Note,
    Problem,
    Skipped,
    SourceItem,
    SourceRecord,
)
from ropewalk.domain.thread import Thread

WHEN: Final = datetime(2025, 11, 1, tzinfo=UTC)

PLAN: Final = Plan(name="shelf", format="shelf", place="here", batch=10)

KINDS: Final[dict[type, str]] = {
    Session: "session",
    Thread: "thread",
    Message: "message",
    Checkpoint: "checkpoint",
}


def plan(policy: OnConflict = OnConflict.FAIL, *, allow_loss: tuple[str, ...] = ()) -> Plan:
    """Return the plan of the shelf with another policy or with losses."""
    return replace(PLAN, on_conflict=policy, allow_loss=allow_loss)


def session(id: str, title: str = "", *, minute: int = 0) -> Session:
    """Return a session that was last changed in this minute."""
    changed = WHEN + timedelta(minutes=minute)
    return Session(id=id, title=title, created_at=WHEN, updated_at=changed)


def thread(id: str, session_id: str = "s") -> Thread:
    """Return a thread of a session."""
    return Thread(id=id, session_id=session_id, root_id=id, created_at=WHEN, updated_at=WHEN)


def message(number: int, text: str = "hello", *, thread_id: str = "t") -> Message:
    """Return the message of a number."""
    return Message(
        id=f"m{number:05}",
        session_id="s",
        thread_id=thread_id,
        role="user",
        content=f"{text} {number}",
        created_at=WHEN + timedelta(seconds=number),
    )


def checkpoint(number: int, *, size: int = 3, thread_id: str = "t") -> Checkpoint:
    """Return the checkpoint of a number; each continues the one before."""
    when = WHEN + timedelta(seconds=number)
    return Checkpoint(
        id=f"c{number:05}",
        session_id="s",
        thread_id=thread_id,
        parent_id=f"c{number - 1:05}" if number else None,
        created_at=when,
        updated_at=when,
        state={"messages": [f"{n}" * 40 for n in range(number + size)], "step": number},
    )


class Shelf:
    """Brings what is on it, in the order of kinds that sources promise."""

    def __init__(self, *entities: Entity, told: Sequence[Finding] = ()) -> None:
        """Begin with these, and with something else to tell behind them."""
        self._entities: dict[tuple[str, str], Entity] = {}
        self.told = list(told)
        self.put(*entities)
        self.reads = 0

    def put(self, *entities: Entity) -> None:
        """Put entities on the shelf, in the place of those with the same id."""
        for entity in entities:
            self._entities[KINDS[type(entity)], entity.id] = entity

    def take(self, kind: str, id: str) -> None:
        """Take one off."""
        del self._entities[kind, id]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._entities)

    async def scan(self) -> Inventory:
        """Count what is there."""
        kinds = Counter(kind for kind, _ in self._entities)
        problems = tuple(told for told in self.told if isinstance(told, Problem))
        formats = tuple(
            FormatCount(format=told.format, files=1, items=told.items, size=0, read=False)
            for told in self.told
            if isinstance(told, Skipped)
        )
        return Inventory(place="shelf", kinds=kinds, problems=problems, formats=formats)

    async def read(self) -> AsyncIterator[Finding]:
        """Bring it."""
        self.reads += 1
        order = list(KINDS.values())
        entities = sorted(self._entities.items(), key=lambda e: (order.index(e[0][0]), e[0][1]))
        for (kind, id_), entity in entities:
            yield SourceItem(
                kind=kind,
                source_id=id_,
                place=f"shelf/{kind}/{id_}",
                digest=hashlib.sha256(repr(entity).encode()).hexdigest(),
                entity=entity,
            )
        for told in self.told:
            yield told


class ToldShelf(Shelf):
    """Also tells its commits, of which there is one: all that was put on it."""

    async def changed(self, after: int) -> int:
        """Return the number of that commit, and never of another."""
        if after >= 1:
            await asyncio.Event().wait()
        return 1

    async def commits(self, after: int) -> AsyncIterator[Commit]:
        """Tell nothing: what was put on it was brought already."""
        none: tuple[Commit, ...] = ()
        for commit in none[after:]:
            yield commit

    async def current(
        self, keys: Sequence[Key], *, bodies: bool = True
    ) -> list[SourceRecord | None]:
        """Know of no records, as nobody is told of any."""
        del bodies
        return [None] * len(keys)


def full_shelf(messages: int = 25, checkpoints: int = 6) -> Shelf:
    """Return a shelf with a session, a thread, and so many of the others."""
    return Shelf(
        session("s", "Rome"),
        thread("t"),
        *(message(n) for n in range(messages)),
        *(checkpoint(n) for n in range(checkpoints)),
    )


ODDITIES: Final[tuple[Finding, ...]] = (
    Note(code="odd", place="s.json", reason="looks odd"),
    Problem(code="torn", place="m.jsonl:9", reason="ends early", excerpt="{", raw=b'{"id'),
    Skipped(format="g1", place="old.json", items=3, reason="an older generation"),
)
"""One of everything that a source may tell beside its items."""
