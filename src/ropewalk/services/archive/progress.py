"""`ErasureNotes`: how far an erasure is, so that one that was broken off gives a whole receipt."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from ...domain.change import Delete, Put
from ...domain.errors import Corrupt
from ...domain.record import Key

if TYPE_CHECKING:
    from ..desk import Desk

ERASURE: Final = "erasure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What went so far: `total` is the sum over the records, `families` have nodes to be looked at.

    `revision` is the version of the note itself.
    """

    id: str
    started_at: int
    records: Counter[str] = field(default_factory=Counter[str])
    total: int = 0
    namespaces: set[str] = field(default_factory=set[str])
    families: set[str] = field(default_factory=set[str])
    forks: set[str] = field(default_factory=set[str])
    notes: int = 0
    undone: int = 0
    revision: int = 0


class ErasureNotes:
    """Keeps one note for each erasure under way; it names nobody, and goes when it is done."""

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        self._desk = desk

    async def begin(self, user_id: str) -> Done:
        """Return how far the erasure of a person is, beginning it where it is not under way."""
        id_ = hashlib.sha256(f"{self._desk.space}\0{user_id}".encode()).hexdigest()
        [record] = await self._desk.backend.get([Key(self._desk.space, ERASURE, id_)])
        if record is None:
            return Done(id=id_, started_at=self._desk.clock.now())
        value = cast("dict[str, Any]", await self._desk.sealer.unseal(record))
        try:
            return Done(
                id=id_,
                started_at=value["started_at"],
                records=Counter(value["records"]),
                total=int(value["total"], 16),
                namespaces=set(value["namespaces"]),
                families=set(value["families"]),
                forks=set(value["forks"]),
                notes=value["notes"],
                undone=value["undone"],
                revision=record.version,
            )
        except (KeyError, TypeError, ValueError) as error:
            message = f"{record.key} is no note of an erasure: delete it, and erase again"
            raise Corrupt(message, code="bad_note", key=record.key) from error

    async def put(self, done: Done) -> Put:
        """Make the change that notes how far it is, over the note of its revision."""
        key = Key(self._desk.space, ERASURE, done.id)
        value = {
            "started_at": done.started_at,
            "records": dict(done.records),
            "total": f"{done.total:x}",
            "namespaces": sorted(done.namespaces),
            "families": sorted(done.families),
            "forks": sorted(done.forks),
            "notes": done.notes,
            "undone": done.undone,
        }
        sealed = await self._desk.sealer.seal(value, key)
        return Put(key=key, body=sealed.body, seal=sealed.seal, expect=done.revision)

    async def end(self, done: Done) -> None:
        """Forget an erasure that is done."""
        if done.revision:
            await self._desk.commit([Delete(key=Key(self._desk.space, ERASURE, done.id))])
