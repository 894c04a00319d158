"""`Ledger`: apply a batch together with the journal of it, so that both stand or fall together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from ...domain.change import ABSENT, Applied, Batch, Change, Delete, Ensure, Put
from ...domain.errors import Conflict
from ...domain.migration import content_digest
from ...domain.record import Key, Record
from ...stores.trees import FAMILY, NODE
from ..overlay.backend import Overlay
from .journal import Journal, Known, RunState
from .passing import Passing

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...domain.ports import Backend, Clock

_COLLECTED: Final = frozenset({NODE, FAMILY})
"""Kinds that a rollback leaves to a collection: other states may need the same nodes."""

_ASIDE_BYTES: Final = 8 * 1024 * 1024
"""A longer replaced body has a record of its own: a step must not outgrow a record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One record that a step wrote: its version since, and the whole of it as it was before.

    `after` is 0 where the step removed it; `before` is `None` where it was not there.
    """

    key: Key
    after: int
    before: Record | None = None


class Ledger(Passing):
    """Stands beneath a tray: what the tray commits is written with a step and the run's header.

    The header is expected at the version that this ledger left it at, so that no two programs
    go on with one run.
    """

    def __init__(
        self, below: Backend, journal: Journal, state: RunState, told: Callable[[], dict[str, Any]]
    ) -> None:
        """Write into `below`, going on from `state`; `told` has the figures so far."""
        super().__init__(below)
        self._journal = journal
        self._told = told
        self.state = state
        self.notes: Mapping[Key, Known] = {}
        """What is to be noted of items, by the keys of the records that they become."""
        self.dropped: Sequence[Known] = ()
        """Items that are to be forgotten."""
        self.dates: Mapping[Key, int | None] = {}
        """The times of last changes that were given, by key."""
        self.position = state.position
        """The commit of the source that the target will have with the next batch."""

    async def apply(self, batch: Batch) -> Applied:
        """Do every change of the batch with the journal of it, or none."""
        changes = [self._dated(change) for change in batch.changes]
        return await self._commit(changes, notes=self.notes, as_of=batch)

    async def flush(self, actor: str) -> None:
        """Write the notes of items that need no change."""
        await self._commit([], notes=self.notes, actor=actor)

    async def advance(self, actor: str) -> None:
        """Note how far it is, where nothing else has to be written."""
        new = replace(self.state, position=self.position, told=self._told())
        put = await self._journal.put_run(new, expect=self.state.revision)
        await self._below.apply(Batch((put,), actor=actor))
        self.state = replace(new, revision=self.state.revision + 1)

    def _dated(self, change: Change) -> Change:
        if isinstance(change, Put) and change.key in self.dates:
            return replace(change, updated_at=self.dates[change.key])
        return change

    async def ahead(self, batch: Batch) -> Applied:
        """Write nodes of a big state before the state is complete; a rollback looks for them."""
        return await self._commit(batch.changes, notes={}, as_of=batch)

    async def _commit(
        self,
        changes: Sequence[Change],
        *,
        notes: Mapping[Key, Known],
        as_of: Batch | None = None,
        actor: str = "",
    ) -> Applied:
        """Apply changes, in the name of the batch that they were in if there was one."""
        state, journal = self.state, self._journal
        before = await self._before(changes)
        entries = [_entry(change, before) for change in changes if _is_undone(change)]
        written = {change.key: change for change in changes if isinstance(change, Put)}
        own: list[Change] = []
        earlier = await self._earlier(notes)
        for key, known in notes.items():
            put = await journal.put_item(state.plan.name, _complete(known, written.get(key)))
            own.append(put)
            entries.append(_entry(put, earlier))
        dropped = [journal.drop_item(state.plan.name, known) for known in self.dropped]
        lost = await self._before(dropped)
        own += dropped
        entries += [_entry(change, lost) for change in dropped]
        families = sorted({change.key.id for change in changes if change.key.kind == FAMILY})
        new = replace(state, steps=state.steps + 1, told=self._told(), position=self.position)
        own += await self._step(entries, families)
        own.append(await journal.put_run(new, expect=state.revision))
        whole = (*changes, *own)
        batch = Batch(whole, actor=actor) if as_of is None else replace(as_of, changes=whole)
        applied = await self._below.apply(batch)
        self.state = replace(new, revision=state.revision + 1)
        return replace(
            applied,
            versions=applied.versions[: len(changes)],
            previous=applied.previous[: len(changes)],
        )

    async def _earlier(self, notes: Mapping[Key, Known]) -> dict[Key, Record]:
        name = self.state.plan.name
        keys = [
            self._journal.item_key(name, known.kind, known.source_id)
            for known in notes.values()
            if known.revision
        ]
        return await self._whole(keys)

    async def _before(self, changes: Sequence[Change]) -> dict[Key, Record]:
        """Return the whole records that the changes replace or remove."""
        return await self._whole(
            [
                change.key
                for change in changes
                if isinstance(change, Put | Delete) and change.expect and _is_undone(change)
            ]
        )

    async def _whole(self, keys: Sequence[Key]) -> dict[Key, Record]:
        found = await self._below.get(keys) if keys else []
        return {record.key: record for record in found if record is not None}

    async def _step(self, entries: Sequence[Entry], families: Sequence[str]) -> list[Change]:
        state, journal = self.state, self._journal
        aside: list[Change] = []
        rows: list[object] = []
        for entry in entries:
            body = entry.before.body if entry.before is not None else None
            if body is not None and len(body) > _ASIDE_BYTES:
                key = journal.step_key(state.id, state.steps, f".{len(aside)}")
                aside.append(Put(key=key, body=body, expect=ABSENT))
                rows.append(_row(entry, aside=key.id))
            else:
                rows.append(_row(entry))
        value = {"entries": rows, "families": list(families)}
        key = journal.step_key(state.id, state.steps)
        return [*aside, await journal.put(key, value, expect=ABSENT)]


class Tray(Overlay):
    """An overlay that keeps the times of last changes which somebody gave.

    Nodes of a state that is too big to wait in memory are written through at once.
    """

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        """Gather over `ledger`."""
        super().__init__(ledger, clock)
        self._ledger = ledger
        self.dates: dict[Key, int | None] = {}

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return records as they are within the batch.

        A family is looked at anew each time: nodes written ahead may have begun it meanwhile.
        """
        if all(key.kind == FAMILY and key not in self._changes for key in keys):
            return await self._ledger.get(keys, bodies=bodies)
        return await super().get(keys, bodies=bodies)

    async def apply(self, batch: Batch) -> Applied:
        """Gather the changes of `batch`, unless it is nodes written ahead."""
        if all(isinstance(c, Ensure) or c.key.kind == FAMILY for c in batch.changes):
            return await self._ledger.ahead(batch)
        applied = await super().apply(batch)
        for change in batch.changes:
            if isinstance(change, Put):
                self.dates[change.key] = change.updated_at
        return applied


