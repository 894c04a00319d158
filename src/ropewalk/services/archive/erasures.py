"""`Erasures`: remove everything of a person from every module, and give a receipt for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from ...domain.archive import Scope
from ...domain.change import Delete
from ...domain.errors import Conflict, Denied
from ...domain.memory import Name
from ...domain.migration import content_digest, journal_id
from ...domain.moment import from_micros
from ...domain.receipt import Receipt
from ...domain.record import Key
from ...stores.trees import DICTIONARY, FAMILY, HEAD, NODE, SECRET
from ..checkpoints.collector import Collector
from ..checkpoints.grove import Grove
from ..migration.journal import ITEM, Journal
from ..sharing.reach import Reach
from .belonging import MEMORY, SESSION, THREAD, belongings, with_forks
from .progress import Done, ErasureNotes
from .remainders import remainders
from .selection import Selection
from .undo_steps import clean_steps, named

if TYPE_CHECKING:
    from ...domain.change import Change
    from ...domain.record import Record
    from ..desk import Desk
    from .belonging import Belongings

_AT_ONCE: Final = 200
_ROUNDS: Final = 8
_SHARED: Final = frozenset({SECRET, DICTIONARY, NODE, FAMILY})
"""Kinds that are not a person's by themselves: nodes go when no state needs them any more."""

_MODULUS: Final = 1 << 256


