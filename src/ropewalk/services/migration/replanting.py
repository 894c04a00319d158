"""`Replanting`: states whose parts are named by another secret, handed on to be planted anew."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ...domain.errors import Corrupt, Invalid
from ...domain.record import Key
from ...domain.source import Note, Problem, SourceItem, SourceRecord
from ...stores.trees import DICTIONARY, FAMILY, HEAD, NODE, SECRET
from .spool import Spool
from .stored import StoredStates

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ...domain.record import Record
    from ...domain.source import Entity, Finding, Source
    from ..desk import Desk

_PARTS: Final = frozenset({SECRET, DICTIONARY, NODE})
_OWN: Final = frozenset({FAMILY, HEAD})
"""Kinds that the target's own writers make, for the states that they write."""

_STATES: Final = frozenset({"checkpoint", "write"})
_REASON: Final = (
    "the target has states of its own, whose parts are named by another secret: those of the "
    "source are named anew, and their versions begin at 1"
)


class Replanting:
    """Stands between a source and whoever writes or compares what it brings.

    As long as the target has no states, or those of the same secret, everything passes as it is.
    Otherwise the parts of the source's states are put aside, and each checkpoint and each pending
    write is handed on with its value, byte for byte as it was stored.
    """

    def __init__(self, desk: Desk) -> None:
        """Look at the secret in the space of `desk`."""
        self._desk = desk
        self._spool: Spool | None = None
        self._states: dict[str, StoredStates] = {}

    async def read(self, source: Source) -> AsyncGenerator[Finding, None]:
        """Go through what a source brings, once."""
        findings: AsyncGenerator[Finding, None] = source.read()  # type: ignore[assignment]
        try:
            async with aclosing(findings):
                async for finding in findings:
                    if isinstance(finding, SourceRecord):
                        taken = await self._taken(finding)
                        if taken is not None:
                            yield taken
                    else:
                        yield finding
        finally:
            if self._spool is not None:
                self._spool.end()

    async def _taken(self, item: SourceRecord) -> Finding | None:
        if self._spool is None:
            if item.kind != SECRET or not await self._is_another(item.record):
                return item
            self._spool = Spool(self._desk.backend)
            self._spool.add(item.record)
            return Note(code="named_anew", place=item.place, reason=_REASON)
        if item.kind in _PARTS:
            self._spool.add(item.record)
            # A dictionary that says what leans on it is needed by more than the states.
            return item if item.kind == DICTIONARY and item.record.labels else None
        if item.kind in _OWN:
            return None
        return await self._state(item, self._spool) if item.kind in _STATES else item

    async def _is_another(self, record: Record) -> bool:
        """Tell whether the target has a secret that is not this one, which can be read here."""
        key = Key(self._desk.space, SECRET, record.key.id)
        [own] = await self._desk.backend.get([key])
        if own is None:
            return False
        unpack = self._desk.sealer.unpack
        try:
            theirs = unpack(record)
        except (Corrupt, Invalid):
            return False  # so it is judged as it is, and refused
        return unpack(own) != theirs

    async def _state(self, item: SourceRecord, spool: Spool) -> Finding:
        space = item.record.key.space
        if space not in self._states:
            desk = replace(self._desk, backend=spool, space=space)
            self._states[space] = StoredStates(desk)
        states = self._states[space]
        try:
            entity: Entity = (
                await states.checkpoint(item.record)
                if item.kind == "checkpoint"
                else await states.write(item.record)
            )
        except (Corrupt, Invalid) as error:
            reason = f"its value cannot be taken over: {error.message}"
            raw = item.record.body
            return Problem(code=error.code, place=item.place, reason=reason, raw=raw)
        return SourceItem(
            kind=item.kind,
            source_id=item.source_id,
            place=item.place,
            digest=item.digest,
            entity=entity,
        )