def _is_undone(change: Change) -> bool:
    """Tell whether a rollback puts right by itself what this change did."""
    return isinstance(change, Put | Delete) and change.key.kind not in _COLLECTED


def _entry(change: Change, before: Mapping[Key, Record]) -> Entry:
    expected = change.expect if isinstance(change, Put | Delete) else None
    old = before.get(change.key) if expected else None
    if (old.version if old else ABSENT) != (expected or ABSENT):
        message = f"{change.key} was changed by somebody else just now; look at it again"
        raise Conflict(message, code="version", key=change.key)
    if isinstance(change, Put):
        after = change.version or (expected or ABSENT) + 1
        return Entry(key=change.key, after=after, before=old)
    return Entry(key=change.key, after=ABSENT, before=old)


def _complete(known: Known, put: Put | None) -> Known:
    """Add to a note what was written, if anything was."""
    if put is None:
        return known
    version = put.version or (put.expect or ABSENT) + 1
    record = Record(
        key=put.key,
        version=version,
        created_at=put.created_at or 0,
        updated_at=0,
        session_id=put.session_id,
        thread_id=put.thread_id,
        labels=put.labels,
        body=put.body,
        seal=put.seal,
        expires_at=put.expires_at,
    )
    return replace(known, version=version, content=bytes.fromhex(content_digest(record)))


def _row(entry: Entry, *, aside: str | None = None) -> list[object]:
    """Write an entry as it stands in a step: bodies and seals as they are."""
    key, old = entry.key, entry.before
    if old is None:
        return [key.kind, key.id, entry.after]
    whole = [
        *(old.version, old.created_at, old.updated_at, old.session_id, old.thread_id),
        *(dict(old.labels), old.seal, old.expires_at),
    ]
    return [key.kind, key.id, entry.after, whole, aside or old.body]