class Erasures:
    """Erases people, one at a time; may be stopped at any point, and called again."""

    def __init__(self, desk: Desk, *, reach: Reach, forget: Callable[[], None]) -> None:
        """Work at `desk`; `forget` makes the managers read the states' nodes anew."""
        self._desk = desk
        self._reach = reach
        self._forget = forget
        self._journal = Journal(desk)
        self._notes = ErasureNotes(desk)

    async def erase(
        self,
        user_id: str,
        *,
        dry_run: bool = True,
        forks: bool = False,
        trim_feed: bool = False,
        progress: Callable[[Mapping[str, int]], None] | None = None,
    ) -> Receipt:
        """Remove what belongs to a person from this space; by default only say what would go.

        That is: sessions that name them as their user, and everything that names one of these
        sessions or threads; threads and whatever else has them as `user_id` in its metadata;
        memories in whose namespace a whole label is their id; the parts of states that nobody
        else needs; what migrations noted of all that. `trim_feed` forgets the commits up to now,
        for every space. `progress` is told the counts of what went.

        Raises `Conflict` (`has_forks`) where threads of other people continue theirs, unless
        `forks` says that these go too, or (`busy`) where others go on writing; `Denied` where
        `trim_feed` is not this handle's to ask for. An erasure that was broken off goes on, and
        its receipt counts both parts.
        """
        if trim_feed and self._reach is not Reach.STORE:
            message = "the log of commits is the whole store's: trim it with a handle to that"
            raise Denied(message, code="not_manager")
        own = await self._own(user_id, forks=forks)
        if dry_run:
            return await self._rehearse(user_id, own, forks=forks)
        if own.forks and not forks:
            raise _has_forks(own)
        work = _Work(await self._notes.begin(user_id), progress)
        for _ in range(_ROUNDS):
            if not await self._round(own, work):
                break
            own = await self._own(user_id, forks=forks)
        else:
            message = f"others go on writing for user {user_id!r}: stop them, and erase again"
            raise Conflict(message, code="busy", user_id=user_id)
        await self._collect(work)
        await self._notes.end(work.done)
        commits = 0
        if trim_feed:  # the newest commit stays: it is the one that ended the note
            commits = await self._desk.backend.trim(await self._desk.backend.changed(-1))
        done = work.done
        return Receipt(
            user_id=user_id,
            space=self._desk.space,
            dry_run=False,
            actor=self._desk.actor,
            started_at=from_micros(done.started_at),
            ended_at=self._desk.now(),
            records=dict(done.records),
            digest=f"{done.total:064x}",
            namespaces=tuple(sorted(done.namespaces)),
            forks=tuple(sorted(done.forks)),
            with_forks=forks,
            notes=done.notes,
            undone=done.undone,
            commits=commits,
            remains=await remainders(self._desk, trimmed=trim_feed),
        )

    async def _own(self, user_id: str, *, forks: bool) -> Belongings:
        own = await belongings(self._desk, Scope(user_id=user_id))
        return await with_forks(self._desk, own) if forks else own

    async def _rehearse(self, user_id: str, own: Belongings, *, forks: bool) -> Receipt:
        begun = self._desk.now()
        total = 0
        counts = Counter[str]()
        spaces = set[str]()
        selection = Selection(self._desk, own)
        for kind in await selection.counts():
            if kind in _SHARED:
                continue
            async for record in selection.records(kind):
                counts[kind] += 1
                total += _sum(record)
                spaces.update(_namespace(record))
        return Receipt(
            user_id=user_id,
            space=self._desk.space,
            dry_run=True,
            actor=self._desk.actor,
            started_at=begun,
            ended_at=self._desk.now(),
            records=dict(counts),
            digest=f"{total % _MODULUS:064x}",
            namespaces=tuple(sorted(spaces)),
            forks=own.forks,
            with_forks=forks,
            remains=await remainders(self._desk, trimmed=False),
        )

    async def _round(self, own: Belongings, work: _Work) -> bool:
        """Remove what there is now; tell whether there was anything."""
        if own.forks and not work.done.forks:
            work.done.forks.update(own.forks)
        selection = Selection(self._desk, own, bodies=False)
        kinds = [kind for kind in await selection.counts() if kind not in _SHARED]
        found = await named(selection, kinds)
        if not len(found):
            return False
        names = sorted({run.plan.name for run in await self._journal.runs()})
        undone = await clean_steps(self._desk, self._journal, found, names)
        work.done = replace(work.done, undone=work.done.undone + undone)
        work.done.families.update(own.roots)
        selection = Selection(self._desk, own)
        for kind in sorted(kinds, key=_turn):
            portion: list[Record] = []
            async for record in selection.records(kind):
                portion.append(record)
                if len(portion) == _AT_ONCE:
                    await self._remove(portion, names, work)
                    portion = []
            if portion:
                await self._remove(portion, names, work)
        return True

    async def _remove(self, records: Sequence[Record], names: Sequence[str], work: _Work) -> None:
        """Remove some records and the notes about them, and count it, in one batch."""
        notes = [
            Key(self._desk.space, ITEM, journal_id(name, record.key.kind, record.key.id))
            for name in names
            for record in records
        ]
        known = await self._desk.backend.get(notes, bodies=False) if notes else []
        there = [record.key for record in known if record is not None]
        done = replace(
            work.done,
            records=work.done.records + Counter(record.key.kind for record in records),
            total=(work.done.total + sum(map(_sum, records))) % _MODULUS,
            notes=work.done.notes + len(there),
            namespaces=work.done.namespaces.union(*map(_namespace, records)),
        )
        put = await self._notes.put(done)
        changes: list[Change] = [Delete(key=record.key) for record in records]
        changes += [Delete(key=key) for key in there]
        await self._desk.commit([*changes, put])
        work.done = replace(done, revision=done.revision + 1)
        work.tell()

    async def _collect(self, work: _Work) -> None:
        """Remove the parts of states that nothing needs any more."""
        collector = Collector(self._desk, Grove(self._desk))
        gone = await collector.collect(only=work.done.families)
        self._forget()
        if gone.removed:
            records = work.done.records + Counter({NODE: gone.removed})
            work.done = replace(work.done, records=records)
            work.tell()


@dataclass(slots=True)
class _Work:
    """An erasure under way."""

    done: Done
    progress: Callable[[Mapping[str, int]], None] | None = field(default=None)

    def tell(self) -> None:
        """Tell how far it is."""
        if self.progress is not None:
            self.progress(dict(self.done.records))


def _turn(kind: str) -> tuple[int, str]:
    """Say when a kind goes: by threads and sessions the rest is found, so they go last."""
    return {HEAD: 1, THREAD: 2, SESSION: 3}.get(kind, 0), kind


def _sum(record: Record) -> int:
    return int(content_digest(record, version=True, dated=True), 16)


def _namespace(record: Record) -> set[str]:
    if record.key.kind != MEMORY:
        return set()
    return {".".join(Name.of(record.key.id).namespace)}


def _has_forks(own: Belongings) -> Conflict:
    message = (
        f"{len(own.forks)} threads of other people continue threads of user {own.user_id!r}, "
        f"{own.forks[0]!r} among them: they cannot be read without these; erase them too "
        "(forks=True, or --with-forks), or delete them first"
    )
    return Conflict(message, code="has_forks", user_id=own.user_id, forks=own.forks)
