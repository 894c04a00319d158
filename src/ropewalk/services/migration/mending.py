"""`Mending`: what a collection took of states whose roots were still to come is brought once more.

A collector of the target that works while a run goes on finds the nodes that were brought, and no
checkpoint yet that needs them. So their stamps are raised in the end, when every root is there: to
the generation of that moment, which each batch expects. What raised the generation earlier spares
them then, and what raises it later finds the roots.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from ...domain.change import Batch, Change, Check, Ensure, Put
from ...domain.errors import Conflict
from ...domain.record import Key
from ...domain.source import SourceRecord
from ...stores.trees import FAMILY, NODE
from ..checkpoints.saver import wait_after

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ...domain.record import Record
    from ...domain.source import Finding, Item, Source
    from ..desk import Desk
    from .ledger import Ledger
    from .writing import Writing

ATTEMPTS: Final = 8
_AT_ONCE: Final = 200
_FULL_BYTES: Final = 1024 * 1024


class Mending:
    """Remembers the generation of each family that nodes are brought into."""

    def __init__(self, desk: Desk, ledger: Ledger, writing: Writing) -> None:
        """Watch the families in the space of `desk`."""
        self._desk = desk
        self._ledger = ledger
        self._writing = writing
        self._expected: dict[str, int] = {}

    async def watch(self, items: Sequence[Item]) -> None:
        """Note the generations of families, before these items are written."""
        records = [item.record for item in items if isinstance(item, SourceRecord)]
        met = {_family_of(record) for record in records if record.key.kind == NODE}
        new = sorted(met - self._expected.keys())
        self._expected |= await self._generations(new)
        for record in records:
            known = self._expected.get(record.key.id)
            if record.key.kind == FAMILY and known is not None:
                self._expected[record.key.id] = max(known, record.version)

    async def mend(self, source: Source) -> None:
        """Bring once more the nodes of families that were collected since they were watched."""
        now = await self._generations(sorted(self._expected))
        collected = {name for name, expected in self._expected.items() if now[name] != expected}
        if not collected:
            return
        waiting: list[Record] = []
        size = 0
        findings = cast("AsyncGenerator[Finding, None]", source.read())
        async with aclosing(findings):
            async for finding in findings:
                if not isinstance(finding, SourceRecord) or finding.kind != NODE:
                    continue
                record = finding.record
                family = _family_of(record)
                if family not in collected:
                    continue
                is_full = len(waiting) == _AT_ONCE or size > _FULL_BYTES
                if waiting and (is_full or _family_of(waiting[0]) != family):
                    await self._stamp(waiting)
                    waiting, size = [], 0
                waiting.append(record)
                size += len(record.body or b"")
        if waiting:
            await self._stamp(waiting)

    async def _stamp(self, records: Sequence[Record]) -> None:
        """Write nodes of one family with its present generation, or raise them to it."""
        family = _family_of(records[0])
        fitted = [await self._writing.fitted(record) for record in records]
        keys = {Key(self._desk.space, FAMILY, family), *(record.key for record in fitted)}
        for attempt in range(1, ATTEMPTS + 1):
            changes = await self._changes(family, fitted)
            try:
                await self._ledger.ahead(Batch(tuple(changes), actor=self._desk.actor))
            except Conflict as error:
                if attempt == ATTEMPTS or error.facts.get("key") not in keys:
                    raise
                await wait_after(attempt)
            else:
                return

    async def _changes(self, family: str, records: Sequence[Record]) -> list[Change]:
        generation = (await self._generations([family]))[family]
        key, stamp = Key(self._desk.space, FAMILY, family), generation or 1
        headers = await self._desk.backend.get([record.key for record in records], bodies=False)
        changes: list[Change] = []
        changes.append(Check(key=key, expect=generation) if generation else Put(key=key, expect=0))
        for record, there in zip(records, headers, strict=True):
            if there is None:
                # As it was brought before: with the times that it has in the source.
                put = replace(Put.of(record), expect=0, version=max(stamp, record.version))
                changes.append(put)
            else:
                body = record.body or b""
                changes.append(Ensure(key=record.key, stamp=stamp, body=body, seal=record.seal))
        return changes

    async def _generations(self, families: Sequence[str]) -> dict[str, int]:
        keys = [Key(self._desk.space, FAMILY, name) for name in families]
        found = await self._desk.backend.get(keys, bodies=False) if keys else []
        return {
            name: 0 if record is None else record.version
            for name, record in zip(families, found, strict=True)
        }


def _family_of(node: Record) -> str:
    return node.key.id.rpartition(".")[0]
