"""`Writing`: turn source items into one batch: through the managers, or as sealed records."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from ...domain.change import Batch, Delete, Put
from ...domain.history import EntryKind
from ...domain.leaning import OF, Lending
from ...domain.plain import PlainRecord
from ...domain.record import Key
from ...domain.source import SourceItem, SourceRecord
from ...stores.kinds import DOORS
from ...stores.trees import DICTIONARY, FAMILY, HEAD, NODE, SECRET
from ..checkpoints.forest import Forest
from ..modules import Modules
from .journal import KEPT, SAME, Known
from .ledger import Tray
from .plain import PlainRecords

if TYPE_CHECKING:
    from ...domain.migration import Plan
    from ...domain.ports import Backend
    from ...domain.record import Record
    from ...domain.source import Item
    from ..desk import Desk
    from .ledger import Ledger

Adopt: TypeAlias = Callable[..., Awaitable[None]]

_PACKED: Final = "raw"
"""How the seals begin of bodies that are bytes, and no objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is to become of one item: `how`, what was known of it, and the record that is there."""

    item: Item
    how: str
    known: Known | None = None
    there: Record | None = None
    content: bytes = b""

    def note(self, run: str) -> Known:
        """Return what is to be noted; version and content are added when it is written."""
        return Known(
            kind=self.item.kind,
            source_id=self.item.source_id,
            digest=self.item.digest,
            run=run,
            how=self.how,
            version=self.there.version if self.how == SAME and self.there else 0,
            content=self.content,
            revision=self.known.revision if self.known else 0,
        )

    @property
    def is_written(self) -> bool:
        """Whether the target changes."""
        return self.how not in {SAME, KEPT}


class Writing:
    """Writes the chosen items of one batch through a ledger, all of them or none."""

    def __init__(self, desk: Desk) -> None:
        """Write into the space of `desk`."""
        self._desk = desk
        self._forest = Forest(desk)

    async def write(self, ledger: Ledger, choices: Sequence[Choice]) -> None:
        """Commit one batch.

        Raises `Conflict` where somebody else changed one of the records meanwhile, and what the
        managers raise for an entity that cannot be kept.
        """
        run = ledger.state.id
        ledger.notes = {
            self._key(choice): choice.note(run) for choice in choices if is_noted(choice.item)
        }
        written = [choice for choice in choices if choice.is_written]
        if not written:
            await ledger.flush(self._desk.actor)
            return
        if _is_plain(written):
            # One manager's one batch, of new records alone: nothing has to be gathered for it.
            ledger.dates = {}
            await self._adopt(ledger, written)
            return
        tray = Tray(ledger, self._desk.clock)
        await self._make_room(tray, written)
        for (is_record, _), group in groupby(written, key=_door):
            chosen = list(group)
            if is_record:
                await tray.apply(Batch(tuple([put async for put in self._puts(chosen)])))
            else:
                await self._adopt(tray, chosen)
        ledger.dates = tray.dates
        await tray.commit(id=self._desk.clock.new_id(), actor=self._desk.actor)

    def _key(self, choice: Choice) -> Key:
        return Key(self._desk.space, choice.item.kind, choice.item.source_id)

    async def _make_room(self, tray: Tray, written: Sequence[Choice]) -> None:
        """Take away within the batch what is replaced: managers write only what is new."""
        taken: list[Put | Delete] = [
            Delete(key=choice.there.key, expect=choice.there.version)
            for choice in written
            if choice.there is not None and isinstance(choice.item, SourceItem)
        ]
        if taken:
            await tray.apply(Batch(tuple(taken)))

    async def _adopt(self, below: Backend, chosen: Sequence[Choice]) -> None:
        desk = self._desk.over(below)
        entities = [c.item.entity for c in chosen if isinstance(c.item, SourceItem)]
        if all(isinstance(entity, PlainRecord) for entity in entities):
            await PlainRecords(desk).adopt(*cast("list[PlainRecord]", entities))
            return
        adopt = adopters(Modules(desk))[chosen[0].item.kind]
        await adopt(*entities)

    async def _puts(self, chosen: Sequence[Choice]) -> AsyncIterator[Put]:
        for choice in chosen:
            if isinstance(choice.item, SourceRecord):
                record = await self.fitted(choice.item.record)
                previous = choice.there.version if choice.there else 0
                version = record.version if record.version > previous else None
                yield replace(Put.of(record), expect=previous, version=version)

    async def fitted(self, record: Record) -> Record:
        """Return a record as it is to stand in this space, sealed anew where it is another one.

        A seal binds a body to its space, its kind and its id.
        """
        if record.key.space == self._desk.space:
            return record
        key = Key(self._desk.space, record.key.kind, record.key.id)
        sealer = self._desk.sealer
        if not record.seal:
            return replace(record, key=key)
        if record.seal.split("|")[0] == _PACKED:
            sealed = sealer.pack(await self._forest.open(record), key)
        else:
            # What its body leans on was brought into this space before it.
            if isinstance(sealer, Lending):
                value = await sealer.unseal_lent(record, space=key.space)
            else:
                value = await sealer.unseal(record)
            sealed = await sealer.seal(value, key)
        return replace(record, key=key, body=sealed.body, seal=sealed.seal)


def adopters(modules: Modules) -> Mapping[str, Adopt]:
    """Return who writes entities of each kind that were made elsewhere."""
    doors: dict[str, Adopt] = {
        "session": modules.sessions.adopt,
        "interaction": modules.sessions.adopt_interactions,
        "thread": modules.threads.adopt,
        "branch": modules.threads.adopt_branches,
        "snapshot": modules.threads.adopt_snapshots,
        "checkpoint": modules.checkpoints.adopt,
        "write": modules.checkpoints.adopt_writes,
    }
    return doors | {kind.value: modules.history.adopt for kind in EntryKind}


def is_wanted(plan: Plan, item: Item) -> bool:
    """Tell whether a plan wants an item; whoever wants states wants what they consist of."""
    if isinstance(item, SourceRecord) and item.kind in TREES:
        leaned_on = OF in item.record.labels
        return leaned_on or plan.wants("checkpoint") or plan.wants("write")
    return plan.wants(item.kind)


def is_noted(item: Item) -> bool:
    """Tell whether the journal keeps what became of an item: nodes are named by their content."""
    return not (isinstance(item, SourceRecord) and item.kind == NODE)


def fault_of(item: Item) -> str | None:
    """Return what is wrong about an item that no source should bring, if anything is."""
    if isinstance(item, SourceItem):
        plain = item.entity.kind if isinstance(item.entity, PlainRecord) else None
        if plain is not None and (plain in DOORS or plain != item.kind):
            return f"a plain record of kind {plain!r} is no item of kind {item.kind!r}"
        if plain is None and item.kind not in _KINDS:
            return f"no manager takes items of kind {item.kind!r}"
    own = item.record.key.id if isinstance(item, SourceRecord) else item.entity.id
    if own != item.source_id:
        return f"its id is {own!r}, and the source calls it {item.source_id!r}"
    return None


_RECORDS: Final = "records"
"""The door of all plain records."""

_PLAIN: Final = frozenset({(False, "history"), (False, "interaction"), (False, _RECORDS)})
"""Doors behind which adopting is one batch with the entities' own times, and nothing is read."""

_HISTORY: Final = frozenset(kind.value for kind in EntryKind)
TREES: Final = frozenset({NODE, FAMILY, HEAD, DICTIONARY, SECRET})
"""Of what states consist: seen by nobody for itself, and cleared away by a collection alone."""

_KINDS: Final = _HISTORY | {
    *("session", "interaction", "thread", "branch", "snapshot", "checkpoint", "write"),
}


def _door(choice: Choice) -> tuple[bool, str]:
    """Tell apart who writes an item: one manager's items go together, whatever their kinds."""
    item = choice.item
    if isinstance(item, SourceRecord):
        return True, ""
    if isinstance(item.entity, PlainRecord):
        return False, _RECORDS
    return False, "history" if item.kind in _HISTORY else item.kind


def _is_plain(written: Sequence[Choice]) -> bool:
    """Tell whether everything is new, and behind one door that makes one batch of it."""
    doors = {_door(choice) for choice in written}
    return len(doors) == 1 and doors <= _PLAIN and all(choice.there is None for choice in written)
