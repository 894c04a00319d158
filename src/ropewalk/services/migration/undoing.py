"""`Undoing`: take back what a run wrote, step by step from the newest, and put back what it was."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from ...domain.change import ABSENT, Change, Delete, Put
from ...domain.errors import Conflict
from ...domain.leaning import OF
from ...domain.migration import JOURNAL, RunStatus, UndoReport
from ...domain.query import Query
from ...domain.record import Key
from ...stores.trees import DICTIONARY, FAMILY, HEAD, NODE, SECRET
from ..checkpoints.collector import Collector
from ..checkpoints.grove import Grove
from .journal import ITEM
from .sightings import Sightings
from .steps import halved, read_step

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ...domain.record import Record
    from ..desk import Desk
    from .journal import Journal, RunState
    from .ledger import Entry
    from .steps import Step

_MOST_NAMED: Final = 20
_LATE: Final = frozenset({SECRET, DICTIONARY})
"""Kinds that go last, and only where no state is left that needs them."""

_TREES: Final = ("checkpoint", "write", NODE, FAMILY, HEAD)


class Undoing:
    """Takes one run back; may be broken off after any batch and begun again.

    A version never falls while a record is there. So what was replaced is taken away in one batch
    and put back, with the version that it had, in the next.
    """

    def __init__(
        self, desk: Desk, journal: Journal, state: RunState, *, forget: Callable[[], None]
    ) -> None:
        """Take back the run of `state`; `forget` tells the managers that the secret is gone."""
        self._desk = desk
        self._forget = forget
        self._journal = journal
        self._state = state
        self._removed = 0
        self._restored = 0
        self._changed: list[str] = []
        self._count = 0
        self._force = False

    async def undo(self, *, force: bool) -> UndoReport:
        """Take everything back; raise `Conflict` where some of it was changed since."""
        if self._state.status is RunStatus.UNDONE:
            return UndoReport(run=self._state.id)
        self._force = force
        families, late = set(self._state.families), set(self._state.late)
        async with aclosing(cast("AsyncGenerator[Step, None]", self._steps())) as steps:
            await self._check(steps, families, late)
        if self._changed and not force:
            raise self._refusal()
        # Steps are forgotten as they are taken back: what is done in the end is noted down first.
        await self._note(RunStatus.UNDOING, families, late)
        async with aclosing(cast("AsyncGenerator[Step, None]", self._steps())) as steps:
            async for step in steps:
                await self._take_back(step)
        nodes = await self._collect(families)
        await self._remove_unneeded(late)
        await self._note(RunStatus.UNDONE, set(), set())
        return UndoReport(
            run=self._state.id,
            removed=self._removed,
            restored=self._restored,
            nodes=nodes,
            changed=tuple(self._changed),
        )

    async def _steps(self) -> AsyncIterator[Step]:
        rows = cast("AsyncGenerator[Record, None]", self._journal.steps(self._state.id))
        async with aclosing(rows):
            async for record in rows:
                yield await read_step(self._desk, self._journal, record)

    async def _check(
        self, steps: AsyncIterator[Step], families: set[str], late: set[tuple[str, str]]
    ) -> None:
        """Find what was changed since, and what was written since and belongs to what would go."""
        covered = Sightings()
        own = Sightings()
        parents: list[Key] = []
        async for step in steps:
            families.update(step.families)
            late.update((e.key.kind, e.key.id) for e in step.entries if _is_late(e))
            found = await self._headers([entry.key for entry in step.entries])
            for entry in step.entries:
                own.add(str(entry.key))
                # An older step wrote what a newer one replaced: that one says how it stands.
                is_first = str(entry.key) not in covered and not step.is_half
                if entry.before is not None:
                    covered.add(str(entry.key))
                there = found.get(entry.key)
                if is_first and (there.version if there else ABSENT) != entry.after:
                    self._tell_changed(entry.key)
                if entry.before is None and entry.key.kind in {"thread", "session"}:
                    parents.append(entry.key)
        for parent in parents:
            await self._check_children(parent, own)

    async def _check_children(self, parent: Key, own: Sightings) -> None:
        of_thread = parent.kind == "thread"
        query = Query(
            space=self._desk.space,
            thread_id=parent.id if of_thread else None,
            session_id=None if of_thread else parent.id,
            bodies=False,
        )
        rows = cast("AsyncGenerator[Record, None]", self._desk.backend.scan(query))
        async with aclosing(rows):
            async for record in rows:
                if record.key.kind not in JOURNAL and own.add(str(record.key)):
                    self._tell_changed(record.key)

    def _tell_changed(self, key: Key) -> None:
        if key.kind in {ITEM, *_LATE}:
            return  # the notes follow the items, and what holds keys is looked at in the end
        self._count += 1
        if len(self._changed) < _MOST_NAMED:
            self._changed.append(str(key))

    def _refusal(self) -> Conflict:
        more = self._count - len(self._changed)
        named = ", ".join(self._changed) + (f" and {more} more" if more else "")
        message = (
            f"{self._count} records were changed or added since run {self._state.id} wrote them: "
            f"{named}. Nothing was taken back. Take later runs back first, or use force: then "
            "their changes are lost"
        )
        return Conflict(
            message, code="changed_since", run=self._state.id, keys=tuple(self._changed)
        )

    async def _note(
        self, status: RunStatus, families: set[str], late: set[tuple[str, str]]
    ) -> None:
        is_over = status is RunStatus.UNDONE
        state = replace(
            self._state,
            status=status,
            families=tuple(sorted(families)),
            late=tuple(sorted(late)),
            ended_at=self._desk.clock.now() if is_over else self._state.ended_at,
        )
        put = await self._journal.put_run(state, expect=self._state.revision)
        applied = await self._desk.commit([put])
        self._state = replace(state, revision=applied.versions[0])

    async def _take_back(self, step: Step) -> None:
        """Undo one step, but for what goes last."""
        entries = [entry for entry in step.entries if not _is_late(entry)]
        restored = [entry for entry in entries if entry.before is not None]
        found = await self._headers([entry.key for entry in entries])
        if not step.is_half:
            away: list[Change] = [
                Delete(key=entry.key, expect=self._expected(entry, found.get(entry.key)))
                for entry in entries
                if entry.key in found
            ]
            if restored:
                await self._desk.commit([*away, await halved(self._journal, step)])
            else:
                await self._desk.commit([*away, *_forgotten(step)])
            gone = [e.key for e in entries if e.key in found and e.before is None]
            self._removed += sum(1 for key in gone if key.kind not in JOURNAL)
        if restored:
            await self._put_back(step, restored)

    def _expected(self, entry: Entry, there: Record | None) -> int | None:
        # A note about an item may have been made anew by a later run that changed nothing else.
        free = self._force or entry.key.kind in JOURNAL
        return there.version if free and there is not None else entry.after

    async def _put_back(self, step: Step, restored: Sequence[Entry]) -> None:
        found = await self._headers([entry.key for entry in restored])
        puts: list[Change] = []
        for entry in restored:
            old, there = entry.before, found.get(entry.key)
            if old is None or (there is not None and not self._force):
                message = (
                    f"{entry.key} was written by somebody else while it was put back: keep the "
                    "programs away that use it, and roll back with force"
                )
                raise Conflict(message, code="changed_since", key=entry.key)
            newer = there is not None and there.version >= old.version
            puts.append(
                replace(
                    Put.of(old),
                    version=None if newer else old.version,
                    expect=there.version if there else ABSENT,
                )
            )
        await self._desk.commit([*puts, *_forgotten(step)])
        self._restored += sum(1 for entry in restored if entry.key.kind not in JOURNAL)

    async def _headers(self, keys: Sequence[Key]) -> dict[Key, Record]:
        found = await self._desk.backend.get(keys, bodies=False) if keys else []
        return {record.key: record for record in found if record is not None}

    async def _collect(self, families: set[str]) -> int:
        """Remove the nodes that nothing needs now of the families that the run wrote into."""
        if not families:
            return 0
        collector = Collector(self._desk, Grove(self._desk))
        return (await collector.collect(only=families)).removed

    async def _remove_unneeded(self, late: set[tuple[str, str]]) -> None:
        """Remove the secret and the dictionaries that the run brought, if nothing needs them."""
        if not late:
            return
        rows = await self._desk.backend.tally(
            Query(space=self._desk.space, bodies=False), (), ("kind",)
        )
        left = {str(row.group[0]) for row in rows} - JOURNAL - _LATE
        if not left.intersection(_TREES):
            keys = [Key(self._desk.space, kind, id_) for kind, id_ in sorted(late)]
            if left:
                # What others wrote meanwhile may lean on a dictionary for bodies.
                found = await self._headers(keys)
                keys = [key for key in keys if key in found and OF not in found[key].labels]
            await self._desk.commit_in_parts([Delete(key=key) for key in keys])
            self._forget()
            self._removed += len(keys)


def _is_late(entry: Entry) -> bool:
    return entry.key.kind in _LATE and entry.before is None


def _forgotten(step: Step) -> list[Change]:
    """Make the changes that end a step: nothing of it is left to undo."""
    aside = [Delete(key=key) for key in step.aside]
    return [*aside, Delete(key=step.record.key)]
