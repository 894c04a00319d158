"""`Judging`: decide what becomes of each item, by what is known of it and what is in the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ...domain.errors import Conflict, Corrupt
from ...domain.migration import OnConflict, content_digest
from ...domain.moment import to_micros
from ...domain.record import Key, Record
from ...domain.source import SourceRecord
from ...stores.trees import FAMILY, HEAD, NODE, SECRET
from .content import fingerprint
from .journal import KEPT, NEW, REPLACED, SAME, Known
from .writing import Choice

if TYPE_CHECKING:
    from ...domain.migration import Plan
    from ...domain.source import Item
    from ..desk import Desk
    from .journal import Journal
    from .reading import Reading
    from .writing import Writing

STAMPS: Final = frozenset({FAMILY, HEAD, NODE})
"""Kinds whose records say something by their version alone, which only rises."""


class Judging:
    """Looks at a batch of items at once: two reads, and one more for each conflict."""

    def __init__(
        self,
        desk: Desk,
        journal: Journal,
        plan: Plan,
        reading: Reading,
        writing: Writing,
        *,
        run: str,
        since_last: bool,
    ) -> None:
        """Judge by `plan`; with `since_last`, what the target has of unchanged items is trusted."""
        self._desk = desk
        self._journal = journal
        self._plan = plan
        self._reading = reading
        self._writing = writing
        self._run = run
        self._since_last = since_last

    async def judge(self, items: Sequence[Item]) -> list[tuple[Choice, bool]]:
        """Return what becomes of each item, and whether anything has to be written for it.

        Raises `Conflict` where the plan says that one must not be.
        """
        known = await self._journal.find(self._plan.name, items)
        looked = [
            self._key(item)
            for item, one in zip(items, known, strict=True)
            if not (self._since_last and self._is_settled(item, one))
        ]
        there = await self._reading.headers(looked)
        return [
            await self._one(item, one, there.get(self._key(item)))
            for item, one in zip(items, known, strict=True)
        ]

    def _key(self, item: Item) -> Key:
        return Key(self._desk.space, item.kind, item.source_id)

    async def _one(
        self, item: Item, known: Known | None, there: Record | None
    ) -> tuple[Choice, bool]:
        if known is not None and self._is_settled(item, known):
            if known.run == self._run:
                return Choice(item=item, how=known.how, known=known, there=there), False
            if self._since_last or known.how == KEPT or there is not None:
                how = KEPT if known.how == KEPT else SAME
                return Choice(item=item, how=how, known=known, there=there), False
        if there is None:
            return Choice(item=item, how=NEW, known=known), True
        if self._is_older_stamp(item, there):
            return Choice(item=item, how=SAME, known=known, there=there), False
        untouched = known is not None and known.how != KEPT and known.version == there.version
        if untouched or item.kind in STAMPS:
            return Choice(item=item, how=REPLACED, known=known, there=there), True
        return await self._conflict(item, known, there)

    def _is_settled(self, item: Item, known: Known | None) -> bool:
        """Tell whether an item is as it was last time; what was left is asked about anew."""
        if known is None or known.digest != item.digest:
            return False
        return known.how != KEPT or self._plan.on_conflict is OnConflict.SKIP

    def _is_older_stamp(self, item: Item, there: Record) -> bool:
        return (
            isinstance(item, SourceRecord)
            and item.kind in STAMPS
            and item.record.version <= there.version
        )

    async def _conflict(
        self, item: Item, known: Known | None, there: Record
    ) -> tuple[Choice, bool]:
        found = (await self._reading.records([there.key])).get(there.key)
        if found is None:
            return Choice(item=item, how=NEW, known=known), True
        if await self._is_same(item, found):
            content = bytes.fromhex(content_digest(found))
            return Choice(item=item, how=SAME, known=known, there=found, content=content), True
        self._check_secret(item)
        policy = self._plan.on_conflict
        if policy is OnConflict.FAIL:
            message = (
                f"{there.key} stands in the target already, with other content than {item.place}: "
                "say in the plan what to do (on_conflict = skip, overwrite or keep-newer), "
                "or remove it"
            )
            raise Conflict(message, code="exists_in_target", key=there.key, place=item.place)
        newer = _changed_at(item) > found.updated_at
        if policy is OnConflict.OVERWRITE or (policy is OnConflict.KEEP_NEWER and newer):
            return Choice(item=item, how=REPLACED, known=known, there=found), True
        return Choice(item=item, how=KEPT, known=known, there=found), True

    async def _is_same(self, item: Item, found: Record) -> bool:
        if isinstance(item, SourceRecord):
            wanted = await self._writing.fitted(item.record)
            return content_digest(wanted) == content_digest(found)
        values = self._desk.sealer.values
        try:
            entity = await self._reading.entity(found, like=item.entity)
        except Corrupt:
            return False  # whatever it was: the plan says what becomes of it
        return fingerprint(entity, values) == fingerprint(item.entity, values)

    def _check_secret(self, item: Item) -> None:
        """Refuse nodes that are named by another secret than those that are there."""
        if item.kind == SECRET:
            message = (
                f"space {self._desk.space!r} of the target has states of its own already, whose "
                "parts are named by another secret than those of the source. They are named anew "
                "where they can be opened with the settings of the target, and where the copy "
                "does not follow its source: copy into an empty space"
            )
            raise Conflict(message, code="other_secret", key=self._key(item))


def _changed_at(item: Item) -> int:
    """Return when an item was changed last, as far as it tells, in microseconds."""
    if isinstance(item, SourceRecord):
        return item.record.updated_at
    moment = getattr(item.entity, "updated_at", item.entity.created_at)
    return to_micros(moment)
