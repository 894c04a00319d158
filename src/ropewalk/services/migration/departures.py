"""`Departures`: what was brought earlier and is no longer in the source: told, or taken away."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final, cast

from ...domain.change import Batch, Change, Delete
from ...domain.errors import Conflict
from ...domain.migration import JOURNAL, journal_id
from ...domain.query import Query
from ...domain.record import Key, Record
from ...domain.source import Note
from .journal import KEPT, Known
from .writing import TREES

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ..desk import Desk
    from .account import Account
    from .journal import Journal
    from .ledger import Ledger
    from .sightings import Sightings

_AT_ONCE: Final = 200
_PARENTS: Final = ("thread", "session")
"""Kinds that others belong to: they go last, and only once nothing belongs to them."""


class Departures:
    """Compares what the journal has under a plan's name with what a run met."""

    def __init__(
        self, desk: Desk, journal: Journal, ledger: Ledger, account: Account, met: Sightings
    ) -> None:
        """Look in the space of `desk` for what is not in `met`."""
        self._desk = desk
        self._journal = journal
        self._ledger = ledger
        self._account = account
        self._met = met

    async def look(self, *, apply: bool) -> None:
        """Count what is gone, and with `apply` remove it, children first.

        What somebody changed in the target since stays, and what others belong to; both are told.
        """
        plan = self._ledger.state.plan
        await self._pass(None, apply=apply)
        if apply:
            for kind in _PARENTS:
                if plan.wants(kind):
                    await self._pass(kind, apply=True)

    async def _pass(self, kind: str | None, *, apply: bool) -> None:
        plan = self._ledger.state.plan
        gone: list[Known] = []
        rows = cast("AsyncGenerator[Known, None]", self._journal.items(plan.name, kind))
        async with aclosing(rows):
            async for known in rows:
                later = kind is None and apply and known.kind in _PARENTS
                if later or not plan.wants(known.kind) or self._is_met(known):
                    continue
                if known.kind in TREES:
                    continue
                self._account.count("vanished", known.kind)
                gone.append(known)
                if len(gone) == _AT_ONCE:
                    await self._remove(gone, apply=apply)
                    gone = []
        await self._remove(gone, apply=apply)

    def _is_met(self, known: Known) -> bool:
        return journal_id(self._ledger.state.plan.name, known.kind, known.source_id) in self._met

    async def _remove(self, gone: list[Known], *, apply: bool) -> None:
        if not gone or not apply:
            return
        keys = [Key(self._desk.space, known.kind, known.source_id) for known in gone]
        there = await self._desk.backend.get(keys, bodies=False)
        changes: list[Change] = []
        dropped: list[Known] = []
        for known, key, record in zip(gone, keys, there, strict=True):
            if await self._stays(known, record):
                continue
            dropped.append(known)
            if record is not None and known.how != KEPT:
                changes.append(Delete(key=key, expect=record.version))
                self._account.count("removed", known.kind)
        ledger = self._ledger
        ledger.notes, ledger.dropped, ledger.dates = {}, dropped, {}
        try:
            if changes:
                await ledger.apply(Batch(tuple(changes), actor=self._desk.actor))
            elif dropped:
                await ledger.flush(self._desk.actor)
        except Conflict as error:
            message = (
                "somebody changed what is no longer in the source while it was taken away; "
                f"run it again: {error.message}"
            )
            raise Conflict(message, code=error.code, **error.facts) from error
        finally:
            ledger.dropped = ()

    async def _stays(self, known: Known, record: Record | None) -> bool:
        if record is None or known.how == KEPT:
            return False
        if record.version != known.version:
            self._tell(known, "changed_since", "it was changed in the target since it was brought")
            return True
        if known.kind in _PARENTS:
            of_thread = known.kind == "thread"
            query = Query(
                space=self._desk.space,
                thread_id=known.source_id if of_thread else None,
                session_id=None if of_thread else known.source_id,
                bodies=False,
            )
            rows = await self._desk.backend.tally(query, (), ("kind",))
            others = JOURNAL | {known.kind}
            if sum(row.count for row in rows if row.group[0] not in others):
                self._tell(known, "still_used", "records of the target belong to it")
                return True
        return False

    def _tell(self, known: Known, code: str, reason: str) -> None:
        told = f"{known.kind} {known.source_id!r} is no longer in the source, and stays: {reason}"
        place = f"{known.kind}/{known.source_id}"
        self._account.note(
            Note(code=code, place=place, reason=told, kind=known.kind, source_id=known.source_id)
        )
