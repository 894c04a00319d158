"""`RopewalkSource`: a store of our own as a source: its records, sealed as they are."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from ..domain.errors import NotFound
from ..domain.leaning import DICTIONARY
from ..domain.migration import JOURNAL, content_digest
from ..domain.ports import Capability, require
from ..domain.query import Order, Query
from ..domain.record import Key
from ..domain.source import FormatCount, Inventory, Note, SourceRecord

if TYPE_CHECKING:
    from ..domain.change import Commit
    from ..domain.ports import Backend
    from ..domain.record import Record
    from ..domain.source import Finding

_FIRST: Final = ("secret", DICTIONARY, "node", "family", "head", "session", "thread")
_LAST: Final = ("checkpoint", "write")
_BY_ID: Final = Order("id")
_REASON: Final = "it tells of migrations into that store, and stays with it"


class RopewalkSource:
    """Reads one space of an open store, kind by kind: what states consist of comes before them.

    Bodies are not opened: whatever seals them, they are copied as they are, with their versions
    and times. Records that have expired are not there any more. The journals of migrations into
    that store stay behind, which a `Note` tells.
    """

    def __init__(self, backend: Backend, *, space: str) -> None:
        """Read `space` of `backend`, which somebody else opens and closes."""
        self._backend = backend
        self._space = space

    async def changed(self, after: int) -> int:
        """Return the number of the store's newest commit, as soon as it is greater than `after`."""
        require(self._backend, Capability.FEED)
        return await self._backend.changed(after)

    async def commits(self, after: int) -> AsyncGenerator[Commit, None]:
        """Go through the commits behind `after`, with what they changed in this space."""
        require(self._backend, Capability.FEED)
        rows = cast("AsyncGenerator[Commit, None]", self._backend.feed(after))
        async with aclosing(rows):
            async for commit in rows:
                own = tuple(change for change in commit.changes if self._is_own(change.key))
                yield replace(commit, changes=own)

    def _is_own(self, key: Key) -> bool:
        return key.space == self._space and key.kind not in JOURNAL

    async def current(
        self, keys: Sequence[Key], *, bodies: bool = True
    ) -> list[SourceRecord | None]:
        """Return the records of these keys as they are now; without `bodies`, headers alone."""
        found = await self._backend.get(keys, bodies=bodies)
        return [None if record is None else _item(record) for record in found]

    async def scan(self) -> Inventory:
        """Count the records by kind."""
        kinds = await self._kinds()
        if not kinds:
            message = (
                f"there is nothing in space {self._space!r} of the source: "
                "check the URL and the space"
            )
            raise NotFound(message, code="no_source", space=self._space)
        return Inventory(
            place=self._space,
            kinds=kinds,
            formats=(
                FormatCount(
                    format="ropewalk", files=1, items=sum(kinds.values()), size=0, read=True
                ),
            ),
        )

    async def _kinds(self) -> dict[str, int]:
        rows = await self._backend.tally(Query(space=self._space, bodies=False), (), ("kind",))
        counts = {str(row.group[0]): row.count for row in rows}
        return {kind: count for kind, count in counts.items() if kind not in JOURNAL}

    async def read(self) -> AsyncGenerator[Finding, None]:
        """Go through the records, each as it is when it is met."""
        kinds = await self._kinds()
        brought: set[str] = set()
        others = sorted(kinds.keys() - {*_FIRST, *_LAST})
        for kind in (*_FIRST, *others, *_LAST):
            if kind not in kinds:
                continue
            query = Query(space=self._space, kinds=(kind,), order=_BY_ID)
            rows = cast("AsyncGenerator[Record, None]", self._backend.scan(query))
            async with aclosing(rows):
                async for record in rows:
                    name = _leans_on(record.seal)
                    if name and name not in brought:
                        # It may have been made since those were read.
                        [found] = await self._backend.get([Key(self._space, DICTIONARY, name)])
                        brought.add(name)
                        if found is not None:
                            yield _item(found)
                    if kind != DICTIONARY or record.key.id not in brought:
                        yield _item(record)
                    if kind == DICTIONARY:
                        brought.add(record.key.id)
        journal = Query(space=self._space, kinds=tuple(sorted(JOURNAL)), bodies=False)
        [row] = await self._backend.tally(journal)
        if row.count:
            reason = f"{row.count} records of the journal: {_REASON}"
            yield Note(code="journal_stays", place=self._space, reason=reason)


def _leans_on(seal: str) -> str:
    """Return what may be the name of a dictionary in a seal: what a step says behind a colon."""
    for step in seal.split("|"):
        if step.startswith("zstd:"):
            return step.removeprefix("zstd:")
    return ""


def _item(record: Record) -> SourceRecord:
    return SourceRecord(
        kind=record.key.kind,
        source_id=record.key.id,
        place=str(record.key),
        digest=content_digest(record, version=True, dated=True),
        record=record,
    )
