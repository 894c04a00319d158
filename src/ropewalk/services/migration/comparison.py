"""`Comparison`: read a source once more, and compare each item with the journal and the target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from hashlib import sha256
from typing import TYPE_CHECKING, Final, cast

from ...domain.checkpoint import Checkpoint, PendingWrite
from ...domain.errors import Corrupt, Invalid
from ...domain.history import HistoryEntry
from ...domain.migration import Difference, Progress, VerifyReport, content_digest, journal_id
from ...domain.plain import PlainRecord
from ...domain.session import Interaction
from ...domain.source import Note, Problem, Skipped, SourceRecord
from ...domain.thread import Branch, Snapshot, Thread
from ...stores.trees import FAMILY, HEAD, NODE
from ..modules import Modules
from .content import field_that_differs
from .journal import KEPT, Known
from .reading import Reading
from .replanting import Replanting
from .sightings import Sightings
from .writing import Writing, is_wanted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ...domain.migration import Plan
    from ...domain.record import Key, Record
    from ...domain.source import Entity, Item, Source
    from ..desk import Desk
    from .journal import Journal

_AT_ONCE: Final = 200
_MOST: Final = 1_000
_UNNOTED: Final = frozenset({NODE, FAMILY, HEAD})
"""Kinds that go on living in the target: what counts is that they are there."""

_RANGE: Final = 1 << 32


class Comparison:
    """Compares once; holds a batch of items at a time."""

    def __init__(self, desk: Desk, journal: Journal, plan: Plan, *, sample: float) -> None:
        """Compare what `plan` brought into the space of `desk`; `sample` of it in depth."""
        self._desk = desk
        self._journal = journal
        self._plan = plan
        self._sample = sample
        self._reading = Reading(desk, Modules(desk))
        self._writing = Writing(desk)
        self._items = Counter[str]()
        self._compared = Counter[str]()
        self._unreadable = 0
        self._left_out = 0
        self._dangling = 0
        self._count = 0
        self._differences: list[Difference] = []
        self._met = Sightings()
        self._known = 0

    async def run(
        self, source: Source, *, progress: Callable[[Progress], None] | None = None
    ) -> VerifyReport:
        """Go through the source to its end, and through the journal for what it lacks by now."""
        waiting: list[Item] = []
        async with aclosing(Replanting(self._desk).read(source)) as findings:
            async for finding in findings:
                if isinstance(finding, Note | Problem | Skipped):
                    self._unreadable += isinstance(finding, Problem)
                    continue
                if not is_wanted(self._plan, finding):
                    self._left_out += 1
                    continue
                if self._may_be_kept(finding):
                    waiting.append(finding)
                if len(waiting) == _AT_ONCE:
                    await self._batch(waiting)
                    waiting = []
                    self._tell(progress)
        await self._batch(waiting)
        await self._look_for_the_vanished()
        return VerifyReport(
            name=self._plan.name,
            sample=self._sample,
            items=dict(self._items),
            compared=dict(self._compared),
            unreadable=self._unreadable,
            left_out=self._left_out,
            dangling=self._dangling,
            difference_count=self._count,
            differences=tuple(self._differences),
        )

    def _tell(self, progress: Callable[[Progress], None] | None) -> None:
        if progress is not None:
            done = self._items.total()
            progress(Progress(done=done, total=None, rate=0.0, left=None, kinds=self._items))

    def _note(self, item: Item | Known, code: str, reason: str, *, place: str = "") -> None:
        self._count += 1
        if len(self._differences) < _MOST:
            self._differences.append(
                Difference(
                    code=code,
                    kind=item.kind,
                    source_id=item.source_id,
                    place=place or getattr(item, "place", ""),
                    reason=reason,
                )
            )

    def _may_be_kept(self, item: Item) -> bool:
        """Tell whether an item has an id that a record can have; a run refused it otherwise."""
        try:
            self._reading.key(item.kind, item.source_id)
        except Invalid as error:
            self._note(item, error.code, f"it cannot be kept: {error.message}")
            return False
        return True

    async def _batch(self, items: Sequence[Item]) -> None:
        if not items:
            return
        notes = await self._journal.find(self._plan.name, items)
        keys = [self._reading.key(item.kind, item.source_id) for item in items]
        records = await self._reading.records(keys)
        sound: list[Item] = []
        for item, key, known in zip(items, keys, notes, strict=True):
            self._items[item.kind] += 1
            self._known += known is not None
            self._met.add(journal_id(self._plan.name, item.kind, item.source_id))
            if await self._item(item, known, records.get(key)):
                sound.append(item)
        await self._references(sound)

    async def _item(self, item: Item, known: Known | None, record: Record | None) -> bool:
        """Compare one item; return whether it is there as it should be."""
        if known is None and item.kind not in _UNNOTED:
            code = "not_brought" if record is None else "not_ours"
            self._note(item, code, "it was never brought: run the migration")
        elif known is not None and known.digest != item.digest and item.kind not in _UNNOTED:
            self._note(item, "changed_in_source", "it changed in the source since: run it again")
        elif record is None:
            self._note(item, "gone", "it was brought, and is not in the target any more")
        elif known is not None and known.how == KEPT:
            return False  # the plan said to leave what was there
        elif known is not None and not self._is_as_written(known, record):
            self._note(item, "changed_in_target", "it is not what was written")
        else:
            return await self._in_depth(item, record)
        return False

    def _is_as_written(self, known: Known, record: Record) -> bool:
        return record.key.kind in _UNNOTED or (
            bytes.fromhex(content_digest(record)) == known.content
        )

    async def _in_depth(self, item: Item, record: Record) -> bool:
        """Compare an item with what the target gives back, if it is among the sample."""
        drawn = int.from_bytes(sha256(str(record.key).encode()).digest()[:4])
        if drawn >= self._sample * _RANGE or item.kind in {FAMILY, HEAD}:
            return True
        self._compared[item.kind] += 1
        try:
            if isinstance(item, SourceRecord):
                differs = await self._record_differs(item, record)
            else:
                entity = await self._reading.entity(record, like=item.entity)
                differs = field_that_differs(item.entity, entity, self._desk.sealer.values)
        except (Corrupt, Invalid) as error:
            self._note(item, error.code, f"it cannot be read from the target: {error.message}")
            return False
        if differs is not None:
            self._note(item, "differs", f"its {differs} is not what the source says")
        return differs is None

    async def _record_differs(self, item: SourceRecord, record: Record) -> str | None:
        wanted = await self._writing.fitted(item.record)
        return None if content_digest(wanted) == content_digest(record) else "content"

    async def _references(self, items: Sequence[Item]) -> None:
        """Look whether what items refer to is there, wherever the source has it as well."""
        wanted: dict[Key, list[tuple[Item, str]]] = {}
        for item in items:
            for field, kind, id_ in _references(item):
                wanted.setdefault(self._reading.key(kind, id_), []).append((item, field))
        there = await self._reading.headers(list(wanted))
        missing = [key for key in wanted if key not in there]
        noted = [self._journal.item_key(self._plan.name, key.kind, key.id) for key in missing]
        notes = await self._reading.headers(noted)
        for key, note in zip(missing, noted, strict=True):
            if note not in notes:
                self._dangling += len(wanted[key])
                continue
            for item, field in wanted[key]:
                reason = f"its {field} leads to {key.kind} {key.id!r}, which is gone"
                self._note(item, "broken_link", reason)

    async def _look_for_the_vanished(self) -> None:
        name = self._plan.name
        if await self._journal.count_items(name) == self._known:
            return
        rows = cast("AsyncGenerator[Known, None]", self._journal.items(name))
        async with aclosing(rows):
            async for known in rows:
                is_met = journal_id(name, known.kind, known.source_id) in self._met
                if is_met or not self._plan.wants(known.kind) or known.how == KEPT:
                    continue
                # What is gone from both has expired, or was removed on both sides.
                if await self._reading.headers([self._reading.key(known.kind, known.source_id)]):
                    reason = "it was brought, and is no longer in the source: run it again"
                    self._note(known, "vanished", reason, place="journal")


def _references(item: Item) -> Iterator[tuple[str, str, str]]:
    """Go through what an item refers to: the field, and the kind and id that it names."""
    if isinstance(item, SourceRecord):
        named: Mapping[str, str | None] = {
            "session": item.record.session_id,
            "thread": item.record.thread_id,
        }
        yield from ((f"{kind}_id", kind, id_) for kind, id_ in named.items() if id_ is not None)
        return
    for field, kind, id_ in _named(item.entity):
        if id_ is not None:
            yield field, kind, id_


def _named(entity: Entity) -> Iterator[tuple[str, str, str | None]]:
    session_id = getattr(entity, "session_id", None)
    yield "session_id", "session", session_id
    match entity:
        case Interaction() | HistoryEntry() | PlainRecord():
            yield "thread_id", "thread", entity.thread_id
        case Thread():
            if entity.origin is not None:
                yield "origin", "thread", entity.origin.thread_id
                yield "origin", "checkpoint", entity.origin.checkpoint_id
        case Branch():
            yield "source_thread_id", "thread", entity.source_thread_id
            yield "thread_id", "thread", entity.thread_id
            yield "checkpoint_id", "checkpoint", entity.checkpoint_id
        case Snapshot():
            yield "thread_id", "thread", entity.thread_id
            yield "checkpoint_id", "checkpoint", entity.checkpoint_id
        case Checkpoint():
            yield "thread_id", "thread", entity.thread_id
            yield "parent_id", "checkpoint", entity.parent_id
        case PendingWrite():
            yield "thread_id", "thread", entity.thread_id
            yield "checkpoint_id", "checkpoint", entity.checkpoint_id
        case _:
            return
